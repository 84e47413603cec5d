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

/// The memory of this process's control group: version 2, version 1, or version 1 with version 2 mounted beside it.
///
/// Each level with a limit, from the group itself up to the mount point, is evaluated by its own usage: `memory.max`,
/// `memory.high` and `memory.limit_in_bytes`, capped at the memory of the machine. The sample is that of the level
/// which uses the largest share of its limit; the reading names it. [`MemoryUsed`] selects what counts as used. If no
/// level has a limit, neither has the sample, and the breaker treats memory as unknown; use
/// [`Sysinfo`](super::MemorySourceKind::Sysinfo) or [`Auto`](super::MemorySourceKind::Auto) there.
///
/// Limits and the name of the group are read with every sample, because they can change while the process runs. When
/// the process is moved, or a file becomes unreadable, the source searches for its group again.
///
/// # Cost
/// One open descriptor and one `pread` per file and sample: two files of the process, one or two of each level, and
/// four more of each level with a limit; tens of microseconds in total. With version 2 the kernel may have to add up
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
    /// [`MemoryError`] if there are no control groups (systems other than Linux), if none with the memory controller is
    /// visible, or if its files cannot be read. The root of version 2 has no files to read, which is an error too.
    pub fn discover() -> Result<Self, MemoryError> {
        if cfg!(target_os = "linux") {
            return Self::discover_at(Path::new("/"));
        }
        let error = io::Error::new(io::ErrorKind::Unsupported, "only Linux has control groups");
        Err(MemoryError::Unreadable { what: "memory source cgroup".to_owned(), error })
    }

    /// Finds the group of this process with all files (`/proc/self/cgroup`, `/proc/self/mountinfo`, `/proc/meminfo`,
    /// and those of the mounts) below `root`: for tests, and for a machine whose `/` is mounted elsewhere.
    ///
    /// # Errors
    /// As [`discover`](Self::discover).
    pub fn discover_at(root: &Path) -> Result<Self, MemoryError> {
        let mut group = Group::open(root)?;
        let figure = MemoryUsed::default();
        group.read(figure)?;
        Ok(Self { root: root.to_owned(), figure, group: Mutex::new(group) })
    }

    /// Selects what counts as used. Default: [`MemoryUsed::Unreclaimable`].
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
