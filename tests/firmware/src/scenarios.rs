//! Required behaviour of a breaker, step by step. The host's tests run this file too (`tests/tests/firmware.rs`).

use core::num::NonZeroU16;
use core::time::Duration;

use tripline_core::{
    Breaker, Confidence, EventKind, EvidenceTest, Instant, Latency, MemorySample, MemoryState, MonotonicInstant,
    Outcome, Policy, Ratio, RejectionReason, State, StateKind, TripAfter, TripReason,
};

use crate::{Check, Named, ensure};

/// All scenarios, by name.
pub const ALL: &[Named] = &[
    ("slow calls trip, probes close", slow_calls_trip_and_probes_close),
    ("a slow probe opens for longer", a_slow_probe_opens_for_longer),
    ("a late result changes nothing", a_late_result_changes_nothing),
    ("hanging calls trip", hanging_calls_trip),
    ("memory trips and holds open", memory_trips_and_holds_open),
    ("failures trip", failures_trip),
    ("evidence holds back", evidence_holds_back),
    ("old samples do not count", old_samples_do_not_count),
    ("an incident ends", an_incident_ends),
    ("an operator decides", an_operator_decides),
];

type Small = Breaker<16>;
const FAST: Latency = Latency::from_millis(5);
const SLOW: Latency = Latency::from_millis(400);

fn slow_calls_trip_and_probes_close() -> Check {
    let mut breaker = small(policy())?;
    for _ in 0..8 {
        ensure!(breaker.state() == State::Closed);
        finish(&mut breaker, at(10), SLOW, Outcome::Ok);
    }
    ensure!(breaker.state() == State::Open { until: own(10_010) });
    let refused = breaker.try_admit(at(20));
    ensure!(refused.is_err_and(|r| r.reason == RejectionReason::Open(TripReason::Latency)
        && r.retry_after == Some(Duration::from_millis(9_990))));

    for probe in 0..3 {
        ensure!(breaker.try_admit(at(10_010 + probe)).is_ok());
    }
    ensure!(breaker.try_admit(at(10_020)).is_err_and(|r| r.reason == RejectionReason::Probing));
    for _ in 0..3 {
        ensure!(breaker.state().kind() == StateKind::HalfOpen);
        finish(&mut breaker, at(10_030), FAST, Outcome::Ok);
    }
    ensure!(breaker.state() == State::Closed && breaker.samples() == 0);
    Ok(())
}

fn a_slow_probe_opens_for_longer() -> Check {
    let mut breaker = small(policy())?;
    trip(&mut breaker, at(0));
    ensure!(breaker.try_admit(at(10_000)).is_ok());
    finish(&mut breaker, at(10_400), SLOW, Outcome::Ok);
    ensure!(breaker.state() == State::Open { until: own(30_400) });
    // A probe that never comes back is slow from the moment it is older than the threshold.
    ensure!(breaker.try_admit(at(30_400)).is_ok());
    ensure!(breaker.poll_timeout() == Some(Instant::from_nanos(30_700_000_001)));
    breaker.handle_timeout(at(30_701));
    ensure!(breaker.last_trip().is_some_and(|trip| trip.reason == TripReason::ProbeSlow));
    Ok(())
}

fn a_late_result_changes_nothing() -> Check {
    let mut breaker = small(policy())?;
    let early = breaker.try_admit(at(0));
    trip(&mut breaker, at(10));
    ensure!(breaker.try_admit(at(10_010)).is_ok());
    let before = breaker.state();
    if let Ok(generation) = early {
        breaker.handle_finished(at(10_020), generation, SLOW, Outcome::Ok);
    }
    ensure!(breaker.state() == before && breaker.counts().stale == 1);
    Ok(())
}

fn hanging_calls_trip() -> Check {
    let mut breaker = small(policy())?;
    breaker.handle_stalled(at(400), breaker.generation(), 7);
    ensure!(breaker.state() == State::Closed);
    breaker.handle_stalled(at(401), breaker.generation(), 8);
    ensure!(breaker.state().kind() == StateKind::Open);
    Ok(())
}

fn memory_trips_and_holds_open() -> Check {
    let mut policy = policy();
    policy.sample_interval = Duration::from_secs(10);
    let mut breaker = small(policy)?;
    breaker.handle_memory(at(0), MemorySample { used: 79, limit: Some(100) });
    ensure!(breaker.memory_state() == MemoryState::Ok && breaker.state() == State::Closed);
    breaker.handle_memory(at(1), MemorySample { used: 80, limit: Some(100) });
    ensure!(breaker.last_trip().is_some_and(|trip| trip.reason == TripReason::Memory));
    breaker.handle_memory(at(10_100), MemorySample { used: 76, limit: Some(100) });
    ensure!(breaker.try_admit(at(10_101)).is_err_and(|r| r.retry_after.is_none()));
    breaker.handle_memory_lost(at(10_200));
    ensure!(breaker.memory_state() == MemoryState::Unknown && breaker.memory_sample().is_none());
    ensure!(breaker.try_admit(at(10_201)).is_ok());
    Ok(())
}

fn failures_trip() -> Check {
    let mut policy = policy();
    policy.failure_rate_threshold = Ratio::new(0.5).map_err(|e| e.what)?;
    let mut breaker = small(policy)?;
    for _ in 0..4 {
        finish(&mut breaker, at(1), FAST, Outcome::Ok);
        finish(&mut breaker, at(1), FAST, Outcome::Ignored);
    }
    for _ in 0..3 {
        finish(&mut breaker, at(2), FAST, Outcome::Failed);
        ensure!(breaker.state() == State::Closed);
    }
    finish(&mut breaker, at(2), FAST, Outcome::Failed);
    ensure!(breaker.last_trip().is_some_and(|trip| trip.reason == TripReason::Failures));
    ensure!(breaker.counts().ignored == 4 && breaker.counts().trips(TripReason::Failures) == 1);
    Ok(())
}

