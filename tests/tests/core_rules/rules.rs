//! Hand-computed cases of the rules that random inputs rarely reach.

use std::time::Duration;

use tripline_core::{Instant, MemorySample, MemoryState, Outcome, Ratio, State, StateKind, TripReason};
use tripline_tests::setup::{Bench, own_time, quick_policy};

type Small = Bench<128>;

const SECOND_MS: u64 = 1_000;

fn used(percent: u64) -> MemorySample {
    MemorySample { used: percent, limit: Some(100) }
}

/// Goes on by deadlines alone until there is none; the instant of the last one.
fn follow_deadlines(bench: &mut Small) -> Option<Instant> {
    let mut last = None;
    for _ in 0..1_000 {
        let Some(due) = bench.breaker.poll_timeout() else { return last };
        assert!(last.is_none_or(|last| due >= last), "deadlines go on");
        last = Some(due);
        bench.breaker.handle_timeout(due);
    }
    panic!("a deadline that handle_timeout does not fulfil: {:?}", bench.breaker.poll_timeout());
}

#[test]
fn a_failure_rate_is_reached_at_exactly_its_share() {
    for (rate, failed) in
        [(0.07, 7), (0.14, 14), (0.28, 28), (0.55, 55), (0.57, 57), (0.29, 29), (0.58, 58), (1.0, 100)]
    {
        for (missing, trips) in [(0, true), (1, false)] {
            let mut policy = quick_policy(100, 100, 0.95);
            policy.failure_rate_threshold = Ratio::new(rate).unwrap();
            policy.minimum_samples = Some(100);
            let mut bench = Small::new(policy);
            for call in 0..100 {
                let outcome = if call < failed - missing { Outcome::Failed } else { Outcome::Ok };
                assert!(bench.call_with(1, outcome));
            }
            let tripped = bench.breaker.last_trip().map(|trip| trip.reason);
            assert_eq!(tripped, trips.then_some(TripReason::Failures), "rate {rate}, {missing} missing");
        }
    }
}

#[test]
fn an_incident_ends_by_deadlines_alone_ten_recovery_times_after_the_last_call() {
    let mut policy = quick_policy(100, 20, 0.95);
    policy.minimum_samples = Some(10);
    policy.wait_time = Duration::from_secs(1);
    policy.recovery_time = Duration::from_secs(60);
    let mut bench = Small::new(policy);
    (0..10).for_each(|_| bench.record(500));
    bench.now_ms += SECOND_MS;
    (0..5).for_each(|_| assert!(bench.call(1)));
    assert_eq!(bench.breaker.state(), State::Closed);
    assert!(bench.breaker.is_in_incident());
    let closed = bench.now();
    assert_eq!(bench.breaker.incident_ends_at(), Some(closed + Duration::from_secs(600)));
    assert_eq!(follow_deadlines(&mut bench), Some(closed + Duration::from_secs(600)));
    assert!(!bench.breaker.is_in_incident());
    assert_eq!(bench.breaker.incident_ends_at(), None);
}

#[test]
fn an_incident_ends_one_recovery_time_after_closing_where_enough_calls_prove_it() {
    let mut policy = quick_policy(100, 20, 0.95);
    policy.wait_time = Duration::from_secs(1);
    policy.recovery_time = Duration::from_secs(60);
    let mut bench = Small::new(policy);
    bench.record(500);
    assert_eq!(bench.breaker.incident_ends_at(), None, "it is open");
    bench.now_ms += SECOND_MS;
    (0..5).for_each(|_| assert!(bench.call(1)));
    let closed = bench.now();
    bench.pass(30 * SECOND_MS);
    assert!(bench.call(1));
    assert_eq!(bench.breaker.incident_ends_at(), Some(closed + Duration::from_secs(60)));
    assert_eq!(follow_deadlines(&mut bench), Some(closed + Duration::from_secs(60)));
    assert!(!bench.breaker.is_in_incident());
}

