//! The figures of one breaker at one moment.

use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::core::{
    Counts, Latency, MemorySample, MemoryState, MemoryThreshold, RejectionReason, State, StateKind, TripAfter,
    TripEvidence, TripReason,
};
use tripline_runtime::{Breaker, BreakerName, LatencyHistogram, Mode};

pub(super) struct Reading {
    pub(super) name: BreakerName,
    pub(super) state: StateKind,
    pub(super) counts: Counts,
    pub(super) mode: Mode,
    pub(super) rejected: Vec<(RejectionReason, u64)>,
    pub(super) would_reject: Vec<(RejectionReason, u64)>,
    pub(super) reports_dropped: u64,
    /// Admitted probes, and how many of them were good; both 0 unless half-open.
    pub(super) probes: (u16, u16),
    /// `None` if no histogram is kept.
    pub(super) durations: Option<LatencyHistogram>,
    pub(super) percentile: Option<Latency>,
    pub(super) threshold: Latency,
    pub(super) samples: u16,
    pub(super) memory_state: MemoryState,
    pub(super) memory_threshold: MemoryThreshold,
    pub(super) memory: Option<MemorySample>,
    /// `None` if the source does not name a level.
    pub(super) memory_level: Option<Arc<str>>,
    /// `None` if exhaustion is not forecast.
    pub(super) memory_exhausted_in: Option<Duration>,
    /// `None` if calls in flight are not tracked.
    pub(super) in_flight: Option<usize>,
    pub(super) stalled: Option<u16>,
    pub(super) supervised: bool,
    pub(super) evidence: TripEvidence,
    pub(super) trip_after: TripAfter,
    pub(super) warm_up: Duration,
    pub(super) trip_confidence: f64,
    pub(super) failure_threshold: f64,
}

impl Reading {
    pub(super) fn take(breaker: &Breaker) -> Self {
        let tracked = breaker.detects_stalls();
        let (durations, in_flight) = (breaker.latency_histogram(), tracked.then(|| breaker.in_flight()));
        let memory_level = breaker.memory_level();
        let memory_exhausted_in = breaker.memory_exhausted_in();
        breaker.read(|core| Self {
            name: breaker.name().clone(),
            state: core.state().kind(),
            counts: *core.counts(),
            mode: breaker.mode(),
            rejected: by_reason(|reason| breaker.rejected_for(reason)),
            would_reject: by_reason(|reason| breaker.would_reject_for(reason)),
            reports_dropped: breaker.reports_dropped(),
            probes: probes(core.state()),
            durations,
            percentile: core.percentile(),
            threshold: core.policy().latency_threshold,
            samples: core.samples(),
            memory_state: core.memory_state(),
            memory_threshold: core.policy().memory_threshold,
            memory: core.memory_sample(),
            memory_level,
            memory_exhausted_in,
            in_flight,
            stalled: tracked.then(|| core.stalled()),
            supervised: breaker.is_supervised(),
            evidence: core.evidence(),
            trip_after: core.policy().trip_after,
            warm_up: core.policy().warm_up,
            trip_confidence: core.policy().trip_confidence.get(),
            failure_threshold: core.policy().failure_rate_threshold.get(),
        })
    }
}

fn by_reason(count: impl Fn(RejectionReason) -> u64) -> Vec<(RejectionReason, u64)> {
    let open = TripReason::ALL.into_iter().map(RejectionReason::Open);
    let reasons = open.chain([RejectionReason::Probing, RejectionReason::ForcedOpen]);
    reasons.map(|reason| (reason, count(reason))).collect()
}

fn probes(state: State) -> (u16, u16) {
    match state {
        State::HalfOpen { admitted, good } => (admitted, good),
        _ => (0, 0),
    }
}

pub(super) fn seconds(latency: Latency) -> f64 {
    f64::from(latency.as_micros()) / 1e6
}
