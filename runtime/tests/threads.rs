//! Real threads: no admitted call is lost, and the background thread starts, works, stops and drains.
#![cfg(all(feature = "test-util", feature = "smol"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant as Deadline};

use tripline_runtime::MockMemory;
use tripline_runtime::core::{Confidence, Counts, Instant, Latency, MemoryState, Outcome, Policy, StateKind};
use tripline_runtime::test_util::{ManualClock, RecordingSink};
use tripline_runtime::{
    Background, Breaker, Clock, DeliveryError, DrainReport, Stage, SupervisedBreaker, SystemClock, supervise,
};

// Miri interprets: fewer calls.
const THREADS: u64 = if cfg!(miri) { 3 } else { 8 };
const CALLS: u64 = if cfg!(miri) { 60 } else { 4_000 };

fn quick() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.wait_time = Duration::from_millis(1);
    policy
}

fn counted(counts: Counts) -> u64 {
    counts.ok + counts.failed + counts.ignored + counts.stale + counts.dropped
}

/// Waits until it is so; a test that waits in vain fails instead of hanging.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Deadline::now() + Duration::from_secs(30);
    while !is_so() {
        assert!(Deadline::now() < deadline, "waited in vain until {what}");
        thread::yield_now();
    }
}

/// Makes one call in the way that `number` picks.
fn call(breaker: &Breaker, number: u64, latency: Duration) -> bool {
    let outcome = [Outcome::Ok, Outcome::Failed, Outcome::Ignored][(number % 3) as usize];
    let start = breaker.clock().now();
    match number % 4 {
        0 => breaker.try_start().map(|permit| permit.finish_at(start + latency, outcome)).is_ok(),
        1 => breaker.try_acquire().map(|permit| permit.finish(start, start + latency, outcome)).is_ok(),
        2 => breaker.try_start_owned().map(drop).is_ok(),
        _ => breaker.try_acquire_owned().map(|permit| permit.finish(start, start + latency, outcome)).is_ok(),
    }
}

#[test]
fn every_sample_of_every_thread_is_counted() {
    let breaker = Breaker::builder(Arc::new(ManualClock::default())).policy(quick()).build().unwrap();
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..CALLS {
                    let start = Instant::from_millis(1_000);
                    breaker.try_acquire().unwrap().finish(start, start + Duration::from_millis(5), Outcome::Ok);
                }
            });
        }
    });
    let (counts, samples) = breaker.read(|core| (*core.counts(), core.samples()));
    let dropped = breaker.reports_dropped();
    println!("{dropped} of {} reports dropped", THREADS * CALLS);
    assert_eq!((counts.ok + dropped, counted(counts) + dropped), (THREADS * CALLS, THREADS * CALLS));
    assert_eq!((samples, breaker.in_flight(), breaker.rejected()), (64, 0, 0));
}

#[test]
fn while_the_breaker_trips_recovers_and_is_reset_every_call_is_accounted_for_once() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(quick()).build().unwrap();
    let admitted = AtomicU64::new(0);
    let asked = AtomicU64::new(0);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|index| {
                let (breaker, admitted, asked) = (&breaker, &admitted, &asked);
                scope.spawn(move || {
                    let (mut number, mut mine) = (0, 0);
                    while mine < CALLS / 4 {
                        let slow = (number / 200 + index) % 2 == 0;
                        let latency = Duration::from_millis(if slow { 150 } else { 5 });
                        if call(breaker, number, latency) {
                            mine += 1;
                        } else {
                            thread::yield_now();
                        }
                        number += 1;
                    }
                    admitted.fetch_add(mine, Ordering::Relaxed);
                    asked.fetch_add(number, Ordering::Relaxed);
                })
            })
            .collect();
        scope.spawn(|| {
            while !done.load(Ordering::Acquire) {
                clock.advance(Duration::from_millis(1));
                breaker.handle_timeout(clock.now());
                while breaker.poll_event().is_some() {}
                breaker.reset();
                breaker.force_open();
                breaker.reset();
                thread::yield_now();
            }
        });
        for worker in workers {
            worker.join().unwrap();
        }
        done.store(true, Ordering::Release);
    });
    let admitted = admitted.into_inner();
    let counts = breaker.read(|core| *core.counts());
    let dropped = breaker.reports_dropped();
    println!("{dropped} of {admitted} reports dropped");
    assert_eq!(counted(counts) + dropped, admitted);
    assert_eq!(admitted + breaker.rejected(), asked.into_inner());
    assert_eq!(breaker.in_flight(), 0);
}

