//! A store that keeps the last state in memory and fails on demand.

use std::io;

use async_trait::async_trait;

use crate::dispatch::durable::{DurableState, StateStore};
use crate::sync::{Mutex, lock};

/// A store that keeps the last state. It outlives the world in which it was used, as a disk outlives a process.
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    last: Option<DurableState>,
    saves: u64,
    failing: Option<io::ErrorKind>,
}

impl MemoryStore {
    /// Returns the last saved state.
    pub fn last(&self) -> Option<DurableState> {
        lock(&self.state).last.clone()
    }

    /// Number of attempts to save.
    pub fn saves(&self) -> u64 {
        lock(&self.state).saves
    }

    /// Lets every save fail with this error from now on, e.g. [`io::ErrorKind::StorageFull`]; `None` ends that.
    pub fn set_failing(&self, error: Option<io::ErrorKind>) {
        lock(&self.state).failing = error;
    }
}

#[async_trait]
impl StateStore for MemoryStore {
    async fn save(&self, state: &DurableState) -> io::Result<()> {
        let mut kept = lock(&self.state);
        kept.saves += 1;
        if let Some(error) = kept.failing {
            return Err(error.into());
        }
        kept.last = Some(state.clone());
        Ok(())
    }
}
