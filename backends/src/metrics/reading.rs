//! The figures of one breaker at one moment.

use tripline_runtime::core::{Counts, Latency, MemorySample, MemoryState, StateKind};
use tripline_runtime::{Breaker, BreakerName};

pub(super) struct Reading {
    pub(super) name: BreakerName,
    pub(super) state: StateKind,
    pub(super) counts: Counts,
    pub(super) refused: u64,
    pub(super) reports_dropped: u64,
    pub(super) percentile: Option<Latency>,
    pub(super) threshold: Latency,
    pub(super) samples: u16,
    pub(super) memory_state: MemoryState,
    pub(super) memory: Option<MemorySample>,
    /// `None` where calls in flight are not tracked.
    pub(super) in_flight: Option<usize>,
    pub(super) stalled: Option<u16>,
    pub(super) supervised: bool,
}

impl Reading {
    pub(super) fn take(breaker: &Breaker) -> Self {
        let tracked = breaker.detects_stalls();
        let (refused, in_flight) = (breaker.refused(), tracked.then(|| breaker.in_flight()));
        breaker.read(|core| Self {
            name: breaker.name().clone(),
            state: core.state().kind(),
            counts: *core.counts(),
            refused,
            reports_dropped: breaker.reports_dropped(),
            percentile: core.percentile(),
            threshold: core.policy().latency_threshold,
            samples: core.samples(),
            memory_state: core.memory_state(),
            memory: core.memory_sample(),
            in_flight,
            stalled: tracked.then(|| core.stalled()),
            supervised: breaker.is_supervised(),
        })
    }
}
