//! The last trip and its evidence.

use crate::evidence::{EvidenceTest, Tolerance, ToleranceSource};
use crate::monotonic::MonotonicInstant;
use crate::state::TripReason;

/// The last trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// The reason.
    pub reason: TripReason,
    /// The instant, in the breaker's own time.
    pub at: MonotonicInstant,
    /// Calls that were stalled at the trip and counted as slow; their latencies are not in the window.
    pub stalled: u16,
}

/// The evidence at a trip, or at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TripEvidence {
    /// The test with the evidence; `None` if the policy asks for no evidence, if the trip needs none (memory,
    /// simulations), or if there is none at present.
    pub test: Option<EvidenceTest>,
    /// Calls that count: all samples of the window and the stalled calls.
    pub calls: u16,
    /// Samples above the threshold, without the stalled calls.
    pub slow: u16,
    /// Failed samples, fast or slow.
    pub failed: u16,
    /// Calls in flight for longer than the threshold.
    pub stalled: u16,
    /// Age of the test's evidence in milliseconds; 0 without a test.
    pub age_ms: u32,
    /// Required age of the evidence; `None` if the policy asks for no evidence.
    pub tolerance: Option<Tolerance>,
}

impl TripEvidence {
    /// Share of failed calls in `calls`, from 0 to 1; 0 without calls.
    pub fn failure_rate(&self) -> f64 {
        f64::from(self.failed) / f64::from(self.calls.max(1))
    }
}

/// The last trip and the last one from Closed, packed into few bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct TripLog {
    at: MonotonicInstant,
    age_ms: u32,
    tolerance_ms: u32,
    calls: u16,
    slow: u16,
    failed: u16,
    stalled_in_evidence: u16,
    stalled: u16,
    reason: Option<TripReason>,
    has_evidence: bool,
    test: Option<EvidenceTest>,
    source: Option<ToleranceSource>,
}

impl TripLog {
    pub(super) const EMPTY: Self = Self {
        at: MonotonicInstant::ZERO,
        age_ms: 0,
        tolerance_ms: 0,
        calls: 0,
        slow: 0,
        failed: 0,
        stalled_in_evidence: 0,
        stalled: 0,
        reason: None,
        has_evidence: false,
        test: None,
        source: None,
    };

    pub(super) const fn record(&mut self, trip: Trip) {
        (self.at, self.stalled, self.reason) = (trip.at, trip.stalled, Some(trip.reason));
    }

    pub(super) fn record_evidence(&mut self, evidence: TripEvidence) {
        self.has_evidence = true;
        self.age_ms = evidence.age_ms;
        (self.calls, self.slow, self.failed) = (evidence.calls, evidence.slow, evidence.failed);
        (self.stalled_in_evidence, self.test) = (evidence.stalled, evidence.test);
        self.tolerance_ms = evidence.tolerance.map_or(0, |tolerance| tolerance.millis);
        self.source = evidence.tolerance.map(|tolerance| tolerance.source);
    }

    pub(super) const fn reason(&self) -> Option<TripReason> {
        self.reason
    }

    pub(super) fn last(&self) -> Option<Trip> {
        self.reason.map(|reason| Trip { reason, at: self.at, stalled: self.stalled })
    }

    pub(super) fn evidence(&self) -> Option<TripEvidence> {
        self.has_evidence.then(|| TripEvidence {
            test: self.test,
            calls: self.calls,
            slow: self.slow,
            failed: self.failed,
            stalled: self.stalled_in_evidence,
            age_ms: self.age_ms,
            tolerance: self.source.map(|source| Tolerance { millis: self.tolerance_ms, source }),
        })
    }
}
