//! The group of this process and the levels above it.

use std::io;
use std::path::Path;

use tripline_runtime::core::MemorySample;
use tripline_runtime::{MemoryError, MemoryReading};

use super::super::MemoryUsed;
use super::super::kernel_file::{BUFFER_LEN, KernelFile, unreadable};
use super::super::parse::kib_line;
use super::figures::is_worse;
use super::level::{Level, NamedLimit};
use super::location::{Location, locate};

/// The files with the memory of one group and of all groups above it.
#[derive(Debug)]
pub(super) struct Group {
    /// `/proc/self/cgroup`, and its text when this group was found.
    membership: KernelFile,
    found_by: Vec<u8>,
    meminfo: KernelFile,
    /// The group itself, then the groups above it.
    levels: Vec<Level>,
}

impl Group {
    pub(super) fn open(root: &Path) -> Result<Self, MemoryError> {
        let membership = KernelFile::open(root.join("proc/self/cgroup"))?;
        let found_by = membership.read(&mut [0; BUFFER_LEN])?.to_vec();
        let meminfo = KernelFile::open(root.join("proc/meminfo"))?;
        let Location { version, groups } = locate(root, &found_by)?;
        // The memory of a group without the memory controller is counted by the first group above it that has the
        // controller.
        let mut levels: Vec<Level> = Vec::new();
        for (folder, path) in groups {
            let mut level = Level::open(version, &folder, path)?;
            if !levels.is_empty() || level.has_usage()? {
                levels.push(level);
            }
        }
        if levels.is_empty() {
            let why = "no group of this process has the memory controller";
            return Err(unreadable(&root.join("proc/self/cgroup"), io::Error::new(io::ErrorKind::NotFound, why)));
        }
        Ok(Self { membership, found_by, meminfo, levels })
    }

    /// Whether the process is still in this group.
    pub(super) fn is_current(&self) -> bool {
        self.membership.read(&mut [0; BUFFER_LEN]).is_ok_and(|now| now == self.found_by)
    }

    /// Reads the level that uses the largest share of its limit; among equal ones the lowest. Without any limit, reads
    /// the memory of the group itself.
    pub(super) fn read(&mut self, figure: MemoryUsed) -> Result<MemoryReading, MemoryError> {
        let mut buffer = [0; BUFFER_LEN];
        let machine =
            self.meminfo.parse(&mut buffer, "a line \"MemTotal: <number> kB\"", |t| kib_line(t, "MemTotal"))?;
        let mut worst: Option<MemoryReading> = None;
        let mut smallest_limit = None;
        // Usage of the last level that was read. A level holds at least as much as any below it.
        let mut used = 0;
        let mut last_read = 0;
        let mut hierarchical_limit = None;
        for (index, level) in self.levels.iter_mut().enumerate() {
            let limit = level.limit(&mut buffer)?;
            if (index == 0 || limit.is_some())
                && let Some((snapshot, is_confirmed)) = level.snapshot(&mut buffer)?
            {
                last_read = index;
                used = snapshot.used(figure, is_confirmed);
                if index == 0 {
                    hierarchical_limit = snapshot.stat.hierarchical_limit;
                    worst = Some(MemorySample { used, limit: None }.into());
                }
            }
            if let Some(limit) = limit {
                smallest_limit = Some(smallest_limit.map_or(limit.bytes, |bytes: u64| bytes.min(limit.bytes)));
                take_worse(&mut worst, limited(used, &limit, machine));
            }
        }
        // Version 1 reports the smallest limit of all levels, including those that a container cannot see. Such a level
        // holds at least as much as the topmost visible one.
        let topmost = self.levels.len().saturating_sub(1);
        if let Some(bytes) = hierarchical_limit.filter(|&bytes| smallest_limit.is_none_or(|visible| bytes < visible))
            && let Some(top) = self.levels.last_mut()
        {
            // Each level is read once per reading, because the confirmation counts readings.
            if last_read < topmost
                && let Some((snapshot, is_confirmed)) = top.snapshot(&mut buffer)?
            {
                used = snapshot.used(figure, is_confirmed);
            }
            let name = format!("memory.limit_in_bytes of a group above {}", top.path()).into();
            take_worse(&mut worst, limited(used, &NamedLimit { bytes, name }, machine));
        }
        worst.ok_or_else(|| {
            let why = "the group of this process no longer has the memory controller";
            unreadable(Path::new("/proc/self/cgroup"), io::Error::new(io::ErrorKind::NotFound, why))
        })
    }
}

/// A level with its limit, capped at the memory of the machine.
fn limited(used: u64, limit: &NamedLimit, machine: u64) -> MemoryReading {
    let reading = MemoryReading::from(MemorySample { used, limit: Some(limit.bytes.min(machine)) });
    if limit.bytes <= machine {
        return reading.at_level(limit.name.clone());
    }
    reading.at_level(format!("MemTotal, below {}", limit.name))
}

fn take_worse(worst: &mut Option<MemoryReading>, reading: MemoryReading) {
    if worst.as_ref().is_none_or(|worst| is_worse(reading.sample, worst.sample)) {
        *worst = Some(reading);
    }
}