fn evidence_holds_back() -> Check {
    let mut policy = policy();
    policy.trip_confidence = Confidence::new(0.99).map_err(|e| e.what)?;
    policy.trip_after = TripAfter::Millis(100);
    policy.warm_up = Duration::ZERO;
    let mut breaker = small(policy)?;
    for _ in 0..20 {
        finish(&mut breaker, at(1), SLOW, Outcome::Ok);
    }
    ensure!(breaker.is_above() && !breaker.is_breach() && breaker.state() == State::Closed);
    ensure!(breaker.evidence().test == Some(EvidenceTest::Quick));
    finish(&mut breaker, at(101), SLOW, Outcome::Ok);
    ensure!(breaker.state().kind() == StateKind::Open);
    let evidence = breaker.trip_evidence().ok_or("no evidence")?;
    ensure!(evidence.age_ms == 100 && evidence.slow == 16);
    Ok(())
}

fn old_samples_do_not_count() -> Check {
    let mut breaker = small(policy())?;
    for step in 0..7 {
        finish(&mut breaker, at(step), SLOW, Outcome::Ok);
    }
    ensure!(breaker.samples() == 7 && breaker.samples_above() == 7 && breaker.percentile() == Some(SLOW));
    breaker.handle_timeout(at(60_020));
    ensure!(breaker.samples() == 0 && breaker.percentile().is_none() && !breaker.is_above());
    finish(&mut breaker, at(60_021), SLOW, Outcome::Ok);
    ensure!(breaker.state() == State::Closed);
    Ok(())
}

fn an_incident_ends() -> Check {
    let mut breaker = small(policy())?;
    trip(&mut breaker, at(0));
    ensure!(breaker.is_in_incident());
    ensure!(breaker.poll_event().is_some_and(|e| matches!(e.kind, EventKind::Transition { to: StateKind::Open, .. })));
    ensure!(breaker.poll_event().is_some_and(|e| matches!(e.kind, EventKind::IncidentStarted(_))));
    for _ in 0..3 {
        ensure!(breaker.try_admit(at(10_000)).is_ok());
        finish(&mut breaker, at(10_001), FAST, Outcome::Ok);
    }
    for _ in 0..8 {
        finish(&mut breaker, at(10_002), FAST, Outcome::Ok);
    }
    breaker.handle_timeout(at(70_000));
    ensure!(breaker.is_in_incident());
    ensure!(breaker.poll_timeout() == Some(at(70_001)));
    breaker.handle_timeout(at(70_001));
    ensure!(!breaker.is_in_incident());
    let mut transitions = 0;
    while let Some(event) = breaker.poll_event() {
        transitions += u32::from(matches!(event.kind, EventKind::Transition { .. }));
    }
    ensure!(transitions == 2 && breaker.events_emitted() == 5 && breaker.events_dropped() == 0);
    Ok(())
}

fn an_operator_decides() -> Check {
    let mut breaker = small(policy())?;
    ensure!(breaker.force_open(at(1)));
    ensure!(breaker.try_admit(at(1_000_000)).is_err_and(|r| r.reason == RejectionReason::ForcedOpen));
    breaker.reset(at(1_000_001));
    ensure!(breaker.state() == State::Closed);
    ensure!(breaker.simulate_memory(at(1_000_002)) && breaker.is_memory_simulated());
    ensure!(breaker.state().kind() == StateKind::Open);
    breaker.undo_simulations(at(1_000_003));
    ensure!(breaker.try_admit(at(1_010_002)).is_ok());
    ensure!(breaker.simulate_latency(at(1_010_003)) && breaker.is_latency_simulated());
    breaker.disable(at(1_010_004));
    ensure!(breaker.state() == State::Disabled && breaker.try_admit(at(1_010_005)).is_ok());
    breaker.enable(at(1_010_006));
    ensure!(breaker.state() == State::Closed && !breaker.is_latency_simulated());
    Ok(())
}

/// A window of 16, a threshold of 300 ms, 8 calls at least, 3 probes, no jitter, and no evidence asked for.
pub(crate) fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.trip_confidence = Confidence::ZERO;
    policy.failure_rate_threshold = Ratio::ZERO;
    policy.latency_threshold = Latency::from_millis(300);
    policy.latency_window_size = const { NonZeroU16::new(16).unwrap() };
    policy.minimum_samples = Some(8);
    policy.half_open_max_calls = 3;
    policy.wait_jitter = Ratio::ZERO;
    policy
}

fn small(policy: Policy) -> Result<Small, &'static str> {
    Breaker::new(policy, 1).map_err(|_| "the window does not fit")
}

fn trip(breaker: &mut Small, now: Instant) {
    for _ in 0..8 {
        finish(breaker, now, SLOW, Outcome::Ok);
    }
}

fn finish(breaker: &mut Small, now: Instant, latency: Latency, outcome: Outcome) {
    breaker.handle_finished(now, breaker.generation(), latency, outcome);
}

fn at(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

/// The same in the breaker's own time, as long as the clock was not set back.
fn own(millis: u64) -> MonotonicInstant {
    MonotonicInstant::from_millis(millis)
}
