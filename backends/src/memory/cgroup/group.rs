//! The open files of one group and of those above it.

use std::io;
use std::path::Path;

use tripline_runtime::MemoryError;
use tripline_runtime::core::MemorySample;

use super::super::parse::{keyed, kib_line, number};
use super::super::reread::{BUFFER_LEN, Reread, unreadable};
use super::location::{Location, locate};
use super::tables::Version;

/// From here on a limit of version 1 is none: it writes the largest signed number, rounded down to a page, of 64 KiB at
/// most.
const V1_NO_LIMIT: u64 = i64::MAX as u64 & !0xffff;

/// The files to ask for the memory of one group.
#[derive(Debug)]
pub(super) struct Group {
    version: Version,
    /// `/proc/self/cgroup`, and what it said when this group was found.
    membership: Reread,
    found_by: Vec<u8>,
    meminfo: Reread,
    usage: Reread,
    stat: Reread,
    /// Of the group itself and of all above it.
    limits: Vec<Reread>,
}

impl Group {
    pub(super) fn open(root: &Path) -> Result<Self, MemoryError> {
        let membership = Reread::open(root.join("proc/self/cgroup"))?;
        let found_by = membership.read(&mut [0; BUFFER_LEN])?.to_vec();
        let meminfo = Reread::open(root.join("proc/meminfo"))?;
        let Location { version, groups } = locate(root, &found_by)?;
        let names = Names::of(version);

        // A group without the memory controller counts as part of the first one above it that has it.
        let mut groups = groups.iter();
        let (own, usage) = loop {
            let Some(folder) = groups.next() else {
                let why = "no group of this process has the memory controller";
                return Err(unreadable(&root.join("proc/self/cgroup"), io::Error::new(io::ErrorKind::NotFound, why)));
            };
            if let Some(usage) = Reread::open_if_there(folder.join(names.usage))? {
                break (folder, usage);
            }
        };
        let stat = Reread::open(own.join(names.stat))?;
        // The topmost group of version 2 has no such file: no limit.
        let limits = std::iter::once(own)
            .chain(groups)
            .filter_map(|folder| Reread::open_if_there(folder.join(names.limit)).transpose())
            .collect::<Result<_, _>>()?;
        Ok(Self { version, membership, found_by, meminfo, usage, stat, limits })
    }

    /// Is the process still in this group?
    pub(super) fn is_current(&self) -> bool {
        self.membership.read(&mut [0; BUFFER_LEN]).is_ok_and(|now| now == self.found_by)
    }

    pub(super) fn sample(&self) -> Result<MemorySample, MemoryError> {
        let mut buffer = [0; BUFFER_LEN];
        let usage = self.usage.parse(&mut buffer, "a number of bytes", number)?;
        let stat = self.stat.parse(&mut buffer, Stat::expected(self.version), |text| Stat::read(self.version, text))?;
        let mut smallest = stat.limit;
        for limit in &self.limits {
            let limit =
                limit.parse(&mut buffer, Limit::expected(self.version), |text| Limit::read(self.version, text))?;
            smallest = smallest.min(limit);
        }
        let machine =
            self.meminfo.parse(&mut buffer, "a line \"MemTotal: <number> kB\"", |t| kib_line(t, "MemTotal"))?;
        Ok(MemorySample {
            used: usage.saturating_sub(stat.inactive_file),
            limit: smallest.bytes().map(|b| b.min(machine)),
        })
    }
}

/// How the files of a group are called.
struct Names {
    usage: &'static str,
    limit: &'static str,
    stat: &'static str,
}

impl Names {
    const fn of(version: Version) -> Self {
        match version {
            Version::V1 => Self { usage: "memory.usage_in_bytes", limit: "memory.limit_in_bytes", stat: "memory.stat" },
            Version::V2 => Self { usage: "memory.current", limit: "memory.max", stat: "memory.stat" },
        }
    }
}

/// A limit in bytes; the largest number stands for none, so that the smaller one is the one that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Limit(u64);

impl Limit {
    const NONE: Self = Self(u64::MAX);

    const fn expected(version: Version) -> &'static str {
        match version {
            Version::V1 => "a number of bytes",
            Version::V2 => "a number of bytes, or \"max\"",
        }
    }

    fn read(version: Version, text: &[u8]) -> Option<Self> {
        match version {
            Version::V1 => number(text).map(Self::from_v1),
            Version::V2 if text.trim_ascii() == b"max" => Some(Self::NONE),
            Version::V2 => number(text).map(Self),
        }
    }

    const fn from_v1(bytes: u64) -> Self {
        if bytes >= V1_NO_LIMIT { Self::NONE } else { Self(bytes) }
    }

    fn bytes(self) -> Option<u64> {
        (self != Self::NONE).then_some(self.0)
    }
}

/// What `memory.stat` tells.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    /// Bytes of file pages not used lately, of the group and all below it.
    inactive_file: u64,
    /// Version 1 tells the smallest limit of all groups above here too, also of those that a container cannot see.
    limit: Limit,
}

impl Stat {
    const fn expected(version: Version) -> &'static str {
        match version {
            Version::V1 => "a line \"total_inactive_file <number>\"",
            Version::V2 => "a line \"inactive_file <number>\"",
        }
    }

    fn read(version: Version, text: &[u8]) -> Option<Self> {
        match version {
            Version::V1 => Some(Self {
                inactive_file: keyed(text, "total_inactive_file")?,
                limit: keyed(text, "hierarchical_memory_limit").map_or(Limit::NONE, Limit::from_v1),
            }),
            Version::V2 => Some(Self { inactive_file: keyed(text, "inactive_file")?, limit: Limit::NONE }),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn version_1_has_no_limit_at_the_largest_page_of_any_page_size() {
        for (text, limit) in [
            ("9223372036854775807", None),
            ("9223372036854771712\n", None),
            ("9223372036854710272", None),
            ("9223372036854710271", Some(9_223_372_036_854_710_271)),
            ("0", Some(0)),
        ] {
            assert_eq!(Limit::read(Version::V1, text.as_bytes()).map(Limit::bytes), Some(limit), "{text}");
        }
        assert_eq!(Limit::read(Version::V1, b"max"), None);
    }

    #[test]
    fn version_2_writes_max_for_none() {
        assert_eq!(Limit::read(Version::V2, b"max\n"), Some(Limit::NONE));
        assert_eq!(Limit::read(Version::V2, b"4096\n"), Some(Limit(4096)));
        assert_eq!(Limit::read(Version::V2, b"maximum\n"), None);
        assert_eq!(Limit::read(Version::V2, b""), None);
    }

    #[test]
    fn version_1_takes_the_totals_and_the_limit_of_the_hierarchy() {
        let text = b"inactive_file 1\nhierarchical_memory_limit 500\ntotal_inactive_file 7\n";
        assert_eq!(Stat::read(Version::V1, text), Some(Stat { inactive_file: 7, limit: Limit(500) }));
        assert_eq!(Stat::read(Version::V2, text), Some(Stat { inactive_file: 1, limit: Limit::NONE }));
        assert_eq!(Stat::read(Version::V1, b"inactive_file 1\n"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            for version in [Version::V1, Version::V2] {
                Limit::read(version, &text);
                Stat::read(version, &text);
            }
        }
    }
}
