//! Faults of go-breaker that concern the core; each test is named after its fault.

use std::time::Duration;

use tripline_core::{
    EventKind, Generation, Instant, Latency, MemorySample, Outcome, Percentile, Policy, Ratio, RejectionReason, State,
    StateKind, Trend, TripReason,
};
use tripline_tests::setup::{Bench, original_policy, quick_policy};

type Small = Bench<64>;

const THRESHOLD_MS: u32 = 100;

fn policy() -> Policy {
    let mut policy = quick_policy(THRESHOLD_MS, 20, 0.95);
    policy.wait_time = Duration::from_secs(2);
    policy
}

/// A breaker that has just tripped.
fn open() -> Small {
    let mut bench = Small::new(policy());
    assert!(bench.call(500));
    assert_eq!(bench.breaker.state().kind(), StateKind::Open);
    bench
}

fn events(bench: &mut Small) -> Vec<EventKind> {
    std::iter::from_fn(|| bench.breaker.poll_event()).map(|event| event.kind).collect()
}

fn full_memory() -> MemorySample {
    MemorySample { used: 95, limit: Some(100) }
}

#[test]
fn fault_2_after_the_wait_a_thousand_callers_get_no_more_than_the_probes() {
    let mut bench = open();
    bench.now_ms += 2_000;
    let admitted = (0..1_000).filter(|_| bench.breaker.try_admit(bench.now()).is_ok()).count();
    assert_eq!(admitted, 5);
    assert_eq!(bench.breaker.state(), State::HalfOpen { admitted: 5, good: 0 });
    let rejection = bench.breaker.try_admit(bench.now()).unwrap_err();
    assert_eq!(rejection.reason, RejectionReason::Probing);
}

#[test]
fn fault_2_done_probes_make_no_room_for_more() {
    let mut bench = open();
    bench.now_ms += 2_000;
    for good in 1..5 {
        assert!(bench.call(1));
        assert_eq!(bench.breaker.state(), State::HalfOpen { admitted: good, good });
    }
    let last = bench.breaker.try_admit(bench.now()).unwrap();
    assert!(bench.breaker.try_admit(bench.now()).is_err(), "four are done and the fifth is in flight");
    bench.finish(last, 1, Outcome::Ok);
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.samples(), 0, "and starts with an empty window");
}

#[test]
fn fault_3_late_slow_results_neither_rearm_the_wait_nor_tell_anything() {
    let mut bench = Small::new(policy());
    let late: Vec<Generation> = (0..10).map(|_| bench.breaker.try_admit(bench.now()).unwrap()).collect();
    bench.call(500);
    let State::Open { until } = bench.breaker.state() else { panic!("tripped") };
    events(&mut bench);
    for generation in late {
        bench.now_ms += 150;
        bench.finish(generation, 1_000, Outcome::Ok);
        assert_eq!(bench.breaker.state(), State::Open { until });
    }
    assert_eq!(events(&mut bench), []);
    assert_eq!(bench.breaker.counts().stale, 10);
    assert_eq!(bench.breaker.counts().trips(TripReason::Latency), 1);
    bench.now_ms = until.as_nanos() / 1_000_000;
    assert!(bench.breaker.try_admit(bench.now()).is_ok(), "the wait is over when it was said to be");
}

#[test]
fn fault_4_the_first_slow_call_does_not_trip_a_cold_breaker() {
    let mut cold = original_policy();
    cold.latency_threshold = Latency::from_millis(THRESHOLD_MS);
    assert_eq!(cold.effective_minimum_samples(), 21);
    let mut bench = Small::new(cold);
    for calls in 1..21 {
        assert!(bench.call(500));
        assert_eq!(bench.breaker.state(), State::Closed, "after {calls} slow calls");
    }
    bench.call(500);
    assert_eq!(bench.breaker.state().kind(), StateKind::Open);
}

