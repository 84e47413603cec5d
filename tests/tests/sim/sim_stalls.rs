//! Stalled calls count before they finish.

use std::sync::Arc;

use tripline_core::{Instant, Latency, Outcome, StateKind, TripReason};
use tripline_runtime::test_util::{ManualClock, World};
use tripline_runtime::{Breaker, OwnedTimedPermit};
use tripline_tests::setup::own_time;
use tripline_tests::sim_support::{FAST, SLOW, kind, ms, quick, quick_but, report_many, s, state};

fn start(breaker: &Breaker, count: usize) -> Vec<OwnedTimedPermit> {
    (0..count).map(|_| breaker.try_start_owned().unwrap()).collect()
}

fn stalled(breaker: &Breaker) -> u16 {
    breaker.read(tripline_core::Breaker::stalled)
}

/// Fault 5: hung calls are invisible.
#[test]
fn hanging_calls_trip_long_before_they_finish() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let began = world.now();
    for _ in 0..5 {
        assert!(world.request(&subject.breaker, s(60), Outcome::Ok));
    }
    world.advance(ms(99));
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
    world.advance(s(1));
    let trip = subject.breaker.read(tripline_core::Breaker::last_trip).unwrap();
    assert_eq!(trip.reason, TripReason::Latency);
    assert!(trip.at.since(own_time(began)) <= ms(113), "the threshold, and an eighth of it");
    let open = state(&subject.breaker);
    world.advance(s(60));
    assert_eq!(state(&subject.breaker), open, "their late ends change nothing");
    assert_eq!(subject.alerts.all().len(), 1);
}

/// Fault 5 as it was measured: 10,000 admitted, none done, still closed.
#[test]
fn ten_thousand_allowed_and_none_done_trips() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    assert_eq!((0..10_000).filter(|_| subject.breaker.allow()).count(), 10_000);
    assert!(!subject.breaker.triggered());
    world.advance(ms(120));
    assert!(subject.breaker.triggered());
    assert_eq!(subject.breaker.in_flight(), 10_000);
    assert!(!subject.breaker.allow());
}

#[test]
fn untimed_permits_that_hang_are_seen_too() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let permits: Vec<_> = (0..5).map(|_| subject.breaker.try_acquire_owned().unwrap()).collect();
    world.advance(ms(250));
    assert_eq!(kind(&subject.breaker), StateKind::Open);
    drop(permits);
}

#[test]
fn a_call_that_is_older_than_samples_may_be_no_longer_counts() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.latency_max_age = s(5))).unwrap();
    let calls = start(&subject.breaker, 4);
    world.advance(ms(150));
    assert_eq!(stalled(&subject.breaker), 4);
    world.advance(s(6));
    assert_eq!(stalled(&subject.breaker), 0);
    report_many(&subject.breaker, 4, FAST, Outcome::Ok);
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
    drop(calls);
}

#[test]
fn only_calls_of_the_generation_in_force_count() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    let calls = start(breaker, 20);
    breaker.reset();
    world.advance(s(10));
    assert_eq!((kind(breaker), stalled(breaker)), (StateKind::Closed, 0));
    let new = start(breaker, 3);
    world.advance(ms(150));
    assert_eq!(stalled(breaker), 3);
    drop((calls, new));
    assert_eq!(breaker.in_flight(), 0);
}

#[test]
fn a_stalled_call_counts_as_a_slow_one_beside_the_samples() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    report_many(&subject.breaker, 4, FAST, Outcome::Ok);
    let call = start(&subject.breaker, 1);
    world.advance(ms(90));
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
    world.advance(ms(30));
    assert_eq!(kind(&subject.breaker), StateKind::Open, "one of five is above at 0.95");
    drop(call);
}

#[test]
fn a_stalled_call_that_finishes_is_counted_once_and_its_sample_takes_its_place() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    let mut calls = start(breaker, 4);
    world.advance(ms(150));
    for finished in 1..=4 {
        calls.pop().unwrap().finish(Outcome::Ok);
        let seen = breaker.read(|core| (core.stalled(), core.samples(), core.samples_above()));
        assert_eq!(seen, (4 - finished, finished, finished));
        assert_eq!(kind(breaker), StateKind::Closed, "never more than four");
    }
}

