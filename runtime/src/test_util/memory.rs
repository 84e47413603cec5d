//! Memory that is what you say it is.

use tripline_core::MemorySample;

use crate::memory::{MemoryError, MemorySource};
use crate::sync::{Mutex, lock};

/// Memory that is what you say it is; it starts at half of its limit.
#[derive(Debug)]
pub struct MockMemory {
    sample: Mutex<Option<MemorySample>>,
}

impl MockMemory {
    /// Half used, of `limit` bytes.
    pub fn new(limit: u64) -> Self {
        Self { sample: Mutex::new(Some(MemorySample { used: limit / 2, limit: Some(limit) })) }
    }

    /// What the next readings are; `None` = the source fails.
    pub fn set(&self, sample: Option<MemorySample>) {
        *lock(&self.sample) = sample;
    }

    /// The next readings are `percent` of 1 GiB.
    pub fn set_percent(&self, percent: u64) {
        let limit = 1 << 30;
        self.set(Some(MemorySample { used: limit / 100 * percent, limit: Some(limit) }));
    }
}

impl Default for MockMemory {
    fn default() -> Self {
        Self::new(1 << 30)
    }
}

impl MemorySource for MockMemory {
    fn name(&self) -> &'static str {
        "mock"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        lock(&self.sample).ok_or_else(|| MemoryError::Unreadable {
            what: "mock memory".to_owned(),
            error: std::io::Error::other("told to fail"),
        })
    }
}
