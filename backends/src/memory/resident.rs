//! How much memory this process itself has.

use std::sync::Mutex;

use tripline_runtime::MemoryError;

use super::parse::kib_line;
use super::reread::{BUFFER_LEN, Reread};

/// The resident memory of this process: the part of its memory that is in RAM, shared pages included.
///
/// It is shown beside a source's reading and decides nothing. Linux only.
#[derive(Debug)]
pub struct ResidentMemory {
    status: Mutex<Option<Reread>>,
}

impl ResidentMemory {
    /// Opens the figure; where there is none, [`bytes`](Self::bytes) is always `None`.
    pub fn new() -> Self {
        let status = if cfg!(target_os = "linux") { Reread::open("/proc/self/status".into()).ok() } else { None };
        Self { status: Mutex::new(status) }
    }

    /// Resident memory now, in bytes; `None` where the system does not tell. Costs one read of a small file.
    ///
    /// The kernel counts in batches per thread, so that it may be some hundred KiB off.
    pub fn bytes(&self) -> Option<u64> {
        let status = self.status.lock().ok()?;
        Self::read(status.as_ref()?).ok()
    }

    fn read(status: &Reread) -> Result<u64, MemoryError> {
        status.parse(&mut [0; BUFFER_LEN], "a line \"VmRSS: <number> kB\"", |text| kib_line(text, "VmRSS"))
    }
}

impl Default for ResidentMemory {
    fn default() -> Self {
        Self::new()
    }
}