#[test]
fn fault_4_one_slow_call_among_the_default_minimum_does_not_trip() {
    for percentile in [0.5, 0.9, 0.95, 0.99] {
        let mut cold = quick_policy(THRESHOLD_MS, 1_024, percentile);
        cold.minimum_samples = None;
        let minimum = cold.effective_minimum_samples();
        let mut bench = Bench::<1_024>::new(cold);
        bench.record(500);
        (1..minimum).for_each(|_| bench.record(1));
        assert_eq!(bench.breaker.state(), State::Closed, "percentile {percentile}, {minimum} calls");
    }
}

#[test]
fn fault_5_calls_that_hang_trip_the_breaker_though_none_has_finished() {
    let mut bench = Small::new(policy());
    let generations: Vec<_> = (0..10_000).map(|_| bench.breaker.try_admit(bench.now()).unwrap()).collect();
    bench.now_ms += 101;
    bench.breaker.handle_stalled(bench.now(), generations[0], u16::try_from(generations.len()).unwrap());
    assert_eq!(bench.breaker.last_trip().unwrap().reason, TripReason::Latency);
    assert_eq!(bench.breaker.samples(), 0, "stalled calls are no samples");
}

#[test]
fn fault_5_hung_calls_of_an_earlier_generation_do_not_count() {
    let mut bench = Small::new(policy());
    let before = bench.breaker.try_admit(bench.now()).unwrap();
    bench.breaker.reset(bench.now());
    bench.breaker.handle_stalled(bench.now(), before, 1_000);
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.stalled(), 0);
}

#[test]
fn fault_5_a_hung_probe_opens_the_breaker_again() {
    let mut bench = open();
    bench.now_ms += 2_000;
    bench.breaker.try_admit(bench.now()).unwrap();
    bench.pass(100);
    assert_eq!(bench.breaker.state().kind(), StateKind::HalfOpen, "at the threshold it is not slow yet");
    bench.pass(1);
    assert_eq!(bench.breaker.last_trip().unwrap().reason, TripReason::ProbeSlow);
}

#[test]
fn fault_6_values_that_mean_nothing_cannot_be_made() {
    for bad in [0.0, -0.5, 1.000_001, 95.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(Percentile::new(bad).is_err(), "{bad}");
    }
    assert_eq!(std::num::NonZeroU16::new(0), None, "and so a window of 0");
    assert!(tripline_core::Breaker::<8>::new(quick_policy(1, 9, 0.95), 0).is_err(), "a window above the capacity");
    let (start, end) = (Instant::from_millis(9), Instant::from_millis(3));
    assert_eq!(Latency::between(start, end), Latency::ZERO, "an end before its start");
}

#[test]
fn fault_6_a_rejected_window_changes_nothing() {
    let mut bench = Bench::<8>::new(quick_policy(THRESHOLD_MS, 8, 0.95));
    (0..8).for_each(|_| bench.record(7));
    let before = bench.breaker.policy();
    assert!(bench.breaker.handle_policy(bench.now(), &quick_policy(3, 9, 0.5)).is_err());
    assert_eq!(bench.breaker.policy(), before);
    assert_eq!((bench.breaker.samples(), bench.breaker.samples_above()), (8, 0));
}

#[test]
fn fault_7_the_configured_percentile_decides_and_the_threshold_itself_is_not_above() {
    let watched = |percentile| {
        let mut policy = quick_policy(THRESHOLD_MS, 20, percentile);
        policy.trend_analysis = true;
        policy.trend_minimum_samples = 20;
        Small::new(policy)
    };
    // 9 of 20 are above: those from index 11 on. Most come first, so that nothing rises and trips.
    for (percentile, above) in [(0.5, false), (0.549, false), (0.551, true), (0.99, true)] {
        let mut bench = watched(percentile);
        (0..4).for_each(|_| bench.record(200));
        (0..11).for_each(|_| bench.record(THRESHOLD_MS));
        (0..5).for_each(|_| bench.record(THRESHOLD_MS + 1));
        assert_eq!(bench.breaker.samples_above(), 9);
        assert_eq!(bench.breaker.is_above(), above, "percentile {percentile}");
        assert_eq!(bench.breaker.percentile() > Some(Latency::from_millis(THRESHOLD_MS)), above, "{percentile}");
    }
    let mut bench = watched(1.0);
    (0..20).for_each(|_| bench.record(THRESHOLD_MS));
    assert!(!bench.breaker.is_above(), "at the threshold is not above it");
}

