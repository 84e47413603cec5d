//! The last trip, and the evidence that it was taken on.

use crate::evidence::{EvidenceTest, Tolerance};
use crate::state::TripReason;
use crate::time::Instant;

/// The last trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// Why.
    pub reason: TripReason,
    /// When, in the breaker's own time.
    pub at: Instant,
    /// Calls that hung then, and counted as slow ones; their latencies are not in the window.
    pub stalled: u16,
}

/// What was known when the breaker opened, or is known now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TripEvidence {
    /// The test with the evidence; `None` where no evidence was asked for or none was needed (memory, simulations), or while there
    /// is none.
    pub test: Option<EvidenceTest>,
    /// Calls that count: all samples of the window, and the calls that hang.
    pub calls: u16,
    /// Samples above the threshold, without the calls that hang.
    pub slow: u16,
    /// Failed samples, fast or slow.
    pub failed: u16,
    /// Calls in flight for longer than the threshold.
    pub stalled: u16,
    /// How old the evidence of the test is, in milliseconds; 0 without one.
    pub age_ms: u32,
    /// How old it must be; `None` where no evidence is asked for.
    pub tolerance: Option<Tolerance>,
}

impl TripEvidence {
    /// The share of failed calls; 0 where there are none.
    pub fn failure_rate(&self) -> f64 {
        f64::from(self.failed) / f64::from(self.calls.max(1))
    }
}
