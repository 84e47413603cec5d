//! New settings reach the running breaker and lose no state (fault 1 of go-breaker: they are saved and never applied).

use std::num::NonZeroU16;

use tripline_core::{Latency, MemoryThreshold, Outcome, Percentile, Policy, State, StateKind};
use tripline_runtime::Breaker;
use tripline_runtime::test_util::World;
use tripline_tests::setup::own_time;
use tripline_tests::sim_support::{FAST, SLOW, kind, ms, quick, quick_but, report, report_many, s, state, trip};

fn set(breaker: &Breaker, change: impl FnOnce(&mut Policy)) {
    breaker.set_policy(&quick_but(change)).unwrap();
}

fn latencies(breaker: &Breaker) -> Vec<u32> {
    breaker.read(|core| core.latencies().map(Latency::as_millis).collect())
}

fn generation(breaker: &Breaker) -> u32 {
    breaker.read(|core| core.generation().get())
}

fn size(policy: &mut Policy, size: u16) {
    policy.latency_window_size = NonZeroU16::new(size).unwrap();
}

#[test]
fn another_threshold_recounts_the_window_and_decides_with_the_next_sample() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    report_many(breaker, 10, ms(80), Outcome::Ok);
    assert!(breaker.latency_ok());
    set(breaker, |policy| policy.latency_threshold = Latency::from_millis(50));
    assert_eq!(breaker.read(|core| (core.samples(), core.samples_above())), (10, 10));
    assert_eq!((kind(breaker), breaker.latency_ok()), (StateKind::Closed, false));
    report(breaker, ms(80), Outcome::Ok);
    assert_eq!(kind(breaker), StateKind::Open);
}

#[test]
fn a_higher_threshold_forgives_what_the_window_holds() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    report_many(&subject.breaker, 4, SLOW, Outcome::Ok);
    set(&subject.breaker, |policy| policy.latency_threshold = Latency::from_millis(200));
    report_many(&subject.breaker, 6, SLOW, Outcome::Ok);
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
}

#[test]
fn a_smaller_window_keeps_the_newest_samples_and_a_larger_one_all() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    for latency in 1..=10 {
        report(breaker, ms(latency), Outcome::Ok);
    }
    set(breaker, |policy| size(policy, 4));
    assert_eq!(latencies(breaker), [7, 8, 9, 10]);
    set(breaker, |policy| size(policy, 1_024));
    assert_eq!(latencies(breaker), [7, 8, 9, 10]);
    report_many(breaker, 1_020, FAST, Outcome::Ok);
    assert_eq!(breaker.read(tripline_core::Breaker::samples), 1_024);
    report(breaker, FAST, Outcome::Ok);
    assert_eq!(latencies(breaker)[..4], [8, 9, 10, 10]);
}

#[test]
fn a_window_that_does_not_fit_is_rejected_and_nothing_changes() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    report_many(&subject.breaker, 4, SLOW, Outcome::Ok);
    let too_large = quick_but(|policy| {
        size(policy, 1_025);
        policy.enabled = false;
    });
    let error = subject.breaker.set_policy(&too_large).unwrap_err();
    assert_eq!((error.latency_window_size, error.capacity), (1_025, 1_024));
    assert_eq!(subject.breaker.read(|core| (core.policy(), core.samples())), (quick(), 4));
    assert!(world.breaker(too_large).is_err());
}

#[test]
fn another_percentile_decides_with_the_next_sample() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.percentile = Percentile::new(0.5).unwrap())).unwrap();
    let breaker = &subject.breaker;
    report_many(breaker, 7, FAST, Outcome::Ok);
    report_many(breaker, 3, SLOW, Outcome::Ok);
    assert_eq!((kind(breaker), breaker.latency_ok()), (StateKind::Closed, true));
    set(breaker, |policy| policy.percentile = Percentile::new(0.95).unwrap());
    assert_eq!(breaker.read(|core| core.percentile().map(Latency::as_millis)), Some(150));
    report(breaker, FAST, Outcome::Ok);
    assert_eq!(kind(breaker), StateKind::Open);
}

