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

#[derive(Debug, Clone, Copy)]
struct Call {
    at: Instant,
    latency: Latency,
    outcome: Outcome,
    /// Beside it another call begins to hang, which ends after so many calls.
    hangs_beside: Option<usize>,
}

/// Calls with shares of slow and failed ones that come in runs.
fn stream(seed: u64) -> Vec<Call> {
    let mut noise = Noise::new(seed);
    let mut now = Instant::from_millis(1_000);
    let (slow, failed, stay) = (noise.unit() * 0.4, noise.unit() * 0.6, 0.5 + noise.unit() * 0.49);
    let mut is_unhealthy = false;
    let mut call = || {
        now = now + Duration::from_millis(5 + (noise.unit() * 30.0) as u64);
        is_unhealthy = if noise.chance(stay) { is_unhealthy } else { noise.chance(0.3) };
        let is_slow = is_unhealthy && noise.chance(slow);
        let outcome = if is_unhealthy && noise.chance(failed) { Outcome::Failed } else { Outcome::Ok };
        let latency = Latency::from_millis(if is_slow { 110 + (noise.unit() * 300.0) as u32 } else { 10 });
        let hangs_beside = noise.chance(0.3).then(|| (noise.unit() * 20.0) as usize);
        Call { at: now, latency, outcome, hangs_beside }
    };
    (0..4_000).map(|_| call()).collect()
}

fn make(core: &mut Core, call: Call) {
    if let Ok(generation) = core.try_admit(call.at) {
        core.handle_finished(call.at, generation, call.latency, call.outcome);
    }
}

/// When these calls trip the breaker. Beside them calls hang, and end as given.
fn trips(calls: &[Call], beside: Option<End>) -> (Vec<MonotonicInstant>, usize) {
    let mut core = Core::new(policy(), 1).unwrap();
    let (mut trips, mut hung) = (Vec::new(), 0);
    let mut rest = calls;
    while !rest.is_empty() {
        if let Some((after, made)) = beside.and_then(|end| with_a_hanging_call(&core, rest, end)) {
            (core, rest) = (after, &rest[made..]);
            hung += 1;
        }
        if let [call, later @ ..] = rest {
            make(&mut core, *call);
            rest = later;
        }
        while let Some(event) = core.poll_event() {
            if format!("{:?}", event.kind).contains("to: Open") {
                trips.push(event.at);
            }
        }
    }
    (trips, hung)
}

/// The core after a call hung beside the first of these calls, and after so many of them. `None` where none hangs, and where the core
/// opens meanwhile, with or without it: while it hangs it counts. A slow call ends it first, since a call that finishes slow is taken
/// for the one that hung.
fn with_a_hanging_call(core: &Core, calls: &[Call], end: End) -> Option<(Core, usize)> {
    let first = calls.first()?;
    let (mut with, mut without) = (core.clone(), core.clone());
    let are_closed =
        |with: &Core, without: &Core| [with, without].into_iter().all(|core| core.state().kind() == StateKind::Closed);
    if !are_closed(&with, &without) {
        return None;
    }
    let (hung, mut now) = (with.generation(), first.at);
    with.handle_stalled(now, hung, 1);
    let mut made = 0;
    for call in calls.iter().take(first.hangs_beside?).take_while(|call| call.latency <= policy().latency_threshold) {
        make(&mut with, *call);
        make(&mut without, *call);
        (now, made) = (call.at, made + 1);
        if !are_closed(&with, &without) {
            return None;
        }
    }
    match end {
        End::Ignored => with.handle_finished(now, hung, Latency::from_millis(500), Outcome::Ignored),
        End::Dropped => with.handle_dropped(hung),
    }
    with.handle_stalled(now, hung, 0);
    are_closed(&with, &without).then_some((with, made))
}

#[test]
fn calls_that_hang_and_end_ignored_or_dropped_count_nowhere() {
    let (mut tripped, mut calls_hung) = (0, 0);
    for seed in 0..150 {
        let calls = stream(seed);
        let (without, _) = trips(&calls, None);
        tripped += without.len();
        for end in [End::Ignored, End::Dropped] {
            let (with, hung) = trips(&calls, Some(end));
            assert_eq!(with, without, "seed {seed}, {end:?}");
            calls_hung += hung;
        }
    }
    assert!(tripped > 100 && calls_hung > 10_000, "too few to show anything: {tripped} trips, {calls_hung} calls hung");
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
