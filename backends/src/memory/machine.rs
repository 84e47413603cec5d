//! The memory of the whole machine. Pure.

use tripline_runtime::core::MemorySample;

use super::MemoryUsed;
use super::parse::{kib_line, kstat, number};

/// The machine's memory at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Machine {
    total: u64,
    available: u64,
    /// Reserved for huge pages. No program gets it as ordinary memory, whether the huge pages are in use or not.
    huge_pages: u64,
    /// The ZFS cache above its minimum, which ZFS releases under pressure. Linux does not count it as available.
    zfs_cache: u64,
}

impl Machine {
    /// The expected content of the file, for errors.
    pub(super) const EXPECTED: &'static str = "lines \"MemTotal: <number> kB\" and \"MemAvailable: <number> kB\"";

    /// Parses `/proc/meminfo`.
    pub(super) fn parse(meminfo: &[u8]) -> Option<Self> {
        let total = kib_line(meminfo, "MemTotal").filter(|&total| total > 0)?;
        let available = kib_line(meminfo, "MemAvailable").or_else(|| estimate_available(meminfo))?;
        Some(Self { total, available, huge_pages: huge_pages(meminfo).unwrap_or(0), zfs_cache: 0 })
    }

    /// Adds the ZFS cache from `arcstats`.
    pub(super) fn with_zfs(self, arcstats: &[u8]) -> Self {
        let (size, minimum) = (kstat(arcstats, "size"), kstat(arcstats, "c_min"));
        let above_minimum = size.zip(minimum).map_or(0, |(size, minimum)| size.saturating_sub(minimum));
        // A cache larger than the used memory cannot be part of it: the two files describe different machines.
        let zfs_cache = if size <= Some(self.unavailable()) { above_minimum } else { 0 };
        Self { zfs_cache, ..self }
    }

    /// Used memory and its limit. While the kernel confirms a shortage, the ZFS cache counts as used, because it was
    /// not released in time.
    pub(super) fn sample(&self, figure: MemoryUsed, shortage_is_confirmed: bool) -> MemorySample {
        let counted_zfs_cache = match figure {
            MemoryUsed::WorkingSet => return MemorySample { used: self.unavailable(), limit: Some(self.total) },
            MemoryUsed::Unreclaimable if shortage_is_confirmed => 0,
            MemoryUsed::Unreclaimable => self.zfs_cache,
        };
        let used = self.ordinary().saturating_sub(self.available).saturating_sub(counted_zfs_cache);
        MemorySample { used, limit: Some(self.ordinary()) }
    }

    /// The name of the limit, for people.
    pub(super) fn level(&self, figure: MemoryUsed) -> &'static str {
        if self.ordinary() == self.total || figure == MemoryUsed::WorkingSet {
            "MemTotal of the machine"
        } else {
            "MemTotal of the machine without its huge pages"
        }
    }

    fn unavailable(&self) -> u64 {
        self.total.saturating_sub(self.available)
    }

    /// The memory without huge pages, or all of it if huge pages would take everything.
    fn ordinary(&self) -> u64 {
        Some(self.total.saturating_sub(self.huge_pages)).filter(|&bytes| bytes > 0).unwrap_or(self.total)
    }
}

/// Estimates what Linux before 3.14 does not report: free memory, and caches except those of tmpfs.
fn estimate_available(meminfo: &[u8]) -> Option<u64> {
    let free = kib_line(meminfo, "MemFree")?;
    let caches = ["Buffers", "Cached", "SReclaimable"].map(|key| kib_line(meminfo, key).unwrap_or(0));
    let shared = kib_line(meminfo, "Shmem").unwrap_or(0);
    let caches = caches.into_iter().fold(0, u64::saturating_add).saturating_sub(shared);
    Some(free.saturating_add(caches))
}

