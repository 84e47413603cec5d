//! The trip decision on services by mechanism, with the default policy: a smaller version of the example `decisions`, against the same
//! targets.

use std::time::Duration;

use tripline_core::{Breaker, Instant, Latency, Outcome, Policy, StateKind, TripReason};
use tripline_tests::services::judge::{Result, failures, healthy, judge, median_s};
use tripline_tests::services::methods::{Method, Peer, Rule, Tripline};
use tripline_tests::services::{Failing, Harsh, Healthy, Kind, Service};

/// Calls a second, and for how many seconds a healthy service is watched.
const RATES: [(f64, f64); 2] = [(50.0, 400.0), (200.0, 120.0)];

fn methods() -> Vec<(&'static str, Box<dyn Method>)> {
    vec![
        ("Tripline", Box::new(Tripline::new(Policy::default()))),
        ("resilience4j 50 %", Box::new(Peer::new(Rule::ShareOfHundred(0.5)))),
    ]
}

fn results(kinds: &(impl Iterator<Item = Kind> + Clone), seeds: std::ops::Range<u64>) -> Vec<Result> {
    let mut methods = methods();
    let mut results = Vec::new();
    for (rate, length_s) in RATES {
        for kind in kinds.clone() {
            for seed in seeds.clone() {
                results.extend(judge(&Service::new(kind, rate, seed, length_s), &mut methods));
            }
        }
    }
    results
}

#[test]
fn healthy_services_do_not_trip_where_the_peers_rule_does() {
    let results = results(&Healthy::ALL.into_iter().map(Kind::Healthy), 0..3);
    let (ours, theirs) = (healthy(&results, 0, |_| true), healthy(&results, 1, |_| true));
    println!("{} of {} trip, with resilience4j's rule {}", ours.tripping, ours.pairs, theirs.tripping);
    assert!(ours.tripping * 100 <= ours.pairs && ours.rejected <= 0.0002, "{ours:?}");
    assert!(theirs.tripping >= 10, "the services are too kind: {theirs:?}");
}

#[test]
fn harsher_services_trip_seldom() {
    let results = results(&Harsh::ALL.into_iter().map(Kind::Harsh), 0..2);
    let (ours, theirs) = (healthy(&results, 0, |_| true), healthy(&results, 1, |_| true));
    println!("{} of {} trip, with resilience4j's rule {}", ours.tripping, ours.pairs, theirs.tripping);
    assert!(ours.tripping * 3 <= theirs.tripping && ours.rejected * 4.0 <= theirs.rejected, "{ours:?} {theirs:?}");
}

#[test]
fn no_failure_is_missed_and_steps_are_found_within_two_seconds() {
    let results = results(&Failing::ALL.into_iter().map(Kind::Failing), 0..3);
    let all = failures(&results, 0, |_| true);
    assert_eq!((all.missed, all.early), (0, 0), "{all:?}");
    let mut medians: Vec<f64> = Vec::new();
    for kind in Failing::ALL {
        let (ours_s, theirs_s) = (median_s(&results, 0, kind, 0.0), median_s(&results, 1, kind, 0.0));
        println!("{kind:?}: {ours_s:.2} s, with resilience4j's rule {theirs_s:.2} s");
        if !kind.is_gradual() {
            assert!(ours_s <= theirs_s + 1.7, "{kind:?}: {ours_s} {theirs_s}");
            medians.push(ours_s);
        }
    }
    medians.sort_by(f64::total_cmp);
    assert!(medians[medians.len() / 2] <= 2.0, "{medians:?}");
}

/// Calls at this interval, all of which end like this from the first one after twenty good ones; how many of them start before it opens.
fn bad_calls_until_open(interval: Duration, latency: Duration, outcome: Outcome) -> Option<usize> {
    let mut breaker = Breaker::<64>::new(Policy::default(), 1).unwrap();
    let threshold = Duration::from_millis(1_500);
    let mut now = Instant::ZERO;
    for _ in 0..20 {
        now = now + interval;
        breaker.handle_finished(now, breaker.generation(), Latency::from_millis(20), Outcome::Ok);
    }
    (1..100).find(|_| {
        now = now + interval;
        let Ok(generation) = breaker.try_admit(now) else { return true };
        if latency > threshold {
            breaker.handle_stalled(now + threshold, generation, 1);
        }
        breaker.handle_finished(now + latency, generation, Latency::from(latency), outcome);
        breaker.state().kind() == StateKind::Open
    })
}

#[test]
fn a_total_outage_is_found_within_eight_calls_at_any_low_rate() {
    for seconds in [4, 10, 30, 45, 60] {
        let interval = Duration::from_secs(seconds);
        let hang = bad_calls_until_open(interval, interval.min(Duration::from_secs(20)), Outcome::Ok);
        let fail = bad_calls_until_open(interval, Duration::from_millis(5), Outcome::Failed);
        println!("a call each {seconds} s: {hang:?} slow or {fail:?} failed ones");
        assert!(hang.is_some_and(|calls| calls <= 8), "{hang:?}");
        assert!(fail.is_some_and(|calls| calls <= 8), "{fail:?}");
    }
}