#[test]
fn fault_8_a_simulated_breach_leaves_no_samples_and_does_not_trip_again() {
    let mut bench = Small::new(policy());
    (0..20).for_each(|_| bench.record(1));
    assert!(bench.breaker.simulate_latency(bench.now()));
    assert_eq!(bench.breaker.last_trip().unwrap().reason, TripReason::Latency);
    assert_eq!(bench.breaker.samples_above(), 0);

    bench.now_ms += 100_000;
    assert!(bench.breaker.try_admit(bench.now()).is_err(), "the simulation holds it open after the wait");
    bench.breaker.undo_simulations(bench.now());
    (0..5).for_each(|_| assert!(bench.call(1)));
    assert_eq!(bench.breaker.state(), State::Closed);
    for _ in 0..1_000 {
        assert!(bench.call(1));
    }
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.counts().trips(TripReason::Latency), 1);
}

#[test]
fn fault_8_an_end_dated_into_the_future_does_not_stop_samples_from_ageing() {
    let mut short = policy();
    short.latency_max_age = Duration::from_secs(10);
    let mut bench = Small::new(short);
    let generation = bench.breaker.generation();
    let future = Instant::from_millis(bench.now_ms + 600_000);
    bench.breaker.handle_finished(future, generation, Latency::from_millis(1), Outcome::Ok);
    assert_eq!(bench.breaker.samples(), 1);
    // The clock is found to be behind, and time goes on from there.
    (0..12).for_each(|_| bench.pass(1_000));
    assert_eq!(bench.breaker.samples(), 0);
}

#[test]
fn fault_9_a_simulation_of_memory_is_undone_by_undoing_and_by_reset() {
    for by_reset in [false, true] {
        let mut bench = Small::new(policy());
        assert!(bench.breaker.simulate_memory(bench.now()));
        assert_eq!(bench.breaker.last_trip().unwrap().reason, TripReason::Memory);
        bench.now_ms += 100_000;
        assert!(bench.breaker.try_admit(bench.now()).is_err());
        if by_reset {
            bench.breaker.reset(bench.now());
        } else {
            bench.breaker.undo_simulations(bench.now());
        }
        assert!(!bench.breaker.is_memory_simulated());
        assert!(bench.breaker.try_admit(bench.now()).is_ok(), "by reset: {by_reset}");
    }
}

#[test]
fn fault_9_undoing_a_simulation_does_not_force_memory_to_be_fine() {
    let mut bench = Small::new(policy());
    bench.breaker.simulate_memory(bench.now());
    bench.breaker.undo_simulations(bench.now());
    bench.now_ms += 2_000;
    bench.breaker.handle_memory(bench.now(), full_memory());
    assert!(bench.breaker.try_admit(bench.now()).is_err(), "real memory still holds it open");
    bench.breaker.handle_memory(bench.now(), MemorySample { used: 10, limit: Some(100) });
    assert!(bench.breaker.try_admit(bench.now()).is_ok());
    bench.breaker.handle_memory(bench.now(), full_memory());
    assert_eq!(bench.breaker.last_trip().unwrap().reason, TripReason::Memory, "and trips it again");
}

#[test]
fn fault_9_a_simulation_touches_no_other_breaker() {
    let mut bench = Small::new(policy());
    let mut other = bench.clone();
    bench.breaker.simulate_memory(bench.now());
    assert!(other.call(1));
    assert!(!other.breaker.is_memory_simulated());
}

