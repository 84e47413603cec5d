//! The memory of one level at one moment, and its limits. Pure.

use tripline_runtime::core::MemorySample;

use super::super::MemoryUsed;
use super::super::parse::{keyed, number};
use super::tables::Version;

/// Values from here on mean "no limit" in version 1: the kernel writes the largest signed number, rounded down to a
/// page of at most 64 KiB.
const V1_NO_LIMIT: u64 = i64::MAX as u64 & !0xffff;

/// The content of a limit file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    Bytes(u64),
    /// No limit, or 0, which has no used share.
    Unlimited,
}

impl Limit {
    /// Returns `None` if the text is neither a number nor, in version 2, `max`.
    pub(super) fn parse(version: Version, text: &[u8]) -> Option<Self> {
        match version {
            Version::V2 if text.trim_ascii() == b"max" => Some(Self::Unlimited),
            _ => number(text).map(Self::of),
        }
    }

    fn of(bytes: u64) -> Self {
        if (1..V1_NO_LIMIT).contains(&bytes) { Self::Bytes(bytes) } else { Self::Unlimited }
    }

    pub(super) const fn bytes(self) -> Option<u64> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            Self::Unlimited => None,
        }
    }

    /// The expected content of the file, for errors.
    pub(super) const fn expected(version: Version) -> &'static str {
        match version {
            Version::V1 => "a number of bytes",
            Version::V2 => "a number of bytes, or \"max\"",
        }
    }
}

/// The memory of one level and everything below it at one moment, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Snapshot {
    /// All memory that is charged to the level.
    pub(super) usage: u64,
    pub(super) stat: Stat,
}

/// The figures of `memory.stat` for a level, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Stat {
    /// File pages that were not used recently.
    pub(super) inactive_file: u64,
    /// File pages in use, except those of tmpfs and those locked in memory.
    pub(super) active_file: u64,
    /// File pages that are dirty or under writeback: they must be written before the kernel can reclaim them.
    pub(super) unwritten: u64,
    pub(super) slab_reclaimable: u64,
    /// Version 1 only: the smallest limit of this level and all above it, including those that a container cannot see.
    pub(super) hierarchical_limit: Option<u64>,
}

impl Stat {
    pub(super) const fn expected(version: Version) -> &'static str {
        match version {
            Version::V1 => "a line \"total_inactive_file <number>\"",
            Version::V2 => "a line \"inactive_file <number>\"",
        }
    }

    /// Lines that older kernels do not write count as 0: nothing is subtracted for them.
    pub(super) fn parse(version: Version, text: &[u8]) -> Option<Self> {
        let or_zero = |key| keyed(text, key).unwrap_or(0);
        Some(match version {
            Version::V1 => Self {
                inactive_file: keyed(text, "total_inactive_file")?,
                active_file: or_zero("total_active_file"),
                unwritten: or_zero("total_dirty").saturating_add(or_zero("total_writeback")),
                slab_reclaimable: or_zero("total_slab_reclaimable"),
                hierarchical_limit: keyed(text, "hierarchical_memory_limit").and_then(|bytes| Limit::of(bytes).bytes()),
            },
            Version::V2 => Self {
                inactive_file: keyed(text, "inactive_file")?,
                active_file: or_zero("active_file"),
                unwritten: or_zero("file_dirty").saturating_add(or_zero("file_writeback")),
                slab_reclaimable: or_zero("slab_reclaimable"),
                hierarchical_limit: None,
            },
        })
    }
}

impl Snapshot {
    /// The used memory of the level. While the kernel confirms a shortage, memory that it failed to reclaim in time
    /// counts too: active file pages and slab. A confirmation never makes the figure smaller.
    pub(super) fn used(&self, figure: MemoryUsed, shortage_is_confirmed: bool) -> u64 {
        let Stat { inactive_file, active_file, unwritten, slab_reclaimable, .. } = self.stat;
        let working_set = self.usage.saturating_sub(inactive_file);
        let clean_file = inactive_file.saturating_add(active_file).saturating_sub(unwritten);
        let unreclaimable = self.usage.saturating_sub(clean_file).saturating_sub(slab_reclaimable);
        match figure {
            MemoryUsed::WorkingSet => working_set,
            MemoryUsed::Unreclaimable if shortage_is_confirmed => working_set.max(unreclaimable),
            MemoryUsed::Unreclaimable => unreclaimable,
        }
    }
}

