//! Memory readings set by the caller, for tests.

use std::io;

use tripline_core::MemorySample;

use crate::memory::{MemoryError, MemoryReading, MemorySource};
use crate::sync::{Arc, Mutex, lock};

/// Memory readings set by the caller. At first half of the limit is used. Clones share one state.
///
/// ```
/// use tripline_runtime::{MemorySource, MockMemory};
///
/// let memory = MockMemory::default();
/// assert_eq!(memory.sample()?.ratio(), Some(0.5));
/// memory.clone().set_percent(90);
/// assert!(memory.sample()?.ratio() >= Some(0.9));
/// # Ok::<(), tripline_runtime::MemoryError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MockMemory {
    sample: Arc<Mutex<Option<MemorySample>>>,
    level: Arc<Mutex<Option<Arc<str>>>>,
}

/// 1 GiB.
const DEFAULT_LIMIT: u64 = 1 << 30;

impl MockMemory {
    /// Creates readings with half of `limit`, in bytes, in use.
    pub fn with_limit(limit: u64) -> Self {
        let sample = MemorySample { used: limit / 2, limit: Some(limit) };
        Self { sample: Arc::new(Mutex::new(Some(sample))), level: Arc::default() }
    }

    /// Sets the level of the next readings, e.g. `"memory.max of /pod"`; `None` at first.
    pub fn set_level(&self, level: Option<&str>) {
        *lock(&self.level) = level.map(Arc::from);
    }

    /// Sets the next readings; `None` = they fail.
    pub fn set(&self, sample: Option<MemorySample>) {
        *lock(&self.sample) = sample;
    }

    /// Sets the next readings to `percent` of the limit, rounded up to bytes; of 1 GiB if there is no limit.
    pub fn set_percent(&self, percent: u64) {
        let mut sample = lock(&self.sample);
        let limit = sample.and_then(|sample| sample.limit).unwrap_or(DEFAULT_LIMIT);
        let used = (u128::from(limit) * u128::from(percent)).div_ceil(100);
        *sample = Some(MemorySample { used: u64::try_from(used).unwrap_or(u64::MAX), limit: Some(limit) });
    }
}

impl Default for MockMemory {
    /// Half of 1 GiB is in use.
    fn default() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }
}

impl MemorySource for MockMemory {
    fn name(&self) -> &'static str {
        "mock"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        lock(&self.sample).ok_or_else(|| MemoryError::Unreadable {
            what: "mock memory".to_owned(),
            error: io::Error::other("set to fail"),
        })
    }

    fn read(&self) -> Result<MemoryReading, MemoryError> {
        Ok(MemoryReading { level: lock(&self.level).clone(), ..self.sample()?.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_percentage_is_never_read_as_less() {
        let memory = MockMemory::with_limit(7);
        assert_eq!(memory.sample().unwrap(), MemorySample { used: 3, limit: Some(7) });
        memory.set_percent(80);
        assert_eq!(memory.sample().unwrap().used, 6);
        memory.set(None);
        assert!(memory.sample().is_err());
        memory.set_percent(u64::MAX);
        assert_eq!(memory.sample().unwrap(), MemorySample { used: u64::MAX, limit: Some(DEFAULT_LIMIT) });
    }
}
