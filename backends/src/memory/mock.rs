//! Memory that is whatever it was set to.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tripline_runtime::core::MemorySample;
use tripline_runtime::{MemoryError, MemorySource};

/// A memory source that can be set while it is in use. It starts half full, with a limit of 1 GiB.
///
/// Clones share one state: keep one to set, hand the other to the breaker.
///
/// ```
/// use tripline_backends::memory::MockMemory;
/// use tripline_runtime::MemorySource;
///
/// let memory = MockMemory::new();
/// assert_eq!(memory.sample()?.ratio(), Some(0.5));
/// memory.set_ratio(0.9);
/// assert!(memory.clone().sample()?.ratio() > Some(0.89));
/// # Ok::<(), tripline_runtime::MemoryError>(())
/// ```
#[derive(Debug, Clone)]
pub struct MockMemory {
    state: Arc<Mutex<State>>,
}

/// Under one lock, so that a reading never shows the use of one moment beside the limit of another.
#[derive(Debug)]
struct State {
    sample: MemorySample,
    failing: bool,
}

impl MockMemory {
    /// The limit at the start, in bytes: 1 GiB.
    pub const DEFAULT_LIMIT: u64 = 1 << 30;

    /// Half of [`DEFAULT_LIMIT`](Self::DEFAULT_LIMIT) is used.
    pub fn new() -> Self {
        Self::with_limit(Self::DEFAULT_LIMIT)
    }

    /// Half of `limit`, in bytes, is used.
    pub fn with_limit(limit: u64) -> Self {
        let sample = MemorySample { used: limit / 2, limit: Some(limit) };
        Self { state: Arc::new(Mutex::new(State { sample, failing: false })) }
    }

    /// Sets the bytes in use. More than the limit is allowed.
    pub fn set_used(&self, used: u64) {
        self.state().sample.used = used;
    }

    /// Sets the limit in bytes, or takes it away with `None`. The bytes in use stay as they are.
    pub fn set_limit(&self, limit: impl Into<Option<u64>>) {
        self.state().sample.limit = limit.into();
    }

    /// Sets the bytes in use to this share of the limit, rounded up, so that `set_ratio(r)` is never read as less than
    /// `r`. What is negative or not a number counts as 0. Without a limit nothing changes.
    pub fn set_ratio(&self, ratio: f64) {
        let mut state = self.state();
        if let Some(limit) = state.sample.limit {
            // The cast saturates, and makes a number that is none a 0.
            state.sample.used = (ratio * limit as f64).ceil() as u64;
        }
    }

    /// From now on every reading fails (`true`), or succeeds again (`false`).
    pub fn fail(&self, failing: bool) {
        self.state().failing = failing;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while it holds the lock, and every state is a valid one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MockMemory {
    fn default() -> Self {
        Self::new()
    }
}

impl MemorySource for MockMemory {
    fn name(&self) -> &'static str {
        "mock"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        let state = self.state();
        if state.failing {
            let error = io::Error::other("set to fail");
            return Err(MemoryError::Unreadable { what: "mock memory".to_owned(), error });
        }
        Ok(state.sample)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn starts_at_half_of_one_gibibyte() {
        assert_eq!(MockMemory::new().sample().unwrap(), MemorySample { used: 1 << 29, limit: Some(1 << 30) });
        assert_eq!(MockMemory::with_limit(7).sample().unwrap(), MemorySample { used: 3, limit: Some(7) });
    }

    #[test]
    fn a_clone_sees_what_is_set() {
        let memory = MockMemory::new();
        let source = memory.clone();
        memory.set_used(900);
        memory.set_limit(1000);
        assert_eq!(source.sample().unwrap(), MemorySample { used: 900, limit: Some(1000) });
        memory.set_ratio(0.25);
        assert_eq!(source.sample().unwrap().used, 250);
        memory.set_limit(None);
        memory.set_ratio(0.5);
        assert_eq!(source.sample().unwrap(), MemorySample { used: 250, limit: None });
    }

    #[test]
    fn a_ratio_that_is_no_share_is_bounded() {
        let memory = MockMemory::with_limit(100);
        for (ratio, used) in [(f64::NAN, 0), (-1.0, 0), (f64::INFINITY, u64::MAX), (1.5, 150), (0.801, 81)] {
            memory.set_ratio(ratio);
            assert_eq!(memory.sample().unwrap().used, used, "at {ratio}");
        }
    }

    #[test]
    fn fails_only_while_told_to() {
        let memory = MockMemory::new();
        memory.fail(true);
        assert!(matches!(memory.sample(), Err(MemoryError::Unreadable { .. })));
        memory.fail(false);
        assert!(memory.sample().is_ok());
    }
}