/// Huge pages of all sizes, or only of the default size on Linux before 4.16.
fn huge_pages(meminfo: &[u8]) -> Option<u64> {
    kib_line(meminfo, "Hugetlb").or_else(|| {
        let mut lines = meminfo.split(|&byte| byte == b'\n');
        let pages = number(lines.find_map(|line| line.strip_prefix(b"HugePages_Total:"))?)?;
        pages.checked_mul(kib_line(meminfo, "Hugepagesize")?)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn meminfo(total: u64, available: u64, rest: &str) -> Vec<u8> {
        format!("MemTotal: {} kB\nMemFree: 1 kB\nMemAvailable: {} kB\n{rest}", total << 20, available << 20).into()
    }

    fn arcstats(size: u64, minimum: u64) -> Vec<u8> {
        format!("13 1 0x01 147 39984 1 2\nname type data\nhits 4 5\nc_min 4 {minimum}\nc_max 4 9\nsize 4 {size}\n")
            .into()
    }

    fn gib(used: u64, limit: u64) -> MemorySample {
        MemorySample { used: used * GIB, limit: Some(limit * GIB) }
    }

    #[test]
    fn the_zfs_cache_above_its_minimum_is_not_used_until_a_shortage_is_confirmed() {
        let machine = Machine::parse(&meminfo(64, 9, "")).unwrap().with_zfs(&arcstats(40 * GIB, 2 * GIB));
        assert_eq!(machine.sample(MemoryUsed::Unreclaimable, false), gib(17, 64));
        assert_eq!(machine.sample(MemoryUsed::Unreclaimable, true), gib(55, 64));
        assert_eq!(machine.sample(MemoryUsed::WorkingSet, false), gib(55, 64));
        assert_eq!(machine.level(MemoryUsed::Unreclaimable), "MemTotal of the machine");
    }

    #[test]
    fn a_zfs_cache_at_its_minimum_or_of_another_machine_changes_nothing() {
        let machine = Machine::parse(&meminfo(64, 9, "")).unwrap();
        for stats in [
            arcstats(GIB, 2 * GIB),
            arcstats(56 * GIB, GIB),
            arcstats(u64::MAX, 0),
            b"size 4 x\n".to_vec(),
            b"size 4 9\n".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(machine.with_zfs(&stats).sample(MemoryUsed::Unreclaimable, false), gib(55, 64));
        }
    }

    #[test]
    fn huge_pages_are_neither_used_nor_usable() {
        for lines in
            ["Hugetlb: 33554432 kB\n", "HugePages_Total:   16384\nHugePages_Free: 16384\nHugepagesize: 2048 kB\n"]
        {
            let machine = Machine::parse(&meminfo(64, 24, lines)).unwrap();
            assert_eq!(machine.sample(MemoryUsed::Unreclaimable, false), gib(8, 32), "{lines}");
            assert_eq!(machine.sample(MemoryUsed::WorkingSet, false), gib(40, 64), "{lines}");
            assert_eq!(machine.level(MemoryUsed::Unreclaimable), "MemTotal of the machine without its huge pages");
        }
        // Little ordinary memory is left, whatever the number of free huge pages.
        let machine = Machine::parse(&meminfo(64, 1, "Hugetlb: 33554432 kB\n")).unwrap();
        assert_eq!(machine.sample(MemoryUsed::Unreclaimable, false), gib(31, 32));
        let machine = Machine::parse(&meminfo(64, 1, "Hugetlb: 67108864 kB\n")).unwrap();
        assert_eq!(machine.sample(MemoryUsed::Unreclaimable, false), gib(63, 64));
    }

    #[test]
    fn an_old_kernel_without_available_memory_is_estimated() {
        let text =
            b"MemTotal: 1000 kB\nMemFree: 100 kB\nBuffers: 10 kB\nCached: 300 kB\nShmem: 50 kB\nSReclaimable: 40 kB\n";
        let sample = Machine::parse(text).unwrap().sample(MemoryUsed::Unreclaimable, false);
        assert_eq!(sample, MemorySample { used: 600 * 1024, limit: Some(1000 * 1024) });
        for bad in [&b""[..], b"MemTotal: 5 kB\n", b"MemAvailable: 5 kB\n", b"MemTotal: 0 kB\nMemAvailable: 0 kB\n"] {
            assert_eq!(Machine::parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_figure_is_above_the_limit(
            (total, available, huge, size, minimum) in any::<(u64, u64, u64, u64, u64)>(),
            is_confirmed in any::<bool>(),
        ) {
            let [total, available, huge] = [total, available, huge].map(|bytes| bytes >> 12);
            let text = format!("MemTotal: {} kB\nMemAvailable: {available} kB\nHugetlb: {huge} kB\n", total.max(1));
            let machine = Machine::parse(text.as_bytes()).unwrap().with_zfs(&arcstats(size, minimum));
            for figure in MemoryUsed::ALL {
                let sample = machine.sample(figure, is_confirmed);
                prop_assert!(Some(sample.used) <= sample.limit);
                prop_assert!(sample.ratio().is_some());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let machine = Machine::parse(&text).unwrap_or_default().with_zfs(&text);
            machine.sample(MemoryUsed::Unreclaimable, false);
        }
    }
}