#[test]
fn fewer_minimum_samples_decide_with_the_next_sample() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.minimum_samples = Some(10))).unwrap();
    report_many(&subject.breaker, 5, SLOW, Outcome::Ok);
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
    set(&subject.breaker, |policy| policy.minimum_samples = Some(6));
    report(&subject.breaker, SLOW, Outcome::Ok);
    assert_eq!(kind(&subject.breaker), StateKind::Open);
}

#[test]
fn another_memory_threshold_is_held_against_the_memory_in_use() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    subject.memory.set_percent(70);
    world.advance(s(5));
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
    set(&subject.breaker, |policy| policy.memory_threshold = MemoryThreshold::new(0.6).unwrap());
    world.advance(ms(500));
    assert_eq!(kind(&subject.breaker), StateKind::Open);
    set(&subject.breaker, |_| {});
    world.advance(s(10));
    assert!(subject.breaker.try_start().is_ok(), "70 % is below 80 - 5 %");
}

#[test]
fn a_shorter_age_forgets_what_is_too_old_under_it() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    report_many(&subject.breaker, 4, SLOW, Outcome::Ok);
    world.advance(s(10));
    set(&subject.breaker, |policy| policy.latency_max_age = s(5));
    report(&subject.breaker, SLOW, Outcome::Ok);
    assert_eq!((kind(&subject.breaker), latencies(&subject.breaker)), (StateKind::Closed, vec![150]));
}

#[test]
fn another_wait_is_that_of_the_next_trip() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    set(&subject.breaker, |policy| policy.wait_time = s(3));
    let now = world.now();
    trip(&world, &subject.breaker);
    assert_eq!(state(&subject.breaker), State::Open { until: own_time(now + s(3)) });
}

#[test]
fn enabled_in_the_settings_acts_as_enable_and_disable() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.enabled = false)).unwrap();
    let breaker = &subject.breaker;
    assert_eq!((kind(breaker), breaker.enabled()), (StateKind::Disabled, false));
    report_many(breaker, 20, SLOW, Outcome::Ok);
    set(breaker, |_| {});
    assert_eq!((kind(breaker), breaker.enabled()), (StateKind::Closed, true));
    assert_eq!(breaker.read(tripline_core::Breaker::samples), 0);
    report_many(breaker, 4, SLOW, Outcome::Ok);
    set(breaker, |policy| policy.enabled = false);
    assert_eq!(report_many(breaker, 20, SLOW, Outcome::Ok), 20);
    set(breaker, |_| {});
    assert_eq!((kind(breaker), breaker.read(tripline_core::Breaker::samples)), (StateKind::Closed, 0));
    assert_eq!(generation(breaker), 3);
}

#[test]
fn no_other_setting_begins_a_new_generation_or_loses_a_sample_or_a_call_in_flight() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    report_many(breaker, 3, FAST, Outcome::Ok);
    let call = breaker.try_start_owned().unwrap();
    let changes: [fn(&mut Policy); 9] = [
        |policy| policy.latency_threshold = Latency::from_millis(5),
        |policy| policy.percentile = Percentile::new(0.5).unwrap(),
        |policy| size(policy, 1_000),
        |policy| policy.minimum_samples = None,
        |policy| policy.trend_analysis = true,
        |policy| policy.trip_confidence = tripline_core::Confidence::new(0.99).unwrap(),
        |policy| policy.wait_time = s(1),
        |policy| policy.half_open_max_calls = 0,
        |policy| policy.memory_threshold = MemoryThreshold::new(0.9).unwrap(),
    ];
    for change in changes {
        set(breaker, change);
        world.run_until_idle();
        assert_eq!((generation(breaker), latencies(breaker).len()), (0, 3));
    }
    set(breaker, |_| {});
    call.finish(Outcome::Ok);
    assert_eq!(latencies(breaker).len(), 4);
}
