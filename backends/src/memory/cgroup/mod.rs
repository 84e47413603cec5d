//! The memory of this process's control group.

mod figures;
mod group;
mod level;
mod location;
mod tables;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tripline_runtime::core::MemorySample;
use tripline_runtime::{MemoryError, MemoryReading, MemorySource};

use self::group::Group;
use super::MemoryUsed;

/// The memory of the control group this process is in: version 2, version 1, or version 1 with version 2 mounted beside
/// it.
///
/// Each level that has a limit, from the group itself up to the mount point, is judged by its own usage: `memory.max`,
/// `memory.high` and `memory.limit_in_bytes`, never more than the machine's memory. The sample is that of the level of
/// which the largest share is used, and the reading names it. [`MemoryUsed`] says what counts as used. Where no level
/// has a limit the sample has none, and the breaker treats memory as unknown:
/// [`Sysinfo`](super::MemorySourceKind::Sysinfo) or [`Auto`](super::MemorySourceKind::Auto) suit such a place.
///
/// Limits are read with every sample, as they can change while the process runs; so is the group's name. When the
/// process was moved, or a file becomes unreadable, the source looks for its group again.
///
/// # Cost
/// One open descriptor and one `pread` per file and sample: two files of the process, one or two of each level, and
/// four more of each level with a limit; tens of microseconds together. With version 2 the kernel may have to add up
/// its counters for `memory.stat`, which takes longer on machines with many processors.
#[derive(Debug)]
pub struct Cgroup {
    root: PathBuf,
    figure: MemoryUsed,
    group: Mutex<Group>,
}

impl Cgroup {
    /// Finds the group of this process.
    ///
    /// # Errors
    /// [`MemoryError`] where there are no control groups (systems other than Linux), where none with the memory
    /// controller is visible, or where its files cannot be read. The root of version 2 has no files to read: that is
    /// an error too.
    pub fn discover() -> Result<Self, MemoryError> {
        if cfg!(target_os = "linux") {
            return Self::discover_at(Path::new("/"));
        }
        let error = io::Error::new(io::ErrorKind::Unsupported, "only Linux has control groups");
        Err(MemoryError::Unreadable { what: "memory source cgroup".to_owned(), error })
    }

    /// The same with all files (`/proc/self/cgroup`, `/proc/self/mountinfo`, `/proc/meminfo`, and whatever the mounts
    /// name) looked for below `root`: for tests, and for a machine's `/` that is mounted elsewhere.
    ///
    /// # Errors
    /// As [`discover`](Self::discover).
    pub fn discover_at(root: &Path) -> Result<Self, MemoryError> {
        let mut group = Group::open(root)?;
        let figure = MemoryUsed::default();
        group.read(figure)?;
        Ok(Self { root: root.to_owned(), figure, group: Mutex::new(group) })
    }

    /// Sets what counts as used; [`MemoryUsed::Unreclaimable`] otherwise.
    #[must_use]
    pub fn counting(self, figure: MemoryUsed) -> Self {
        Self { figure, ..self }
    }
}

impl MemorySource for Cgroup {
    fn name(&self) -> &'static str {
        "cgroup"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        self.read().map(|reading| reading.sample)
    }

    fn read(&self) -> Result<MemoryReading, MemoryError> {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        if group.is_current()
            && let Ok(reading) = group.read(self.figure)
        {
            return Ok(reading);
        }
        *group = Group::open(&self.root)?;
        group.read(self.figure)
    }
}
