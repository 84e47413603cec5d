//! What has been counted since the breaker was made.

use crate::outcome::Outcome;
use crate::state::TripReason;

/// A total. On targets with 32-bit pointers it wraps at 2^32, else at 2^64.
#[cfg(target_pointer_width = "64")]
pub type Counter = u64;
/// A total. On targets with 32-bit pointers it wraps at 2^32, else at 2^64.
#[cfg(not(target_pointer_width = "64"))]
pub type Counter = u32;

/// Totals since the breaker was made; they wrap (trips and false trips at 2^32 everywhere).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Counts {
    /// Results that came back well.
    pub ok: Counter,
    /// Results that failed.
    pub failed: Counter,
    /// Results that were to be ignored.
    pub ignored: Counter,
    /// Results that took longer than the threshold, those of an earlier generation too.
    pub slow: Counter,
    /// Results of an earlier generation.
    pub stale: Counter,
    /// Calls given up without a result.
    pub dropped: Counter,
    /// Trips that their first probes contradicted, of those that asked for evidence; wraps at 2^32.
    pub false_trips: u32,
    trips: [u32; TripReason::ALL.len()],
}

impl Counts {
    /// How often the breaker opened for this reason.
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