#[test]
fn fault_10_shapes_are_judged_by_statistics_not_by_milliseconds() {
    let of = |values: &[u32]| Trend::of(values.iter().copied().map(Latency::from_millis), 3);
    let ramp: Vec<u32> = (0..50).map(|i| 600 + 14 * i).collect();
    let step: Vec<u32> = [200; 10].into_iter().chain([600; 10]).collect();
    let small: Vec<u32> = (5..=35).collect();
    for rising in [&ramp, &step, &small] {
        assert_eq!(of(rising), Trend::Rising, "{rising:?}");
    }
    let zigzag: Vec<u32> = (0..20).map(|i| if i % 2 == 0 { 300 } else { 400 }).collect();
    let outlier: Vec<u32> = [300; 9].into_iter().chain([900]).collect();
    for other in [&zigzag, &outlier] {
        assert_ne!(of(other), Trend::Rising, "{other:?}");
    }
}

#[test]
fn fault_10_a_flat_zigzag_above_the_threshold_trips_as_a_plateau_not_as_rising() {
    let mut zigzag = policy();
    zigzag.trend_analysis = true;
    zigzag.trend_minimum_samples = 3;
    zigzag.minimum_samples = Some(10);
    let mut bench = Small::new(zigzag);
    (0..10).for_each(|i| bench.record(if i % 2 == 0 { 300 } else { 400 }));
    assert_eq!(bench.breaker.last_trip().unwrap().reason, TripReason::LatencyPlateau);
}

#[test]
fn fault_27_enabling_does_not_close_an_open_breaker() {
    let mut bench = open();
    let before = (bench.breaker.state(), bench.breaker.generation());
    events(&mut bench);
    bench.breaker.enable(bench.now());
    let enabled = bench.breaker.policy();
    bench.breaker.handle_policy(bench.now(), &enabled).unwrap();
    assert_eq!((bench.breaker.state(), bench.breaker.generation()), before);
    assert_eq!(events(&mut bench), []);
}

#[test]
fn fault_27_looking_changes_nothing() {
    let mut bench = open();
    bench.now_ms += 2_000;
    let before = bench.breaker.state();
    for _ in 0..3 {
        let rejection = bench.breaker.rejection(bench.now());
        assert_eq!(rejection.reason, RejectionReason::Open(TripReason::Latency));
        assert_eq!(rejection.retry_after, None, "the wait is over");
        let _ = (bench.breaker.percentile(), bench.breaker.trend(), bench.breaker.is_breach());
        assert_eq!(bench.breaker.state(), before);
    }
}

#[test]
fn fault_31_calls_from_before_the_recovery_do_not_count_against_it() {
    let mut bench = Small::new(policy());
    let before: Vec<Generation> = (0..50).map(|_| bench.breaker.try_admit(bench.now()).unwrap()).collect();
    bench.call(500);
    bench.now_ms += 2_000;
    (0..5).for_each(|_| assert!(bench.call(1)));
    assert_eq!(bench.breaker.state(), State::Closed);
    for generation in before {
        bench.finish(generation, 5_000, Outcome::Failed);
    }
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.samples(), 0);
    assert_eq!(bench.breaker.counts().stale, 50);
}

#[test]
fn fault_31_late_probes_of_an_earlier_probing_do_not_count_in_the_next() {
    let mut failing = policy();
    failing.failure_rate_threshold = Ratio::new(0.5).unwrap();
    let mut bench = Small::new(failing);
    bench.call(500);
    bench.now_ms += 2_000;
    let first: Vec<Generation> = (0..5).map(|_| bench.breaker.try_admit(bench.now()).unwrap()).collect();
    bench.finish(first[0], 1, Outcome::Failed);
    assert_eq!(bench.breaker.last_trip().unwrap().reason, TripReason::ProbeFailed);
    bench.now_ms += 4_000;
    bench.breaker.try_admit(bench.now()).unwrap();
    for &late in &first[1..] {
        bench.finish(late, 1, Outcome::Ok);
        bench.breaker.handle_dropped(late);
    }
    assert_eq!(bench.breaker.state(), State::HalfOpen { admitted: 1, good: 0 });
}