/// Held back by the trend, then no more calls: the samples age, and the incident that they began must end.
#[test]
fn a_condition_ends_by_deadlines_alone_when_its_samples_have_aged() {
    let mut policy = quick_policy(100, 20, 0.5);
    policy.trend_analysis = true;
    policy.trend_minimum_samples = 20;
    policy.latency_max_age = Duration::from_secs(90);
    policy.recovery_time = Duration::from_secs(60);
    let mut bench = Small::new(policy);
    bench.record(1);
    (0..6).for_each(|_| bench.record(500));
    assert_eq!(bench.breaker.state(), State::Closed);
    assert!(bench.breaker.is_above());
    follow_deadlines(&mut bench);
    assert_eq!(bench.breaker.samples(), 0, "they have aged");
    assert!(!bench.breaker.is_in_incident());
    let kinds = std::iter::from_fn(|| bench.breaker.poll_event()).count();
    assert_eq!(kinds, 2, "an incident began and ended");
}

#[test]
fn a_lost_probe_is_given_up_by_deadlines_alone() {
    let mut bench = Small::new(quick_policy(100, 20, 0.95));
    bench.record(500);
    bench.now_ms += 10 * SECOND_MS;
    bench.breaker.try_admit(bench.now()).unwrap();
    let due = bench.breaker.poll_timeout().unwrap();
    assert!(due > bench.now() + Duration::from_millis(100));
    assert!(due <= bench.now() + Duration::from_millis(101));
    bench.breaker.handle_timeout(due);
    assert_eq!(bench.breaker.last_trip().unwrap().reason, TripReason::ProbeSlow);
    assert_eq!(bench.breaker.state(), State::Open { until: own_time(due + Duration::from_secs(20)) });
}

#[test]
fn a_reading_after_a_stale_one_is_not_latched_against_it() {
    let mut bench = Small::new(quick_policy(100, 20, 0.95));
    bench.breaker.handle_memory(bench.now(), used(90));
    assert_eq!(bench.breaker.memory_state(), MemoryState::Exhausted);
    bench.now_ms += 10 * SECOND_MS;
    bench.breaker.handle_memory(bench.now(), used(76));
    assert_eq!(bench.breaker.memory_state(), MemoryState::Ok);
}

#[test]
fn a_stale_reading_trips_nothing() {
    let mut bench = Small::new(quick_policy(100, 20, 0.95));
    bench.breaker.handle_memory(bench.now(), used(90));
    bench.breaker.reset(bench.now());
    let generation = bench.breaker.try_admit(bench.now()).unwrap();
    bench.now_ms += 10 * SECOND_MS;
    bench.finish(generation, 1, Outcome::Ok);
    assert_eq!(bench.breaker.state(), State::Closed);
    assert_eq!(bench.breaker.memory_state(), MemoryState::Unknown);
}

#[test]
fn a_memory_reading_trips_without_any_call_and_holds_the_breaker_open() {
    let mut bench = Small::new(quick_policy(100, 20, 0.95));
    bench.breaker.handle_memory(bench.now(), used(80));
    assert_eq!(bench.breaker.last_trip().unwrap().reason, TripReason::Memory);
    for _ in 0..60 {
        bench.now_ms += SECOND_MS;
        bench.breaker.handle_memory(bench.now(), used(75));
    }
    let rejection = bench.breaker.try_admit(bench.now()).unwrap_err();
    assert_eq!(rejection.retry_after, None, "it is unknown when memory comes back");
    bench.breaker.handle_memory(bench.now(), used(74));
    assert!(bench.breaker.try_admit(bench.now()).is_ok());
    assert_eq!(bench.breaker.state().kind(), StateKind::HalfOpen);
}

#[test]
fn samples_age_while_the_breaker_is_open() {
    let mut policy = quick_policy(100, 20, 0.95);
    policy.latency_max_age = Duration::from_secs(5);
    let mut bench = Small::new(policy);
    bench.record(500);
    assert_eq!(bench.breaker.state().kind(), StateKind::Open);
    bench.pass(6 * SECOND_MS);
    assert_eq!((bench.breaker.samples(), bench.breaker.percentile()), (0, None));
}

