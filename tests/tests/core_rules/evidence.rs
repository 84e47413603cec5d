//! Inputs that must not change the evidence: calls that end ignored or dropped, and policies that change nothing.

use std::time::Duration;

use tripline_core::{Breaker, Instant, Latency, MonotonicInstant, Outcome, Policy, Ratio, StateKind};
use tripline_tests::noise::Noise;

type Core = Breaker<64>;

const THRESHOLD_MS: u32 = 100;

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(THRESHOLD_MS);
    policy.wait_jitter = Ratio::ZERO;
    policy
}

/// How a call that hung ends without counting.
#[derive(Debug, Clone, Copy)]
enum End {
    Ignored,
    Dropped,
}

/// A stream of calls with shares of slow and failed ones that come in runs; when it tripped. Beside them calls hang, and end as given.
fn trips(seed: u64, beside: Option<End>) -> Vec<MonotonicInstant> {
    let mut noise = Noise::new(seed);
    let mut core = Core::new(policy(), 1).unwrap();
    let mut trips = Vec::new();
    let mut now = Instant::from_millis(1_000);
    let (slow, failed, stay) = (noise.unit() * 0.4, noise.unit() * 0.6, 0.5 + noise.unit() * 0.49);
    let mut is_unhealthy = false;
    for _ in 0..4_000 {
        now = now + Duration::from_millis(5 + (noise.unit() * 30.0) as u64);
        is_unhealthy = if noise.chance(stay) { is_unhealthy } else { noise.chance(0.3) };
        let is_slow = is_unhealthy && noise.chance(slow);
        let outcome = if is_unhealthy && noise.chance(failed) { Outcome::Failed } else { Outcome::Ok };
        let hangs = noise.chance(0.3);
        if let Some(end) = beside.filter(|_| hangs && can_hang(&core, now)) {
            core.handle_stalled(now, core.generation(), 1);
            match end {
                End::Ignored => {
                    core.handle_finished(now, core.generation(), Latency::from_millis(500), Outcome::Ignored);
                }
                End::Dropped => core.handle_dropped(core.generation()),
            }
            core.handle_stalled(now, core.generation(), 0);
        }
        if let Ok(generation) = core.try_admit(now) {
            let latency = if is_slow { 110 + (noise.unit() * 300.0) as u32 } else { 10 };
            core.handle_finished(now, generation, Latency::from_millis(latency), outcome);
        }
        while let Some(event) = core.poll_event() {
            if format!("{:?}", event.kind).contains("to: Open") {
                trips.push(event.at);
            }
        }
    }
    trips
}

/// While a call hangs it counts, and may be the one that trips or completes the evidence. Those are left out.
fn can_hang(core: &Core, now: Instant) -> bool {
    let mut copy = core.clone();
    copy.handle_stalled(now, copy.generation(), 1);
    core.state().kind() == StateKind::Closed && copy.state().kind() == StateKind::Closed
}

#[test]
fn calls_that_hang_and_end_ignored_or_dropped_count_nowhere() {
    let (mut tripped, mut differ) = (0, 0);
    for seed in 0..150 {
        let without = trips(seed, None);
        tripped += without.len();
        for end in [End::Ignored, End::Dropped] {
            let with = trips(seed, Some(end));
            differ += usize::from(with.is_empty() != without.is_empty());
        }
    }
    // The age that evidence had reached while one hung may be learned from; nothing else of it is left.
    assert!(differ <= 6, "{differ} of 300 streams");
    assert!(tripped > 30, "too few trips to show anything: {tripped}");
}

/// The same service, with or without the same policy applied over and over.
fn tripping_call(every: u32, slow_one_in: u32) -> Option<u32> {
    let mut core = Core::new(policy(), 1).unwrap();
    let mut now = Instant::from_millis(10_000);
    (1..=40_000_u32).find(|call| {
        now = now + Duration::from_millis(5);
        let latency = if call % slow_one_in == 0 { 101 } else { 10 };
        core.handle_finished(now, core.generation(), Latency::from_millis(latency), Outcome::Ok);
        if call % every == 0 {
            let mut same = policy();
            // What the evidence does not depend on.
            same.wait_time = Duration::from_secs(3 + u64::from(call % 7));
            same.memory_hysteresis = Ratio::new(0.1).unwrap();
            core.handle_policy(now, &same).unwrap();
        }
        core.state().kind() == StateKind::Open
    })
}

#[test]
fn a_policy_that_changes_nothing_of_the_evidence_keeps_it() {
    for slow_one_in in [8, 9, 10] {
        let undisturbed = tripping_call(u32::MAX, slow_one_in);
        assert!(undisturbed.is_some(), "one in {slow_one_in}");
        for every in [1, 7, 100] {
            assert_eq!(
                tripping_call(every, slow_one_in),
                undisturbed,
                "one in {slow_one_in}, applied each {every} calls"
            );
        }
    }
}

/// Nothing is slow any more under a raised threshold, so nothing of what hung may open it.
#[test]
fn raising_the_threshold_while_calls_hang_opens_nothing() {
    for confidence in [tripline_core::Confidence::ZERO, tripline_core::Confidence::default()] {
        let mut policy = policy();
        policy.trip_confidence = confidence;
        policy.minimum_samples = Some(10);
        let mut core = Core::new(policy.clone(), 1).unwrap();
        core.handle_stalled(Instant::from_millis(1_000), core.generation(), 9);
        policy.latency_threshold = Latency::from_millis(10_000);
        core.handle_policy(Instant::from_millis(1_001), &policy).unwrap();
        core.handle_finished(Instant::from_millis(1_002), core.generation(), Latency::from_millis(1), Outcome::Ok);
        assert_eq!(core.state().kind(), StateKind::Closed);
    }
}
