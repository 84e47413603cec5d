//! Every row of the state table, observed through a shared breaker: admission, transitions and events.

use std::sync::Arc;

use tripline_core::{
    Cause, IncidentCause, IncidentEnd, Outcome, RejectionReason, State, StateKind, TripReason, is_legal,
};
use tripline_runtime::test_util::{ManualClock, World};
use tripline_runtime::{Breaker, Stage};
use tripline_tests::sim_support::{
    FAST, SLOW, StateLog, kind, ms, quick, quick_but, recover, report, report_many, s, stages, state, transitions, trip,
};

const LATENCY: Cause = Cause::Trip(TripReason::Latency);

/// An unsupervised breaker, so that its events wait for the test.
fn lonely(policy: tripline_core::Policy) -> (Arc<ManualClock>, Breaker) {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(policy).build().unwrap();
    (clock, breaker)
}

/// Brings a new breaker to state `to` and discards the events on the way.
fn lonely_in(to: StateKind) -> (Arc<ManualClock>, Breaker) {
    let (clock, breaker) = lonely(quick());
    match to {
        StateKind::Closed => {}
        StateKind::Disabled => breaker.disable(),
        StateKind::ForcedOpen => assert!(breaker.force_open()),
        StateKind::Open | StateKind::HalfOpen => {
            report_many(&breaker, 5, SLOW, Outcome::Ok);
            if to == StateKind::HalfOpen {
                clock.advance(s(10));
                drop(breaker.try_acquire().unwrap());
            }
        }
    }
    transitions(&breaker);
    assert_eq!(kind(&breaker), to);
    (clock, breaker)
}

#[test]
fn each_legal_transition_happens_once_with_its_event_and_one_more_generation() {
    use StateKind::{Closed, Disabled, ForcedOpen, HalfOpen, Open};
    type Act = fn(&ManualClock, &Breaker);
    let slow: Act = |_, breaker| {
        report_many(breaker, 5, SLOW, Outcome::Ok);
    };
    let good: Act = |_, breaker| {
        report_many(breaker, 3, FAST, Outcome::Ok);
    };
    let ask: Act = |clock, breaker| {
        clock.advance(s(10));
        drop(breaker.try_acquire());
    };
    let ask_without_probing: Act = |clock, breaker| {
        breaker.set_policy(&quick_but(|policy| policy.half_open_max_calls = 0)).unwrap();
        clock.advance(s(10));
        drop(breaker.try_acquire());
    };
    let reset: Act = |_, breaker| breaker.reset();
    let enable: Act = |_, breaker| breaker.enable();
    let disable: Act = |_, breaker| breaker.disable();
    let force: Act = |_, breaker| {
        breaker.force_open();
    };
    let memory: Act = |_, breaker| {
        breaker.simulate_memory();
    };
    let table = [
        (Closed, slow, LATENCY, Open),
        (Closed, memory, Cause::Trip(TripReason::Memory), Open),
        (Closed, reset, Cause::Reset, Closed),
        (Closed, disable, Cause::Disable, Disabled),
        (Closed, force, Cause::ForceOpen, ForcedOpen),
        (Open, ask, Cause::WaitOver, HalfOpen),
        (Open, ask_without_probing, Cause::WaitOver, Closed),
        (Open, reset, Cause::Reset, Closed),
        (Open, disable, Cause::Disable, Disabled),
        (Open, force, Cause::ForceOpen, ForcedOpen),
        (HalfOpen, good, Cause::Recovered, Closed),
        (HalfOpen, slow, Cause::Trip(TripReason::ProbeSlow), Open),
        (HalfOpen, memory, Cause::Trip(TripReason::Memory), Open),
        (HalfOpen, reset, Cause::Reset, Closed),
        (HalfOpen, disable, Cause::Disable, Disabled),
        (HalfOpen, force, Cause::ForceOpen, ForcedOpen),
        (Disabled, enable, Cause::Enable, Closed),
        (Disabled, reset, Cause::Reset, Disabled),
        (ForcedOpen, reset, Cause::Reset, Closed),
    ];
    for (from, act, cause, to) in table {
        let (clock, breaker) = lonely_in(from);
        let before = breaker.read(|core| core.generation().get());
        act(&clock, &breaker);
        let what = format!("{from} by {}", cause.as_str());
        assert_eq!(transitions(&breaker), [(from, cause, to)], "{what}");
        assert_eq!(kind(&breaker), to, "{what}");
        assert_eq!(breaker.read(|core| core.generation().get()), before + 1, "{what}");
        assert!(is_legal(from, cause, to), "{what}");
    }
}

#[test]
fn what_the_table_does_not_name_changes_nothing() {
    for from in StateKind::ALL {
        let (clock, breaker) = lonely_in(from);
        match from {
            StateKind::Disabled => {
                assert!(!breaker.force_open() && !breaker.simulate_memory() && !breaker.simulate_latency());
                breaker.disable();
            }
            StateKind::ForcedOpen => {
                assert!(breaker.force_open() && !breaker.simulate_memory() && !breaker.simulate_latency());
                breaker.enable();
            }
            _ => breaker.enable(),
        }
        clock.advance(s(3_600));
        breaker.handle_timeout(clock_now(&breaker));
        assert_eq!(transitions(&breaker), [], "{from}");
        assert_eq!(kind(&breaker), from);
    }
}

