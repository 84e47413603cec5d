//! The histogram of finished calls: which calls it counts, and its sums.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use tripline_runtime::core::{Instant, Latency, Outcome, Policy};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, LatencyHistogram};

const START: Instant = Instant::from_millis(1_000);

fn breaker(stall_detection: bool) -> Breaker {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(300);
    let builder = Breaker::builder(Arc::new(ManualClock::default())).policy(policy).stall_detection(stall_detection);
    builder.latency_histogram(true).build().unwrap()
}

fn call(breaker: &Breaker, millis: u64, outcome: Outcome) {
    breaker.try_acquire().unwrap().finish(START, START + Duration::from_millis(millis), outcome);
}

fn histogram(breaker: &Breaker) -> LatencyHistogram {
    breaker.latency_histogram().unwrap()
}

/// How many calls took at most this long.
fn within(histogram: &LatencyHistogram, millis: u32) -> u64 {
    histogram.cumulative().find(|&(bound, _)| bound == Some(Latency::from_millis(millis))).unwrap().1
}

#[test]
fn without_being_asked_for_there_is_none() {
    let breaker = Breaker::builder(Arc::new(ManualClock::default())).build().unwrap();
    call(&breaker, 5, Outcome::Ok);
    assert_eq!(breaker.latency_histogram(), None);
}

#[test]
fn good_failed_and_slow_calls_count_ignored_and_dropped_ones_do_not() {
    for stall_detection in [false, true] {
        let breaker = breaker(stall_detection);
        call(&breaker, 5, Outcome::Ok);
        call(&breaker, 7, Outcome::Failed);
        call(&breaker, 70_000, Outcome::Ok);
        call(&breaker, 9, Outcome::Ignored);
        drop(breaker.try_acquire().unwrap());
        let seen = histogram(&breaker);
        assert_eq!((seen.count(), seen.sum()), (3, Duration::from_millis(70_012)));
        assert_eq!((within(&seen, 5), within(&seen, 10), within(&seen, 60_000)), (1, 2, 2));
        assert_eq!(seen.cumulative().last(), Some((None, 3)));
    }
}

#[test]
fn a_result_of_an_earlier_generation_counts_and_one_while_disabled_does_not() {
    let breaker = breaker(true);
    let (late, lost) = (breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap());
    breaker.reset();
    late.finish(START, START + Duration::from_millis(400), Outcome::Ok);
    breaker.disable();
    lost.finish(START, START + Duration::from_millis(500), Outcome::Ok);
    call(&breaker, 600, Outcome::Ok);
    let seen = histogram(&breaker);
    assert_eq!((seen.count(), seen.sum()), (1, Duration::from_millis(400)));
}

#[test]
fn whatever_way_threads_report_their_calls_each_counts_once_and_every_reading_adds_up() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 5_000;
    let breaker = breaker(true);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..CALLS).for_each(|_| call(&breaker, 5, Outcome::Ok)));
        }
        for _ in 0..100 {
            let seen = histogram(&breaker);
            assert_eq!(seen.sum(), Duration::from_millis(5 * seen.count()));
        }
    });
    let seen = histogram(&breaker);
    assert_eq!(seen.count() + breaker.reports_dropped(), THREADS * CALLS);
    assert_eq!(seen.count(), breaker.read(|core| core.counts().ok));
}
