//! Recovery: without traffic, under a flood, under memory pressure; and the end of an incident.

use std::sync::{Arc, Barrier};
use std::thread;

use tripline_core::{IncidentCause, IncidentEnd, MemoryState, Outcome, RejectionReason, State, StateKind, TripReason};
use tripline_runtime::test_util::{ManualClock, World};
use tripline_runtime::{Breaker, Stage};
use tripline_tests::sim_support::{
    FAST, SLOW, StateLog, kind, ms, no_cooldown, quick, quick_but, recover, report, report_many, s, stages, state, trip,
};

const HEALTHY: Stage = Stage::Resolved(IncidentEnd::Healthy);

fn in_incident(breaker: &Breaker) -> bool {
    breaker.read(tripline_core::Breaker::is_in_incident)
}

#[test]
fn without_traffic_open_stays_until_it_is_asked_and_half_open_stays_too() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    let log = StateLog::watch(&world, breaker);
    trip(&world, breaker);
    world.advance(s(3_600));
    assert_eq!(kind(breaker), StateKind::Open);
    assert!(report(breaker, FAST, Outcome::Ok));
    assert_eq!(state(breaker), State::HalfOpen { admitted: 1, good: 1 });
    world.advance(s(3_600));
    assert_eq!(state(breaker), State::HalfOpen { admitted: 1, good: 1 });
    assert_eq!(stages(&subject), [(1, Stage::Single)]);
    report_many(breaker, 2, FAST, Outcome::Ok);
    world.run_until_idle();
    assert_eq!(log.states(), [StateKind::Closed, StateKind::Open, StateKind::HalfOpen, StateKind::Closed]);
    assert!(log.is_complete());
}

/// Fault 2: after the wait, 1000 of 1000 simultaneous callers are admitted.
#[test]
fn a_flood_at_one_instant_gets_exactly_the_probes() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.half_open_max_calls = 5)).unwrap();
    trip(&world, &subject.breaker);
    world.advance(s(10));
    let admitted: Vec<_> = (0..10_000).filter_map(|_| subject.breaker.try_start_owned().ok()).collect();
    assert_eq!(admitted.len(), 5);
    assert_eq!(subject.breaker.rejected(), 9_995);
}

/// Fault 2 again, with real threads.
#[test]
fn a_flood_from_eight_threads_gets_exactly_the_probes() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(quick()).build().unwrap();
    report_many(&breaker, 5, SLOW, Outcome::Ok);
    clock.advance(s(10));
    let start = Arc::new(Barrier::new(8));
    let threads: Vec<_> = (0..8)
        .map(|_| {
            let (breaker, start) = (breaker.clone(), start.clone());
            thread::spawn(move || {
                start.wait();
                (0..1_250).filter_map(|_| breaker.try_start_owned().ok()).collect::<Vec<_>>()
            })
        })
        .collect();
    let admitted: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!((admitted.len(), breaker.rejected()), (3, 9_997));
    assert_eq!(state(&breaker), State::HalfOpen { admitted: 3, good: 0 });
}

#[test]
fn memory_trips_with_no_call_at_all() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    subject.memory.set_percent(81);
    world.advance(ms(500));
    assert_eq!(kind(&subject.breaker), StateKind::Open);
    assert_eq!(subject.alerts.all()[0].cause, IncidentCause::Trip(TripReason::Memory));
}

#[test]
fn memory_and_a_latency_rule_together_are_reported_as_both() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.minimum_samples = Some(10))).unwrap();
    report_many(&subject.breaker, 9, SLOW, Outcome::Ok);
    subject.breaker.set_policy(&quick()).unwrap();
    subject.memory.set_percent(90);
    world.advance(ms(500));
    let trip = subject.breaker.read(|core| core.last_trip().unwrap());
    assert_eq!(trip.reason, TripReason::MemoryAndLatency);
}

#[test]
fn the_memory_latch_holds_open_until_there_is_room_again() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    subject.memory.set_percent(90);
    world.advance(s(60));
    for percent in [90, 80, 79, 76] {
        subject.memory.set_percent(percent);
        world.advance(s(1));
        let rejection = breaker.try_start().unwrap_err();
        assert_eq!(rejection.reason, RejectionReason::Open(TripReason::Memory), "{percent} %");
        assert_eq!(rejection.retry_after, None, "no time can be told");
    }
    subject.memory.set_percent(74);
    world.advance(s(1));
    recover(&world, breaker);
    assert_eq!(kind(breaker), StateKind::Closed);
    subject.memory.set_percent(79);
    world.advance(s(5));
    assert_eq!(kind(breaker), StateKind::Closed, "below the threshold is not over it");
}

#[test]
fn a_failing_memory_source_is_unknown_and_holds_nothing() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    assert_eq!(breaker.memory_ok(), Some(true));
    subject.memory.set_percent(90);
    world.advance(s(60));
    assert_eq!(breaker.memory_ok(), Some(false));
    assert!(breaker.try_start().is_err());
    subject.memory.set(None);
    world.advance(ms(500));
    assert_eq!(breaker.memory_ok(), None, "unknown is never fine");
    assert!(breaker.try_start().is_ok());
}