/// Whether a larger share of the limit is used at `a` than at `b`. A sample with a limit is worse than one without.
pub(super) fn is_worse(a: MemorySample, b: MemorySample) -> bool {
    match (a.limit, b.limit) {
        (Some(a_limit), Some(b_limit)) => {
            u128::from(a.used) * u128::from(b_limit) > u128::from(b.used) * u128::from(a_limit)
        }
        (a_limit, b_limit) => a_limit.is_some() && b_limit.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn version_1_has_no_limit_at_the_largest_page_of_any_page_size() {
        for (text, expected) in [
            ("9223372036854775807", None),
            ("9223372036854771712\n", None),
            ("9223372036854710272", None),
            ("9223372036854710271", Some(9_223_372_036_854_710_271)),
            ("0", None),
        ] {
            assert_eq!(Limit::parse(Version::V1, text.as_bytes()).map(Limit::bytes), Some(expected), "{text}");
        }
        assert_eq!(Limit::parse(Version::V1, b"max"), None);
    }

    #[test]
    fn version_2_writes_max_for_no_limit() {
        assert_eq!(Limit::parse(Version::V2, b"max\n"), Some(Limit::Unlimited));
        assert_eq!(Limit::parse(Version::V2, b"4096\n"), Some(Limit::Bytes(4096)));
        assert_eq!(Limit::parse(Version::V2, b"0\n"), Some(Limit::Unlimited));
        assert_eq!(Limit::parse(Version::V2, b"maximum\n"), None);
        assert_eq!(Limit::parse(Version::V2, b""), None);
    }

    #[test]
    fn each_version_has_its_own_lines() {
        let text = b"inactive_file 1\nactive_file 2\nfile_dirty 3\nfile_writeback 4\nslab_reclaimable 5\n\
            hierarchical_memory_limit 500\ntotal_inactive_file 7\ntotal_active_file 8\ntotal_dirty 9\n\
            total_writeback 10\n";
        let stat = |inactive_file, active_file, unwritten, slab_reclaimable, hierarchical_limit| {
            Some(Stat { inactive_file, active_file, unwritten, slab_reclaimable, hierarchical_limit })
        };
        assert_eq!(Stat::parse(Version::V1, text), stat(7, 8, 19, 0, Some(500)));
        assert_eq!(Stat::parse(Version::V2, text), stat(1, 2, 7, 5, None));
        assert_eq!(Stat::parse(Version::V2, b"inactive_file 1\n"), stat(1, 0, 0, 0, None));
        assert_eq!(Stat::parse(Version::V1, b"inactive_file 1\n"), None);
    }

    fn snapshot() -> impl Strategy<Value = Snapshot> {
        let bytes = || prop_oneof![4 => 0..1_000_u64, 1 => any::<u64>()];
        (bytes(), bytes(), bytes(), bytes(), bytes()).prop_map(|(usage, inactive, active, unwritten, slab)| Snapshot {
            usage,
            stat: Stat {
                inactive_file: inactive,
                active_file: active,
                unwritten,
                slab_reclaimable: slab,
                hierarchical_limit: None,
            },
        })
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            for version in [Version::V1, Version::V2] {
                Limit::parse(version, &text);
                Stat::parse(version, &text);
            }
        }

        #[test]
        fn no_figure_is_above_usage_and_a_confirmation_only_adds(snapshot in snapshot()) {
            let free = snapshot.used(MemoryUsed::Unreclaimable, false);
            let confirmed = snapshot.used(MemoryUsed::Unreclaimable, true);
            let working_set = snapshot.used(MemoryUsed::WorkingSet, false);
            prop_assert!(free <= confirmed && working_set <= confirmed && confirmed <= snapshot.usage);
            prop_assert_eq!(snapshot.used(MemoryUsed::WorkingSet, true), working_set);
        }

        #[test]
        fn memory_without_pages_to_take_back_is_all_used(usage: u64) {
            let snapshot = Snapshot { usage, stat: Stat::default() };
            prop_assert_eq!(snapshot.used(MemoryUsed::Unreclaimable, false), usage);
        }
    }
}