/// A sample counts for its age and not a millisecond longer, and a whole round later it does not count again.
#[test]
fn samples_age_at_their_time_also_when_the_stamps_wrap() {
    // One round of the 2^31 ticks that a sample's time is told in.
    const ROUND_MS: u64 = (1 << 48) / 1_000_000;
    for age_ms in [1, 100, 60_000, 24 * 3_600_000] {
        for start_ms in [0, 7, ROUND_MS - 50_000, 3 * ROUND_MS - 2] {
            let mut policy = quick_policy(100, 20, 0.95);
            policy.latency_max_age = Duration::from_millis(age_ms);
            let mut bench = Small::new(policy);
            bench.now_ms = start_ms;
            bench.record(1);
            bench.pass(age_ms - 1);
            assert_eq!(bench.breaker.samples(), 1, "start {start_ms}, age {age_ms}");
            bench.pass(2);
            assert_eq!(bench.breaker.samples(), 0, "start {start_ms}, age {age_ms}");
            bench.record(1);
            bench.pass(ROUND_MS + 1);
            assert_eq!(bench.breaker.samples(), 0, "a whole round later, start {start_ms}, age {age_ms}");
        }
    }
}

#[test]
fn the_wait_grows_with_each_failed_probing_and_falls_back_when_the_incident_ends() {
    let mut policy = quick_policy(100, 20, 0.95);
    policy.wait_time = Duration::from_secs(10);
    policy.max_wait_time = Duration::from_secs(60);
    policy.recovery_time = Duration::from_secs(5);
    policy.half_open_max_calls = 1;
    let mut bench = Small::new(policy);
    bench.call(101);
    for wait_s in [10, 20, 40, 60, 60] {
        assert_eq!(bench.breaker.state(), State::Open { until: own_time(bench.now() + Duration::from_secs(wait_s)) });
        bench.now_ms += wait_s * SECOND_MS - 1;
        assert!(bench.breaker.try_admit(bench.now()).is_err(), "1 ms before the end of {wait_s} s");
        bench.now_ms += 1;
        assert!(bench.call(101));
    }
    bench.now_ms += 60 * SECOND_MS;
    assert!(bench.call(1));
    bench.pass(4 * SECOND_MS);
    assert!(bench.call(101), "in the same incident the wait stays grown");
    assert_eq!(bench.breaker.state(), State::Open { until: own_time(bench.now() + Duration::from_secs(60)) });
    bench.now_ms += 60 * SECOND_MS;
    assert!(bench.call(1));
    assert!(bench.call(1));
    bench.pass(5 * SECOND_MS);
    assert!(!bench.breaker.is_in_incident());
    assert!(bench.call(101));
    assert_eq!(bench.breaker.state(), State::Open { until: own_time(bench.now() + Duration::from_secs(10)) });
}

#[test]
fn after_the_clock_was_set_back_a_rejection_names_the_wait_that_is_left() {
    let mut bench = Small::new(quick_policy(100, 20, 0.95));
    bench.record(500);
    bench.now_ms += 4 * SECOND_MS;
    assert!(bench.breaker.try_admit(bench.now()).is_err());
    bench.now_ms -= 3 * SECOND_MS;
    assert!(bench.breaker.try_admit(bench.now()).is_err());
    for (passed_s, left_s) in [(0, 6), (2, 4)] {
        bench.now_ms += passed_s * SECOND_MS;
        let asked = bench.breaker.rejection(bench.now());
        let rejected = bench.breaker.try_admit(bench.now()).unwrap_err();
        assert_eq!(bench.breaker.clock_jumps(), 1);
        assert_eq!(rejected.retry_after, Some(Duration::from_secs(left_s)));
        assert!(passed_s == 0 || asked == rejected, "{asked:?}");
    }
}
