//! The open files of one level of the hierarchy.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tripline_runtime::MemoryError;

use super::super::kernel_file::KernelFile;
use super::super::parse::number;
use super::super::pressure::Confirmation;
use super::figures::{Limit, Snapshot, Stat};
use super::tables::Version;

/// A group: that of the process or one above it.
#[derive(Debug)]
pub(super) struct Level {
    version: Version,
    folder: PathBuf,
    /// The path of the group, for people.
    path: String,
    limits: Vec<LimitFile>,
    /// Opened when the level first has a limit; `None` if the group does not count its usage.
    counters: Option<Counters>,
}

/// A limit of a level.
#[derive(Debug)]
struct LimitFile {
    file: KernelFile,
    name: Arc<str>,
}

/// The limit of a level that is currently in force.
#[derive(Debug, Clone)]
pub(super) struct NamedLimit {
    pub(super) bytes: u64,
    /// For people, e.g. `memory.max of /pod`.
    pub(super) name: Arc<str>,
}

#[derive(Debug)]
struct Counters {
    usage: KernelFile,
    stat: KernelFile,
    confirmation: Confirmation,
}

impl Level {
    pub(super) fn open(version: Version, folder: &Path, path: String) -> Result<Self, MemoryError> {
        let mut limits = Vec::new();
        for &name in limit_names(version) {
            // The topmost group of version 2 has no such files, which means no limit.
            if let Some(file) = KernelFile::open_if_there(folder.join(name))? {
                limits.push(LimitFile { file, name: format!("{name} of {path}").into() });
            }
        }
        Ok(Self { version, folder: folder.to_owned(), path, limits, counters: None })
    }

    /// Whether the group counts its memory, i.e. has the memory controller.
    pub(super) fn has_usage(&mut self) -> Result<bool, MemoryError> {
        if self.counters.is_none() {
            self.counters = Counters::open(self.version, &self.folder)?;
        }
        Ok(self.counters.is_some())
    }

    /// The path of the group, for people.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// The smallest current limit of the level; `None` without one.
    pub(super) fn limit(&self, buffer: &mut [u8]) -> Result<Option<NamedLimit>, MemoryError> {
        let mut smallest: Option<NamedLimit> = None;
        for LimitFile { file, name } in &self.limits {
            let limit = file.parse(buffer, Limit::expected(self.version), |text| Limit::parse(self.version, text))?;
            if let Some(bytes) =
                limit.bytes().filter(|&bytes| smallest.as_ref().is_none_or(|limit| bytes < limit.bytes))
            {
                smallest = Some(NamedLimit { bytes, name: name.clone() });
            }
        }
        Ok(smallest)
    }

    /// The current memory of the level, and whether the kernel confirms a shortage there; `None` if the group does not
    /// count its memory.
    pub(super) fn snapshot(&mut self, buffer: &mut [u8]) -> Result<Option<(Snapshot, bool)>, MemoryError> {
        if !self.has_usage()? {
            return Ok(None);
        }
        let Some(counters) = &mut self.counters else { return Ok(None) };
        let usage = counters.usage.parse(buffer, "a number of bytes", number)?;
        let parse = |text: &[u8]| Stat::parse(self.version, text);
        let stat = counters.stat.parse(buffer, Stat::expected(self.version), parse)?;
        Ok(Some((Snapshot { usage, stat }, counters.confirmation.read(buffer))))
    }
}

impl Counters {
    fn open(version: Version, folder: &Path) -> Result<Option<Self>, MemoryError> {
        let names = Names::of(version);
        let Some(usage) = KernelFile::open_if_there(folder.join(names.usage))? else { return Ok(None) };
        let stat = KernelFile::open(folder.join("memory.stat"))?;
        let pressure = names.pressure.map(|name| folder.join(name));
        let confirmation = Confirmation::open(pressure, Some(folder.join(names.events)));
        Ok(Some(Self { usage, stat, confirmation }))
    }
}

/// The limit files of a group. `memory.soft_limit_in_bytes` of version 1 is not one: the kernel does not throttle
/// there.
const fn limit_names(version: Version) -> &'static [&'static str] {
    match version {
        Version::V1 => &["memory.limit_in_bytes"],
        Version::V2 => &["memory.max", "memory.high"],
    }
}

/// The names of a group's files.
struct Names {
    usage: &'static str,
    events: &'static str,
    /// Version 1 has no such file per group.
    pressure: Option<&'static str>,
}

impl Names {
    const fn of(version: Version) -> Self {
        match version {
            Version::V1 => Self { usage: "memory.usage_in_bytes", events: "memory.oom_control", pressure: None },
            Version::V2 => Self { usage: "memory.current", events: "memory.events", pressure: Some("memory.pressure") },
        }
    }
}
