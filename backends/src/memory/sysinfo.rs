//! The whole machine's memory.

use std::io;
use std::sync::{Mutex, PoisonError};

use ::sysinfo::{MemoryRefreshKind, System};
use tripline_runtime::core::MemorySample;
use tripline_runtime::{MemoryError, MemorySource};

/// The machine's memory: used is the total minus what is available to new programs without swapping, the limit is the
/// total.
///
/// It sees what all programs of the machine use together, and no limit of a container: there `cgroup` is
/// the better source. One reading costs one read of `/proc/meminfo` on Linux.
#[derive(Debug)]
pub struct Sysinfo {
    system: Mutex<System>,
}

impl Sysinfo {
    /// Opens the source and tries it once.
    ///
    /// # Errors
    /// [`MemoryError`] where the system does not tell its memory.
    pub fn new() -> Result<Self, MemoryError> {
        let system = System::new().map_err(|error| unreadable(error.to_string()))?;
        let source = Self { system: Mutex::new(system) };
        source.sample()?;
        Ok(source)
    }
}

impl MemorySource for Sysinfo {
    fn name(&self) -> &'static str {
        "sysinfo"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        let mut system = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
        match system.total_memory() {
            0 => Err(unreadable("the system does not tell how much there is".to_owned())),
            total => Ok(MemorySample { used: total.saturating_sub(system.available_memory()), limit: Some(total) }),
        }
    }
}

fn unreadable(why: String) -> MemoryError {
    MemoryError::Unreadable { what: "the machine's memory".to_owned(), error: io::Error::other(why) }
}