fn clock_now(breaker: &Breaker) -> tripline_core::Instant {
    breaker.clock().now()
}

#[test]
fn closed_admits_all_until_the_rule_trips_and_one_alert_is_sent() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let log = StateLog::watch(&world, &subject.breaker);
    assert_eq!(report_many(&subject.breaker, 100, FAST, Outcome::Ok), 100);
    assert_eq!(subject.alerts.all().len(), 0);
    trip(&world, &subject.breaker);
    assert_eq!(log.states(), [StateKind::Closed, StateKind::Open]);
    let alerts = subject.alerts.all();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].stage, Stage::Single);
    assert_eq!(alerts[0].cause, IncidentCause::Trip(TripReason::Latency));
    assert_eq!(alerts[0].snapshot.state, StateKind::Open);
    assert_eq!(alerts[0].snapshot.trip_reason, Some(TripReason::Latency));
    assert_eq!(alerts[0].snapshot.percentile.map(tripline_core::Latency::as_millis), Some(150));
}

/// Fault 4: the first slow request trips a cold breaker.
#[test]
fn the_first_slow_requests_do_not_trip_a_cold_breaker() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    report_many(&subject.breaker, 4, SLOW, Outcome::Ok);
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
    report(&subject.breaker, SLOW, Outcome::Ok);
    assert_eq!(kind(&subject.breaker), StateKind::Open);
    let by_default = world.breaker(tripline_core::Policy::default()).unwrap();
    report_many(&by_default.breaker, 20, s(2), Outcome::Ok);
    assert_eq!(kind(&by_default.breaker), StateKind::Closed);
}

#[test]
fn open_rejects_and_says_why_and_how_long() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    trip(&world, &subject.breaker);
    for (waited, left) in [(0, 10_000), (4_000, 6_000), (5_999, 1)] {
        world.advance(ms(waited));
        let rejection = subject.breaker.try_start().unwrap_err();
        assert_eq!(rejection.reason, RejectionReason::Open(TripReason::Latency));
        assert_eq!(rejection.retry_after, Some(ms(left)));
    }
    assert_eq!(subject.breaker.rejected(), 3);
    world.advance(ms(1));
    assert!(subject.breaker.try_start().is_ok());
}

#[test]
fn without_probes_the_call_that_asks_after_the_wait_closes_the_breaker_and_counts() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.half_open_max_calls = 0)).unwrap();
    let log = StateLog::watch(&world, &subject.breaker);
    trip(&world, &subject.breaker);
    world.advance(s(10));
    assert_eq!(kind(&subject.breaker), StateKind::Open);
    assert!(report(&subject.breaker, SLOW, Outcome::Ok));
    world.run_until_idle();
    assert_eq!(log.states(), [StateKind::Closed, StateKind::Open, StateKind::Closed]);
    assert_eq!(subject.breaker.read(|core| (core.samples(), core.samples_above())), (1, 1));
}

#[test]
fn every_entry_into_closed_forgets_the_window() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    let samples = || breaker.read(tripline_core::Breaker::samples);
    trip(&world, breaker);
    recover(&world, breaker);
    assert_eq!((kind(breaker), samples()), (StateKind::Closed, 0));
    report_many(breaker, 4, SLOW, Outcome::Ok);
    breaker.reset();
    assert_eq!(samples(), 0);
    report_many(breaker, 4, SLOW, Outcome::Ok);
    breaker.disable();
    breaker.enable();
    assert_eq!((kind(breaker), samples()), (StateKind::Closed, 0));
}

#[test]
fn only_reset_leads_out_of_forced_open() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    let permit = breaker.try_start_owned().unwrap();
    breaker.force_open();
    permit.finish(Outcome::Ok);
    subject.memory.set_percent(95);
    world.advance(s(3_600));
    subject.memory.set_percent(10);
    breaker.set_policy(&quick_but(|policy| policy.wait_time = s(1))).unwrap();
    breaker.enable();
    breaker.undo_simulations();
    world.advance(s(3_600));
    let rejection = breaker.try_start().unwrap_err();
    assert_eq!((rejection.reason, rejection.retry_after), (RejectionReason::ForcedOpen, None));
    assert_eq!(kind(breaker), StateKind::ForcedOpen);
    breaker.reset();
    assert_eq!(kind(breaker), StateKind::Closed);
    assert!(breaker.try_start().is_ok());
}

#[test]
fn forced_open_outlasts_disable_and_reset_then_gives_the_disabled_breaker() {
    let (_, breaker) = lonely_in(StateKind::ForcedOpen);
    breaker.disable();
    assert_eq!(kind(&breaker), StateKind::ForcedOpen);
    breaker.reset();
    assert_eq!(transitions(&breaker), [(StateKind::ForcedOpen, Cause::Reset, StateKind::Disabled)]);
}