#[test]
fn a_memory_reading_that_is_not_renewed_stops_holding() {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(quick()).build().unwrap();
    let full = tripline_core::MemorySample { used: 99, limit: Some(100) };
    breaker.handle_memory(tripline_core::Instant::from_millis(1_000), Some(full));
    assert_eq!(kind(&breaker), StateKind::Open);
    clock.advance(ms(1_500));
    assert_eq!(breaker.read(tripline_core::Breaker::memory_state), MemoryState::Exhausted);
    clock.advance(ms(1));
    assert_eq!(breaker.read(tripline_core::Breaker::memory_state), MemoryState::Unknown);
    clock.advance(s(10));
    assert!(breaker.try_start().is_ok());
}

/// Fault 9: what was simulated is not undone by reset, or forces memory to be fine for ever.
#[test]
fn simulations_hold_the_breaker_open_until_they_are_undone_and_leave_nothing_behind() {
    for undo in [Breaker::undo_simulations, Breaker::reset] {
        let world = World::new(1);
        let subject = world.breaker(quick()).unwrap();
        let breaker = &subject.breaker;
        assert!(breaker.simulate_memory() && breaker.simulate_latency());
        world.advance(s(60));
        assert_eq!(kind(breaker), StateKind::Open);
        assert!(breaker.try_start().is_err());
        assert_eq!((breaker.memory_ok(), breaker.latency_ok()), (Some(false), false));
        undo(breaker);
        recover(&world, breaker);
        assert_eq!(kind(breaker), StateKind::Closed);
        assert_eq!((breaker.memory_ok(), breaker.latency_ok()), (Some(true), true));
        subject.memory.set_percent(90);
        world.advance(s(1));
        assert_eq!(kind(breaker), StateKind::Open, "real memory pressure is seen again");
    }
}

/// Fault 8: samples dated into the future re-trip the breaker after recovery.
#[test]
fn a_simulated_latency_makes_up_no_samples() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    assert!(subject.breaker.simulate_latency());
    assert_eq!(subject.breaker.read(tripline_core::Breaker::samples), 0);
    world.advance(s(10));
    subject.breaker.undo_simulations();
    recover(&world, &subject.breaker);
    report_many(&subject.breaker, 20, FAST, Outcome::Ok);
    world.advance(s(120));
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
}

#[test]
fn a_re_trip_inside_the_incident_sends_no_alert() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.latency_max_age = s(20))).unwrap();
    for _ in 0..5 {
        trip(&world, &subject.breaker);
        assert_eq!(kind(&subject.breaker), StateKind::Open);
        recover(&world, &subject.breaker);
        report_many(&subject.breaker, 10, FAST, Outcome::Ok);
        world.advance(s(29));
    }
    assert_eq!(stages(&subject), [(1, Stage::Single)]);
    world.advance(s(1));
    assert_eq!(stages(&subject), [(1, Stage::Single), (1, HEALTHY)]);
}

#[test]
fn an_incident_ends_after_the_recovery_time_with_enough_calls() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    trip(&world, breaker);
    recover(&world, breaker);
    report_many(breaker, 5, FAST, Outcome::Ok);
    world.advance(ms(29_999));
    assert!(in_incident(breaker));
    world.advance(ms(1));
    assert!(!in_incident(breaker));
    assert_eq!(stages(&subject), [(1, Stage::Single), (1, HEALTHY)]);
}

#[test]
fn with_too_few_calls_an_incident_ends_after_ten_recovery_times() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    trip(&world, breaker);
    recover(&world, breaker);
    report_many(breaker, 4, FAST, Outcome::Ok);
    world.advance(ms(299_999));
    assert!(in_incident(breaker));
    world.advance(ms(1));
    assert_eq!(stages(&subject), [(1, Stage::Single), (1, HEALTHY)]);
}

#[test]
fn enough_calls_after_the_recovery_time_end_the_incident_with_the_last_of_them() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    trip(&world, &subject.breaker);
    recover(&world, &subject.breaker);
    world.advance(s(40));
    for made in 0..5 {
        assert!(in_incident(&subject.breaker), "after {made} calls");
        report(&subject.breaker, FAST, Outcome::Ok);
    }
    world.run_until_idle();
    assert_eq!(stages(&subject), [(1, Stage::Single), (1, HEALTHY)]);
}

#[test]
fn disabling_ends_the_incident_at_once() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    trip(&world, &subject.breaker);
    subject.breaker.disable();
    world.run_until_idle();
    assert_eq!(stages(&subject), [(1, Stage::Single), (1, Stage::Resolved(IncidentEnd::Operator))]);
}

#[test]
fn the_next_incident_after_the_end_alerts_under_the_next_number() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), no_cooldown()).unwrap();
    for _ in 0..3 {
        trip(&world, &subject.breaker);
        recover(&world, &subject.breaker);
        report_many(&subject.breaker, 10, FAST, Outcome::Ok);
        world.advance(s(90));
    }
    let expected: Vec<_> = (1..=3).flat_map(|number| [(number, Stage::Single), (number, HEALTHY)]).collect();
    assert_eq!(stages(&subject), expected);
}
