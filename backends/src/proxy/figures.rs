//! Figures of the data plane, for the metrics.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::flag::Flag;

/// Counters of the data plane. Every access is relaxed: they are statistics and order nothing.
#[derive(Debug, Default)]
pub(super) struct Figures {
    by_flag: [AtomicU64; Flag::ALL.len()],
    /// Connections of clients.
    pub(super) connections: AtomicUsize,
}

impl Figures {
    /// A request with this flag is over.
    pub(super) fn count(&self, flag: Flag) {
        if let Some(counter) = self.by_flag.get(flag as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Requests that are over, by flag.
    pub(super) fn requests(&self, flag: Flag) -> u64 {
        self.by_flag.get(flag as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}
