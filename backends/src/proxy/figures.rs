//! Counters of the data plane, for the metrics.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::flag::Flag;

/// Counters of the data plane. All access is Relaxed, because they are independent statistics.
#[derive(Debug, Default)]
pub(super) struct Figures {
    by_flag: [AtomicU64; Flag::ALL.len()],
    /// Connections of clients.
    pub(super) connections: AtomicUsize,
}

impl Figures {
    /// Counts a finished request with this flag.
    pub(super) fn count(&self, flag: Flag) {
        if let Some(counter) = self.by_flag.get(flag as usize) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Number of finished requests with this flag.
    pub(super) fn requests(&self, flag: Flag) -> u64 {
        self.by_flag.get(flag as usize).map_or(0, |counter| counter.load(Ordering::Relaxed))
    }
}