#[test]
fn disabled_admits_all_and_records_nothing() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    breaker.disable();
    let before = breaker.read(|core| *core.counts());
    assert_eq!(report_many(breaker, 1_000, s(2), Outcome::Failed), 1_000);
    let hanging: Vec<_> = (0..10).map(|_| breaker.try_start_owned().unwrap()).collect();
    subject.memory.set_percent(99);
    world.advance(s(600));
    assert_eq!(kind(breaker), StateKind::Disabled);
    assert_eq!(breaker.read(|core| (core.samples(), core.stalled(), *core.counts())), (0, 0, before));
    assert_eq!(stages(&subject), []);
    subject.memory.set_percent(10);
    world.advance(s(1));
    breaker.enable();
    drop(hanging);
    assert_eq!(kind(breaker), StateKind::Closed);
    assert_eq!(breaker.read(|core| (core.samples(), core.stalled())), (0, 0));
}

#[test]
fn enabling_an_enabled_breaker_changes_nothing() {
    let (_, breaker) = lonely(quick());
    report_many(&breaker, 3, SLOW, Outcome::Ok);
    breaker.enable();
    assert_eq!(breaker.read(|core| (core.samples(), core.generation().get())), (3, 0));
    report_many(&breaker, 2, SLOW, Outcome::Ok);
    let open = state(&breaker);
    breaker.enable();
    assert_eq!(state(&breaker), open);
}

/// Fault 3: while open, every late slow completion re-arms the wait and sends another alert.
#[test]
fn late_results_re_arm_no_wait_and_send_no_alert() {
    let world = World::new(1);
    let subject = world.breaker(quick_but(|policy| policy.wait_time = s(2))).unwrap();
    let late: Vec<_> = (0..20).map(|_| subject.breaker.try_acquire_owned().unwrap()).collect();
    trip(&world, &subject.breaker);
    let open = state(&subject.breaker);
    for permit in late {
        world.advance(ms(50));
        let now = world.now();
        permit.finish(tripline_tests::sim_support::before(now, s(1)), now, Outcome::Ok);
        world.run_until_idle();
        assert_eq!(state(&subject.breaker), open);
    }
    assert_eq!(subject.alerts.all().len(), 1);
    assert_eq!(subject.breaker.read(|core| core.counts().stale), 20);
    world.advance(s(1));
    assert!(subject.breaker.try_start().is_ok());
}

/// Fault 31: a burst that was admitted before is counted against the new state.
#[test]
fn a_burst_of_an_earlier_generation_touches_neither_the_probes_nor_the_new_window() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    let mut late: Vec<_> = (0..40).map(|_| breaker.try_acquire_owned().unwrap()).collect();
    let now = world.now();
    let finish = |permit: tripline_runtime::OwnedPermit| permit.finish(now, now + s(20), Outcome::Failed);
    trip(&world, breaker);
    world.advance(s(10));
    drop(breaker.try_acquire().unwrap());
    late.drain(..20).for_each(finish);
    assert_eq!(state(breaker), State::HalfOpen { admitted: 0, good: 0 });
    recover(&world, breaker);
    late.drain(..).for_each(finish);
    assert_eq!(kind(breaker), StateKind::Closed);
    assert_eq!(breaker.read(|core| (core.samples(), core.counts().stale)), (0, 40));
}

/// The same through the original's interface, which has no permits: the start identifies the generation.
#[test]
fn calls_that_were_allowed_earlier_touch_nothing_when_they_are_done_later() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    let breaker = &subject.breaker;
    let start = world.now();
    assert_eq!((0..40).filter(|_| breaker.allow()).count(), 40);
    world.advance(ms(50));
    trip(&world, breaker);
    world.advance(s(10));
    recover(&world, breaker);
    (0..40).for_each(|_| breaker.done(start, world.now()));
    assert_eq!((kind(breaker), breaker.in_flight()), (StateKind::Closed, 0));
    assert_eq!(breaker.read(tripline_core::Breaker::samples), 0);
}

#[test]
fn an_operators_reset_ends_the_incident_and_closes_what_was_sent() {
    for from in [StateKind::Open, StateKind::HalfOpen, StateKind::ForcedOpen] {
        let world = World::new(1);
        let subject = world.breaker(quick()).unwrap();
        trip(&world, &subject.breaker);
        if from != StateKind::Open {
            world.advance(s(10));
            drop(subject.breaker.try_acquire().unwrap());
        }
        if from == StateKind::ForcedOpen {
            subject.breaker.force_open();
        }
        assert_eq!(kind(&subject.breaker), from);
        subject.breaker.reset();
        world.run_until_idle();
        assert_eq!(stages(&subject), [(1, Stage::Single), (1, Stage::Resolved(IncidentEnd::Operator))], "{from}");
    }
}