#[test]
fn a_stalled_call_that_is_ignored_leaves_nothing() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let calls = start(&subject.breaker, 4);
    world.advance(ms(150));
    for call in calls {
        call.finish(Outcome::Ignored);
    }
    assert_eq!(subject.breaker.read(|core| (core.stalled(), core.samples())), (0, 0));
}

#[test]
fn without_stall_detection_hanging_calls_are_not_seen_and_cost_nothing() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(quick()).stall_detection(false).build().unwrap();
    let calls = start(&breaker, 1_000);
    clock.advance(s(1));
    assert_eq!((kind(&breaker), stalled(&breaker), breaker.in_flight()), (StateKind::Closed, 0, 0));
    drop(calls);
    assert_eq!(kind(&breaker), StateKind::Open, "dropped old they are slow");
}

#[test]
fn without_a_supervisor_hanging_calls_are_seen_when_another_call_finishes() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(quick()).build().unwrap();
    let calls = start(&breaker, 5);
    clock.advance(s(1));
    assert!(!breaker.is_supervised());
    let other = breaker.try_start().expect("asking alone sees nothing");
    other.finish(Outcome::Ok);
    assert!(breaker.try_start().is_err());
    assert_eq!(breaker.read(|core| core.last_trip().map(|trip| trip.reason)), Some(TripReason::Latency));
    drop(calls);
}

#[test]
fn a_lower_threshold_makes_calls_in_flight_stalled() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.latency_threshold = Latency::from_millis(10_000))).unwrap();
    let calls = start(&subject.breaker, 5);
    world.advance(s(1));
    assert_eq!(stalled(&subject.breaker), 0);
    subject.breaker.set_policy(&quick()).unwrap();
    world.advance(s(10));
    assert_eq!(kind(&subject.breaker), StateKind::Open);
    drop(calls);
}

#[test]
fn one_jump_forward_ends_waits_and_ages_and_leaves_nothing_stuck() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    report_many(breaker, 4, SLOW, Outcome::Ok);
    world.clock().set(Instant::from_millis(86_400_000));
    world.run_until_idle();
    assert_eq!(breaker.read(tripline_core::Breaker::samples), 0);
    report_many(breaker, 5, SLOW, Outcome::Ok);
    assert_eq!(kind(breaker), StateKind::Open);
    world.clock().advance(s(86_400));
    assert_eq!(report_many(breaker, 3, FAST, Outcome::Ok), 3);
    assert_eq!(kind(breaker), StateKind::Closed);
}

#[test]
fn after_a_jump_back_hanging_calls_are_still_seen() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    world.advance(s(3_600));
    let calls = start(breaker, 5);
    world.clock().set(Instant::from_millis(2_000));
    // Two readings of the clock: the second one confirms that it was set back.
    for _ in 0..2 {
        breaker.handle_timeout(world.now());
    }
    world.run_until_idle();
    assert_eq!(breaker.read(tripline_core::Breaker::clock_jumps), 1);
    world.advance(ms(250));
    assert_eq!(kind(breaker), StateKind::Open);
    drop(calls);
}

#[test]
fn after_a_jump_back_an_open_breaker_still_comes_back() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    world.advance(s(3_600));
    report_many(breaker, 5, SLOW, Outcome::Ok);
    world.clock().set(Instant::from_millis(2_000));
    assert!((0..2).all(|_| breaker.try_start().is_err()));
    world.advance(s(11));
    assert!(breaker.try_start().is_ok());
}

#[test]
fn after_a_jump_back_memory_is_still_sampled() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    world.advance(s(3_600));
    world.clock().set(Instant::from_millis(2_000));
    for _ in 0..2 {
        subject.breaker.handle_timeout(world.now());
    }
    subject.memory.set_percent(95);
    world.advance(s(5));
    assert_eq!(kind(&subject.breaker), StateKind::Open);
}
