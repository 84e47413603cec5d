//! The resident memory of this process.

use super::kernel_file::{BUFFER_LEN, KernelFile};
use super::parse::kib_line;

/// The resident memory of this process: the part of its memory that is in RAM, shared pages included.
///
/// It is shown beside the reading of a source and has no effect on decisions. Linux only.
#[derive(Debug)]
pub struct ResidentMemory {
    status: Option<KernelFile>,
}

impl ResidentMemory {
    /// Opens the file. If there is none, [`bytes`](Self::bytes) always returns `None`.
    pub fn new() -> Self {
        let status = if cfg!(target_os = "linux") { KernelFile::open("/proc/self/status".into()).ok() } else { None };
        Self { status }
    }

    /// The current resident memory, in bytes; `None` if the system does not report it. Costs one read of a small file.
    ///
    /// The kernel counts in batches per thread, so the value may be off by some hundred KiB.
    pub fn bytes(&self) -> Option<u64> {
        let expected = "a line \"VmRSS: <number> kB\"";
        self.status.as_ref()?.parse(&mut [0; BUFFER_LEN], expected, |text| kib_line(text, "VmRSS")).ok()
    }
}

impl Default for ResidentMemory {
    fn default() -> Self {
        Self::new()
    }
}