/// When it opens, in milliseconds after the onset, if calls at this interval never come back from then on.
fn opens_after_ms(interval: Duration, trend_analysis: bool) -> (u128, TripReason) {
    let mut policy = Policy::default();
    policy.trend_analysis = trend_analysis;
    let mut breaker = Breaker::<64>::new(policy, 1).unwrap();
    let mut now = Instant::from_millis(1);
    for call in 0..20_000 / interval.as_millis().min(1_000) {
        now = now + interval;
        // Times that neither rise nor fall.
        let latency = Latency::from_millis(20 + (call % 7) as u32);
        breaker.handle_finished(now, breaker.generation(), latency, Outcome::Ok);
    }
    let onset = now;
    let counted_at_once = u16::try_from(58_500 / interval.as_millis() + 1).unwrap();
    for started in 1..u16::MAX {
        now = now + interval;
        breaker.handle_stalled(now, breaker.generation(), started.min(counted_at_once) - 1);
        breaker.handle_stalled(now, breaker.generation(), started.min(counted_at_once));
        if let Some(trip) = breaker.last_trip() {
            return (now.since(onset).as_millis(), trip.reason);
        }
    }
    unreachable!("it never opens");
}

/// Calls that hang do not move the latencies of the window, so no trend is seen there.
#[test]
fn with_trend_analysis_a_service_of_which_all_calls_hang_is_found_as_soon() {
    for millis in [1, 20, 200, 5_000, 60_000] {
        let interval = Duration::from_millis(millis);
        let (without, with) = (opens_after_ms(interval, false), opens_after_ms(interval, true));
        assert_eq!((without.1, with.1), (TripReason::Latency, TripReason::LatencyPlateau), "a call each {millis} ms");
        assert_eq!(without.0, with.0, "a call each {millis} ms");
        assert!(with.0 <= u128::from((1_500 + 4 * millis).max(8 * millis)), "a call each {millis} ms: {} ms", with.0);
    }
}

/// A disturbance that is shorter than the tolerance opens nothing, however many calls it hits.
#[test]
fn an_isolated_disturbance_shorter_than_the_tolerance_never_opens() {
    for interval_us in [100_u64, 1_000, 10_000, 100_000] {
        for latency_ms in [1_600, 2_500, 9_000] {
            let mut breaker = Breaker::<64>::new(Policy::default(), 1).unwrap();
            let mut now = Instant::from_millis(1);
            let mut call = |breaker: &mut Breaker<64>, latency_ms: u32, failed: bool| {
                now = now + Duration::from_micros(interval_us);
                let outcome = if failed { Outcome::Failed } else { Outcome::Ok };
                breaker.handle_finished(now, breaker.generation(), Latency::from_millis(latency_ms), outcome);
            };
            let count = |millis: u64| millis * 1_000 / interval_us;
            (0..count(20_000)).for_each(|_| call(&mut breaker, 10, false));
            (0..count(1_498)).for_each(|nth| call(&mut breaker, latency_ms, nth % 3 == 0));
            (0..count(60_000)).for_each(|_| call(&mut breaker, 10, false));
            assert_eq!(breaker.last_trip(), None, "a call each {interval_us} us, {latency_ms} ms");
        }
    }
}

/// If every call is slow (fails) from some moment on, it opens within twice the tolerance, or the eighth call.
#[test]
fn what_stays_bad_is_found_within_twice_the_tolerance() {
    for interval_us in [100_u64, 1_000, 10_000, 100_000, 1_000_000] {
        for (latency_ms, outcome) in [(1_600, Outcome::Ok), (9_000, Outcome::Ok), (5, Outcome::Failed)] {
            let mut breaker = Breaker::<64>::new(Policy::default(), 1).unwrap();
            let mut now = Instant::from_millis(1);
            for _ in 0..20_000_000 / interval_us {
                now = now + Duration::from_micros(interval_us);
                breaker.handle_finished(now, breaker.generation(), Latency::from_millis(10), Outcome::Ok);
            }
            let onset = now;
            while breaker.state().kind() == StateKind::Closed && now.since(onset) < Duration::from_secs(60) {
                now = now + Duration::from_micros(interval_us);
                breaker.handle_finished(now, breaker.generation(), Latency::from_millis(latency_ms), outcome);
            }
            let most = Duration::from_millis(3_010).max(Duration::from_micros(interval_us * 14));
            assert!(now.since(onset) <= most, "a call each {interval_us} us, {latency_ms} ms: {:?}", now.since(onset));
            let evidence = breaker.trip_evidence().unwrap();
            assert!(evidence.age_ms >= 1_500, "{evidence:?}");
        }
    }
}
