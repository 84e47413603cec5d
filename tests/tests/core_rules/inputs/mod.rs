//! Random policies and random inputs for a breaker.

use std::num::NonZeroU16;
use std::time::Duration;

use proptest::prelude::*;
use tripline_core::{
    Backoff, IncidentCause, Latency, MemorySample, MemoryThreshold, Outcome, Percentile, Policy, Ratio, TripReason,
};
use tripline_tests::setup::original_policy;

/// The capacity of the breakers.
pub(crate) const N: usize = 32;

/// One input. Times are whole milliseconds and ages x.5 ms: the core measures ages in steps of 131 µs, and so nothing is
/// ambiguous.
#[derive(Debug, Clone)]
pub(crate) enum Input {
    Admit,
    /// The call in flight with this number (modulo), `late_ms` after it really ended.
    Finish {
        which: usize,
        latency: Latency,
        outcome: Outcome,
        late_ms: u64,
    },
    /// Asks, and finishes what was admitted.
    Calls {
        count: u8,
        first_ms: u32,
        step_ms: i32,
        outcome: Outcome,
        spacing_ms: u64,
    },
    Drop(usize),
    Stalled {
        count: u16,
        which: usize,
    },
    Memory(Option<MemorySample>),
    /// Memory is forecast to run out, or no longer.
    Forecast(bool),
    Pass(u64),
    SetBack(u64),
    Time,
    Policy(Box<Policy>),
    Reset,
    Enable,
    Disable,
    ForceOpen,
    SimulateMemory,
    SimulateLatency,
    Undo,
    Resume(IncidentCause, Option<TripReason>),
}

const THRESHOLDS_MS: [u32; 3] = [1, 20, 100];

pub(crate) fn policies() -> impl Strategy<Value = Policy> {
    let latency = (
        prop::sample::select(&THRESHOLDS_MS[..]),
        prop_oneof![Just(0.5), Just(0.95), Just(0.99), Just(1.0), 0.01..1.0],
        1..=N as u16,
        prop::sample::select(vec![0_u64, 5, 50, 1_000, 60_000, 50_000_000]),
        prop_oneof![Just(None), Just(Some(1)), (0..40_u16).prop_map(Some)],
    );
    let rules = (any::<bool>(), 0..12_u16, prop_oneof![3 => Just(0.0), 1 => Just(0.14), 2 => 0.05..1.0]);
    let recovery = (
        prop::sample::select(vec![0_u64, 1, 100, 2_000]),
        prop_oneof![Just(1.0), Just(1.5), Just(2.0)],
        prop::sample::select(vec![0_u64, 500, 10_000]),
        0..6_u16,
        prop::sample::select(vec![0_u64, 20, 500, 60_000]),
    );
    let horizon = (any::<bool>(), any::<bool>());
    let memory = (0.05..0.95_f64, 0.0..1.0_f64, prop::bool::weighted(0.95), horizon);
    (latency, rules, recovery, memory).prop_map(|(latency, rules, recovery, memory)| {
        let mut policy = original_policy();
        policy.latency_threshold = Latency::from_millis(latency.0);
        policy.percentile = Percentile::new(latency.1).unwrap();
        policy.latency_window_size = NonZeroU16::new(latency.2).unwrap();
        policy.latency_max_age = Duration::from_micros(latency.3 * 1_000 + 500);
        policy.minimum_samples = latency.4;
        policy.trend_analysis = rules.0;
        policy.trend_minimum_samples = rules.1;
        policy.failure_rate_threshold = Ratio::new(rules.2).unwrap();
        policy.wait_time = Duration::from_millis(recovery.0);
        policy.wait_backoff = Backoff::new(recovery.1).unwrap();
        policy.max_wait_time = Duration::from_millis(recovery.2);
        policy.half_open_max_calls = recovery.3;
        policy.recovery_time = Duration::from_millis(recovery.4);
        policy.memory_threshold = MemoryThreshold::new(memory.0).unwrap();
        policy.memory_hysteresis = Ratio::new(memory.1).unwrap();
        policy.enabled = memory.2;
        policy.memory_horizon = Duration::from_secs(if memory.3.0 { 60 } else { 0 });
        policy.memory_horizon_trips = memory.3.1;
        policy.wait_jitter = Ratio::ZERO;
        policy
    })
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![6 => Just(Outcome::Ok), 3 => Just(Outcome::Failed), 1 => Just(Outcome::Ignored)]
}

/// Around the thresholds, on them, and at the ends of the range.
fn latencies() -> impl Strategy<Value = Latency> {
    prop_oneof![
        6 => (0..200_u32).prop_map(Latency::from_millis),
        2 => prop::sample::select(&THRESHOLDS_MS[..]).prop_map(Latency::from_millis),
        1 => (0..300_000_u32).prop_map(Latency::from_micros),
        1 => Just(Latency::MAX),
    ]
}

fn steps_ms() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => 0..20_u64,
        4 => 0..3_000_u64,
        2 => 1_000..700_000_u64,
        // Ages are told modulo 2^31 ticks of 2^17 ns: land just after one round.
        1 => 281_474_977..281_475_100_u64,
        1 => 0..1_000_000_000_u64,
    ]
}

fn resumptions() -> impl Strategy<Value = Input> {
    let trips = prop_oneof![Just(None), Just(Some(TripReason::Latency))];
    prop_oneof![
        trips.prop_map(|trip| Input::Resume(IncidentCause::LatencyCondition, trip)),
        Just(Input::Resume(IncidentCause::Trip(TripReason::Memory), None)),
    ]
}

pub(crate) fn inputs() -> impl Strategy<Value = Input> {
    let memory = prop_oneof![
        8 => (0..120_u64).prop_map(|used| Some(MemorySample { used, limit: Some(100) })),
        1 => Just(Some(MemorySample { used: 1, limit: None })),
        1 => Just(Some(MemorySample { used: 1, limit: Some(0) })),
        1 => Just(None),
    ];
    let finish = (0..8_usize, latencies(), outcomes(), prop_oneof![4 => Just(0_u64), 1 => 0..5_000_u64])
        .prop_map(|(which, latency, outcome, late_ms)| Input::Finish { which, latency, outcome, late_ms });
    let calls = (1..24_u8, 0..150_u32, -8..20_i32, outcomes(), 0..4_u64).prop_map(
        |(count, first_ms, step_ms, outcome, spacing_ms)| Input::Calls {
            count,
            first_ms,
            step_ms,
            outcome,
            spacing_ms,
        },
    );
    prop_oneof![
        8 => Just(Input::Admit),
        10 => finish,
        10 => calls,
        2 => (0..8_usize).prop_map(Input::Drop),
        3 => (0..6_u16, 0..8_usize).prop_map(|(count, which)| Input::Stalled { count, which }),
        6 => memory.prop_map(Input::Memory),
        5 => prop::bool::weighted(0.7).prop_map(Input::Forecast),
        10 => steps_ms().prop_map(Input::Pass),
        1 => (0..100_000_u64).prop_map(Input::SetBack),
        4 => Just(Input::Time),
        1 => policies().prop_map(|policy| Input::Policy(Box::new(policy))),
        2 => Just(Input::Reset),
        1 => prop::sample::select(vec![Input::Enable, Input::Disable, Input::ForceOpen]),
        1 => resumptions(),
        1 => prop::sample::select(vec![Input::SimulateMemory, Input::SimulateLatency, Input::Undo, Input::Undo]),
    ]
}
