//! Half-open: which calls are probes, the effect of each result, and how the wait grows and falls back.

use std::sync::Arc;
use std::time::Duration;

use tripline_core::{Outcome, Policy, Ratio, RejectionReason, State, StateKind, TripReason};
use tripline_runtime::Breaker;
use tripline_runtime::test_util::{ManualClock, Subject, World};
use tripline_tests::sim_support::{
    FAST, SLOW, kind, ms, quick, quick_but, recover, report, report_many, s, state, trip,
};

/// A supervised breaker whose wait is just over.
fn ready_to_probe(world: &World, policy: Policy) -> Subject {
    let subject = world.breaker(policy).unwrap();
    trip(world, &subject.breaker);
    world.advance(s(10));
    subject
}

fn with_failure_rule(policy: &mut Policy) {
    policy.failure_rate_threshold = Ratio::new(0.5).unwrap();
}

fn last_reason(breaker: &Breaker) -> Option<TripReason> {
    breaker.read(|core| core.last_trip().map(|trip| trip.reason))
}

/// The wait that an open breaker was given when it opened last.
fn wait(breaker: &Breaker) -> Duration {
    let (state, at) = breaker.read(|core| (core.state(), core.last_trip().unwrap().at));
    match state {
        State::Open { until } => until.since(at),
        other => panic!("not open but {other:?}"),
    }
}

/// Lets the wait pass, and makes the following probe slow.
fn fail_a_probe(world: &World, breaker: &Breaker) {
    world.advance(wait(breaker));
    assert!(report(breaker, SLOW, Outcome::Ok));
    world.run_until_idle();
}

#[test]
fn no_more_probes_are_out_than_allowed_and_each_good_one_keeps_its_place() {
    let world = World::new(1);
    let subject = ready_to_probe(&world, quick());
    let breaker = &subject.breaker;
    let mut probes: Vec<_> = (0..3).map(|_| breaker.try_start_owned().unwrap()).collect();
    let rejection = breaker.try_start().unwrap_err();
    assert_eq!((rejection.reason, rejection.retry_after), (RejectionReason::Probing, Some(ms(100))));
    probes.pop().unwrap().finish(Outcome::Ok);
    assert_eq!(state(breaker), State::HalfOpen { admitted: 3, good: 1 });
    assert!(breaker.try_start().is_err());
    probes.pop().unwrap().finish(Outcome::Ok);
    assert_eq!(kind(breaker), StateKind::HalfOpen);
    probes.pop().unwrap().finish(Outcome::Ok);
    assert_eq!(kind(breaker), StateKind::Closed);
}

#[test]
fn the_first_slow_probe_opens_and_the_late_good_ones_change_nothing() {
    let world = World::new(1);
    let subject = ready_to_probe(&world, quick());
    let breaker = &subject.breaker;
    let good: Vec<_> = (0..2).map(|_| breaker.try_start_owned().unwrap()).collect();
    assert!(report(breaker, SLOW, Outcome::Ok));
    let open = state(breaker);
    assert_eq!(last_reason(breaker), Some(TripReason::ProbeSlow));
    for permit in good {
        permit.finish(Outcome::Ok);
    }
    assert_eq!(state(breaker), open);
}

#[test]
fn a_probe_is_slow_from_the_moment_it_is_too_old_returned_or_not() {
    let world = World::new(1);
    let subject = ready_to_probe(&world, quick());
    let probe = subject.breaker.try_start_owned().unwrap();
    world.advance(ms(99));
    assert_eq!(kind(&subject.breaker), StateKind::HalfOpen);
    world.advance(ms(2));
    assert_eq!(kind(&subject.breaker), StateKind::Open);
    assert_eq!(last_reason(&subject.breaker), Some(TripReason::ProbeSlow));
    drop(probe);
}

#[test]
fn a_failed_probe_opens_where_the_failure_rule_is_on_and_gives_its_place_back_where_not() {
    for (rule, expected) in [(true, StateKind::Open), (false, StateKind::HalfOpen)] {
        let world = World::new(1);
        let policy = if rule { quick_but(with_failure_rule) } else { quick() };
        let subject = ready_to_probe(&world, policy);
        let breaker = &subject.breaker;
        assert!(report(breaker, FAST, Outcome::Failed));
        assert_eq!(kind(breaker), expected, "failure rule {rule}");
        if rule {
            assert_eq!(last_reason(breaker), Some(TripReason::ProbeFailed));
        } else {
            assert_eq!(state(breaker), State::HalfOpen { admitted: 0, good: 0 });
        }
    }
}

#[test]
fn fast_failed_and_ignored_probes_never_wedge_and_never_close() {
    let world = World::new(1);
    let subject = ready_to_probe(&world, quick());
    let breaker = &subject.breaker;
    for outcome in [Outcome::Failed, Outcome::Ignored] {
        assert_eq!(report_many(breaker, 100, FAST, outcome), 100);
        assert_eq!(state(breaker), State::HalfOpen { admitted: 0, good: 0 });
    }
    assert_eq!(report_many(breaker, 3, FAST, Outcome::Ok), 3);
    assert_eq!(kind(breaker), StateKind::Closed);
}

#[test]
fn a_probe_dropped_young_gives_its_place_back() {
    let world = World::new(1);
    let subject = ready_to_probe(&world, quick());
    let breaker = &subject.breaker;
    for _ in 0..20 {
        let probe = breaker.try_start_owned().unwrap();
        world.advance(ms(40));
        drop(probe);
    }
    assert_eq!(state(breaker), State::HalfOpen { admitted: 0, good: 0 });
}

