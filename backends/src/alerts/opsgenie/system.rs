//! The process and its machine, as shown in an alert.

use std::thread::available_parallelism;

/// The process and its machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct System {
    pub(super) process_id: u32,
    pub(super) cpus: Option<usize>,
    pub(super) resident_bytes: Option<u64>,
}

impl System {
    /// Returns the current state. Reads a small file.
    pub(super) fn now() -> Self {
        Self {
            process_id: std::process::id(),
            cpus: available_parallelism().ok().map(Into::into),
            resident_bytes: resident_bytes(),
        }
    }
}

#[cfg(any(feature = "cgroup", feature = "sysinfo"))]
fn resident_bytes() -> Option<u64> {
    crate::memory::ResidentMemory::new().bytes()
}

/// Without a memory source this is not read.
#[cfg(not(any(feature = "cgroup", feature = "sysinfo")))]
const fn resident_bytes() -> Option<u64> {
    None
}

/// The host name of the machine; empty if unknown.
pub(crate) fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
