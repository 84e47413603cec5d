//! The memory of this process's control group.

mod group;
mod location;
mod tables;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tripline_runtime::core::MemorySample;
use tripline_runtime::{MemoryError, MemorySource};

use self::group::Group;

/// The memory of the control group this process is in: version 2, version 1, or version 1 with version 2 mounted beside
/// it.
///
/// Used is the working set: the group's usage without the file pages that it did not use lately, which the kernel takes
/// back before anything else. The limit is the smallest of the group's own hard limit and those of all groups above it
/// that can be seen, and never more than the machine's memory. Where none of them has a limit the sample has none, and
/// the breaker treats memory as unknown: [`Sysinfo`](super::MemorySourceKind::Sysinfo) or
/// [`Auto`](super::MemorySourceKind::Auto) suit such a place.
///
/// Limits are read anew with every sample, as they can change while the process runs; so is the group's name, and when
/// the process was moved, or a file cannot be read any more, the source looks for its group again.
///
/// # Cost
/// One open descriptor and one `pread` per file and sample: four, and one for each group from its own up; tens of
/// microseconds together. With version 2 the kernel may have to add up its counters for `memory.stat`, which takes
/// longer on machines with many processors.
#[derive(Debug)]
pub struct Cgroup {
    root: PathBuf,
    group: Mutex<Group>,
}

impl Cgroup {
    /// Finds the group of this process.
    ///
    /// # Errors
    /// [`MemoryError`] where there are no control groups (systems other than Linux), where none with the memory
    /// controller can be seen, or where its files cannot be read. At the root of version 2 there is nothing to read:
    /// that is an error too.
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
        let group = Group::open(root)?;
        group.sample()?;
        Ok(Self { root: root.to_owned(), group: Mutex::new(group) })
    }
}

impl MemorySource for Cgroup {
    fn name(&self) -> &'static str {
        "cgroup"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        let mut group = self.group.lock().unwrap_or_else(PoisonError::into_inner);
        if group.is_current()
            && let Ok(sample) = group.sample()
        {
            return Ok(sample);
        }
        *group = Group::open(&self.root)?;
        group.sample()
    }
}