/// Unsupervised, so that the drop itself decides.
#[test]
fn a_probe_dropped_old_is_slow() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(quick()).stall_detection(false).build().unwrap();
    report_many(&breaker, 5, SLOW, Outcome::Ok);
    clock.advance(s(10));
    let probe = breaker.try_start_owned().unwrap();
    clock.advance(ms(150));
    drop(probe);
    assert_eq!(last_reason(&breaker), Some(TripReason::ProbeSlow));
}

#[test]
fn probes_lost_for_good_do_not_wedge_a_supervised_breaker() {
    let world = World::new(1);
    let subject = ready_to_probe(&world, quick());
    let breaker = &subject.breaker;
    for _ in 0..3 {
        std::mem::forget(breaker.try_acquire_owned().unwrap());
    }
    assert!(breaker.try_start().is_err());
    world.advance(ms(101));
    assert_eq!((kind(breaker), last_reason(breaker)), (StateKind::Open, Some(TripReason::ProbeSlow)));
    recover(&world, breaker);
    assert_eq!(kind(breaker), StateKind::Closed);
}

#[test]
fn probes_lost_for_good_do_not_wedge_a_breaker_without_supervisor_and_stall_detection() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(quick()).stall_detection(false).build().unwrap();
    report_many(&breaker, 5, SLOW, Outcome::Ok);
    clock.advance(s(10));
    for _ in 0..3 {
        std::mem::forget(breaker.try_acquire_owned().unwrap());
    }
    clock.advance(ms(101));
    assert_eq!(breaker.try_start().unwrap_err().reason, RejectionReason::Open(TripReason::ProbeSlow));
    clock.advance(s(20));
    assert_eq!(report_many(&breaker, 3, FAST, Outcome::Ok), 3);
    assert_eq!(kind(&breaker), StateKind::Closed);
}

#[test]
fn the_memory_latch_opens_a_half_open_breaker() {
    let world = World::new(1);
    let subject = ready_to_probe(&world, quick());
    drop(subject.breaker.try_acquire().unwrap());
    assert_eq!(kind(&subject.breaker), StateKind::HalfOpen);
    subject.memory.set_percent(90);
    world.advance(ms(500));
    assert_eq!(kind(&subject.breaker), StateKind::Open);
    assert_eq!(last_reason(&subject.breaker), Some(TripReason::Memory));
    assert_eq!(wait(&subject.breaker), s(20));
}

#[test]
fn the_wait_grows_with_each_failed_probe_up_to_the_longest() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.max_wait_time = s(60))).unwrap();
    trip(&world, &subject.breaker);
    let mut waits = vec![wait(&subject.breaker)];
    for _ in 0..5 {
        fail_a_probe(&world, &subject.breaker);
        waits.push(wait(&subject.breaker));
    }
    assert_eq!(waits, [s(10), s(20), s(40), s(60), s(60), s(60)]);
    assert_eq!(subject.alerts.all().len(), 1, "one incident, one alert");
}

#[test]
fn the_jitter_of_a_grown_wait_stays_in_its_bounds_and_replicas_differ() {
    let waits: Vec<_> = (0..200)
        .map(|seed| {
            let world = World::new(seed);
            let subject = world.breaker(quick_but(|policy| policy.wait_jitter = Ratio::new(0.1).unwrap())).unwrap();
            trip(&world, &subject.breaker);
            assert!(wait(&subject.breaker) >= s(9) && wait(&subject.breaker) <= s(11));
            fail_a_probe(&world, &subject.breaker);
            wait(&subject.breaker)
        })
        .collect();
    assert!(waits.iter().all(|&wait| (s(18)..=s(22)).contains(&wait)), "{waits:?}");
    assert!(waits.iter().any(|&wait| wait < ms(18_500)) && waits.iter().any(|&wait| wait > ms(21_500)));
}

#[test]
fn a_re_trip_inside_the_incident_keeps_the_grown_wait_and_its_end_brings_the_first_one_back() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    trip(&world, breaker);
    fail_a_probe(&world, breaker);
    fail_a_probe(&world, breaker);
    recover(&world, breaker);
    trip(&world, breaker);
    assert_eq!(wait(breaker), s(40), "the incident goes on");
    recover(&world, breaker);
    report_many(breaker, 10, FAST, Outcome::Ok);
    world.advance(s(31));
    assert!(!breaker.read(tripline_core::Breaker::is_in_incident));
    trip(&world, breaker);
    assert_eq!(wait(breaker), s(10));
}

#[test]
fn another_number_of_probes_or_threshold_applies_from_the_next_half_open() {
    let world = World::new(1);
    let subject = ready_to_probe(&world, quick());
    let breaker = &subject.breaker;
    drop(breaker.try_acquire().unwrap());
    let lax = quick_but(|policy| {
        policy.half_open_max_calls = 1;
        policy.latency_threshold = tripline_core::Latency::from_millis(1_000);
    });
    breaker.set_policy(&lax).unwrap();
    report(breaker, FAST, Outcome::Ok);
    assert_eq!(state(breaker), State::HalfOpen { admitted: 1, good: 1 });
    report(breaker, SLOW, Outcome::Ok);
    assert_eq!(kind(breaker), StateKind::Open);
    world.advance(s(20));
    report(breaker, SLOW, Outcome::Ok);
    assert_eq!(kind(breaker), StateKind::Closed);
}