#[test]
fn the_background_thread_samples_memory_sends_alerts_stops_and_drains() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(quick()).build().unwrap();
    let memory = Arc::new(MockMemory::default());
    let sink = Arc::new(RecordingSink::default());
    let watch = SupervisedBreaker::new(breaker.clone()).memory(memory.clone()).sink(sink.clone());
    let (supervisor, dispatcher, stop) = supervise(clock.clone(), [watch], 1);
    let background = Background::spawn(supervisor, dispatcher, stop).unwrap();
    until("memory is known", || breaker.memory_ok() == Some(true));
    assert!(breaker.is_supervised());
    memory.set_percent(95);
    until("memory has tripped", || {
        clock.advance(Duration::from_millis(1));
        breaker.read(|core| core.state().kind()) == StateKind::Open
    });
    until("somebody was told", || sink.all().len() == 1);
    memory.set_percent(10);
    until("memory is fine", || {
        clock.advance(Duration::from_millis(1));
        breaker.memory_ok() == Some(true)
    });
    breaker.reset();
    assert_eq!(background.stop(Duration::from_secs(3_600)), DrainReport { undelivered: 0 });
    assert_eq!(sink.all().len(), 2);
    assert!(matches!(sink.all()[1].stage, Stage::Resolved(_)));
    assert!(!breaker.is_supervised());
}

#[test]
fn a_background_thread_with_no_time_to_drain_says_what_is_left() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(quick()).build().unwrap();
    let sink = Arc::new(RecordingSink::default());
    for _ in 0..100 {
        sink.fail_next(DeliveryError::Retryable { after: Some(Duration::from_secs(60)), reason: "busy".to_owned() });
    }
    let (supervisor, dispatcher, stop) =
        supervise(clock, [SupervisedBreaker::new(breaker.clone()).sink(sink.clone())], 1);
    let background = Background::spawn(supervisor, dispatcher, stop).unwrap();
    breaker.simulate_latency();
    until("delivery was tried", || sink.attempts() == 1);
    assert_eq!(background.stop(Duration::ZERO), DrainReport { undelivered: 1 });
}

#[test]
fn the_background_thread_runs_on_the_systems_clock() {
    let clock = Arc::new(SystemClock::new());
    let mut policy = quick();
    policy.sample_interval = Duration::from_millis(2);
    policy.latency_threshold = Latency::from_millis(10);
    policy.minimum_samples = Some(5);
    policy.trip_confidence = Confidence::ZERO;
    let breaker = Breaker::builder(clock.clone()).policy(policy).build().unwrap();
    let memory = Arc::new(MockMemory::default());
    let (supervisor, dispatcher, stop) =
        supervise(clock, [SupervisedBreaker::new(breaker.clone()).memory(memory.clone())], 1);
    let background = Background::spawn(supervisor, dispatcher, stop).unwrap();
    until("memory was read", || breaker.read(|core| core.memory_sample().is_some()));
    memory.set(None);
    until("memory is lost", || breaker.read(|core| core.memory_state() == MemoryState::Unknown));
    let hanging: Vec<_> = (0..5).map(|_| breaker.try_start_owned().unwrap()).collect();
    until("hanging calls have tripped", || breaker.read(|core| core.state().kind()) == StateKind::Open);
    drop(hanging);
    assert_eq!(background.stop(Duration::from_secs(60)), DrainReport::default());
}
