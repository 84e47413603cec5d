//! Totals since the breaker was created.

use crate::outcome::Outcome;
use crate::state::TripReason;

/// A total. It wraps at 2^32 on targets with 32-bit pointers, at 2^64 elsewhere.
#[cfg(target_pointer_width = "64")]
pub type Counter = u64;
/// A total. It wraps at 2^32 on targets with 32-bit pointers, at 2^64 elsewhere.
#[cfg(not(target_pointer_width = "64"))]
pub type Counter = u32;

/// Totals since the breaker was created. They wrap; trips and false trips at 2^32 on every target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Counts {
    /// Results that were good.
    pub ok: Counter,
    /// Results that failed.
    pub failed: Counter,
    /// Ignored results.
    pub ignored: Counter,
    /// Results slower than the threshold, those of an earlier generation included.
    pub slow: Counter,
    /// Results of an earlier generation.
    pub stale: Counter,
    /// Calls abandoned without a result.
    pub dropped: Counter,
    /// Trips on evidence whose first probes were all good; wraps at 2^32.
    pub false_trips: u32,
    trips: [u32; TripReason::ALL.len()],
}

impl Counts {
    /// Returns how often the breaker opened for `reason`.
    pub fn trips(&self, reason: TripReason) -> u32 {
        self.trips.get(slot(reason)).copied().unwrap_or(0)
    }

    pub(crate) fn tripped(&mut self, reason: TripReason) {
        if let Some(count) = self.trips.get_mut(slot(reason)) {
            *count = count.wrapping_add(1);
        }
    }

    pub(crate) fn finished(&mut self, outcome: Outcome) {
        let count = match outcome {
            Outcome::Ok => &mut self.ok,
            Outcome::Failed => &mut self.failed,
            Outcome::Ignored => &mut self.ignored,
        };
        *count = count.wrapping_add(1);
    }
}

fn slot(reason: TripReason) -> usize {
    TripReason::ALL.iter().position(|&r| r == reason).unwrap_or(0)
}
