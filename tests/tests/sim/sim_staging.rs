//! Staged alerts: each stage once and on time, regardless of other events.

use std::sync::Arc;
use std::time::Duration;

use tripline_core::{Confidence, IncidentCause, IncidentEnd, Outcome, Percentile, StateKind, TripReason};
use tripline_runtime::test_util::{RecordingSink, Subject, World};
use tripline_runtime::{
    Alert, AlertKind, AlertSink, Breaker, BreakerName, EscalationPolicy, Stage, StagingControl, SupervisedBreaker,
    Triggers,
};
use tripline_tests::sim_support::{
    FAST, SLOW, kind, ms, no_cooldown, quick, quick_but, recover, report, report_many, s, stages, staging, transitions,
    trip,
};

use AlertKind::{CircuitOpen, LatencyThreshold, MemoryThreshold};
use Stage::{Escalated, Initial, Single, Superseded};

const HEALTHY: Stage = Stage::Resolved(IncidentEnd::Healthy);
const OPERATOR: Stage = Stage::Resolved(IncidentEnd::Operator);

fn kinds(subject: &Subject) -> Vec<(AlertKind, Stage)> {
    subject.alerts.all().iter().map(|alert| (alert.kind, alert.stage)).collect()
}

fn with_triggers(change: impl FnOnce(&mut Triggers)) -> EscalationPolicy {
    let mut policy = no_cooldown();
    change(&mut policy.triggers);
    policy
}

/// Half-open until a call comes; then the probes are good, and so are enough calls after them.
fn recover_for_good(world: &World, breaker: &Breaker) {
    recover(world, breaker);
    report_many(breaker, 10, FAST, Outcome::Ok);
    world.advance(s(30));
}

/// Holds the latencies above the threshold without tripping: no evidence is enough.
fn held_back() -> tripline_core::Policy {
    quick_but(|policy| policy.trip_confidence = Confidence::new(0.999).unwrap())
}

/// Above the threshold, and held back, since now.
fn begin_condition(breaker: &Breaker) {
    report_many(breaker, 9, FAST, Outcome::Ok);
    report_many(breaker, 1, SLOW, Outcome::Ok);
}

/// Fault 14: staged alerts never escalate.
#[test]
fn an_incident_that_stays_is_alerted_escalated_and_resolved_each_at_its_time() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(60), s(300))).unwrap();
    let began = subject.breaker.clock().system_time();
    trip(&world, &subject.breaker);
    assert_eq!(stages(&subject), [(1, Initial)]);
    world.advance(ms(59_999));
    assert_eq!(stages(&subject), [(1, Initial)]);
    world.advance(ms(1));
    assert_eq!(stages(&subject), [(1, Initial), (1, Escalated)]);
    world.advance(s(3_600));
    recover_for_good(&world, &subject.breaker);
    assert_eq!(stages(&subject), [(1, Initial), (1, Escalated), (1, HEALTHY)]);
    let at: Vec<_> = subject.alerts.all().iter().map(|alert| alert.at.duration_since(began).unwrap()).collect();
    assert_eq!(at, [s(0), s(60), s(3_690)]);
    assert!(subject.alerts.all().iter().all(|alert| alert.started_at == began && alert.kind == CircuitOpen));
}

#[test]
fn an_incident_that_recovers_before_the_escalation_is_only_resolved() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(60), s(300))).unwrap();
    trip(&world, &subject.breaker);
    recover_for_good(&world, &subject.breaker);
    assert_eq!(world.now().as_nanos(), 41_000_000_000);
    world.advance(s(600));
    assert_eq!(stages(&subject), [(1, Initial), (1, HEALTHY)]);
}

#[test]
fn an_escalation_that_falls_due_in_the_recovery_waits_for_the_next_trip() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(20), s(300))).unwrap();
    trip(&world, &subject.breaker);
    recover(&world, &subject.breaker);
    world.advance(s(25));
    assert_eq!((kind(&subject.breaker), stages(&subject)), (StateKind::Closed, vec![(1, Initial)]));
    assert_eq!(subject.staging.pending()[0].due_at, None, "its time has passed");
    trip(&world, &subject.breaker);
    assert_eq!(stages(&subject), [(1, Initial), (1, Escalated)]);
}

#[test]
fn an_escalation_that_is_due_sees_a_breach_that_does_not_trip() {
    let world = World::new(1);
    // A breach that does not rise is held back by the trend.
    let policy = quick_but(|policy| {
        policy.trend_analysis = true;
        policy.percentile = Percentile::new(0.5).unwrap();
    });
    // Nothing else wakes the supervisor.
    let breaker = Breaker::builder(world.clock()).policy(policy).stall_detection(false).build().unwrap();
    let sink = Arc::new(RecordingSink::default());
    let watch = SupervisedBreaker::new(breaker.clone()).sink(sink.clone());
    world.supervise([watch.staging(StagingControl::new(staging(s(20), s(300))))]);
    breaker.simulate_latency();
    breaker.undo_simulations();
    recover(&world, &breaker);
    world.advance(s(25));
    let name = breaker.name().as_str();
    assert_eq!(of(&sink, name), [(1, Initial)]);
    for latency in [300, 90, 280, 90, 260] {
        report(&breaker, ms(latency), Outcome::Ok);
    }
    assert!(breaker.read(tripline_core::Breaker::is_breach));
    assert_eq!(kind(&breaker), StateKind::Closed);
    world.advance(ms(500));
    assert_eq!(of(&sink, name), [(1, Initial), (1, Escalated)]);
}

#[test]
fn a_breaker_that_flaps_inside_one_incident_pages_once() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(600), s(0))).unwrap();
    for _ in 0..20 {
        trip(&world, &subject.breaker);
        recover(&world, &subject.breaker);
        world.advance(s(5));
    }
    assert_eq!(stages(&subject), [(1, Initial)]);
}

#[test]
fn a_breaker_that_flaps_from_incident_to_incident_pages_once_per_cooldown() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(0), s(300))).unwrap();
    for _ in 0..120 {
        trip(&world, &subject.breaker);
        world.advance(s(5));
        subject.breaker.reset();
        world.advance(s(5));
    }
    let began: Vec<u64> = stages(&subject).iter().filter(|(_, stage)| *stage == Single).map(|(it, _)| *it).collect();
    let ended: Vec<u64> = stages(&subject).iter().filter(|(_, stage)| *stage == OPERATOR).map(|(it, _)| *it).collect();
    // 1,200 s, and each incident lasts 5 s of 10.
    assert_eq!(began, [1, 31, 61, 91]);
    assert_eq!(ended, began, "each is closed by its own resolution");
}

#[test]
fn the_alert_of_an_incident_that_outlives_the_cooldown_is_delayed_until_it_is_over() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(0), s(300))).unwrap();
    let begin = subject.breaker.clock().system_time();
    trip(&world, &subject.breaker);
    subject.breaker.reset();
    world.advance(s(100));
    trip(&world, &subject.breaker);
    let pending = &subject.staging.pending()[0];
    assert_eq!((pending.incident, pending.kind, pending.stage), (2, CircuitOpen, None));
    assert_eq!((pending.started_at, pending.due_at), (begin + s(100), Some(begin + s(300))));
    world.advance(ms(199_999));
    assert_eq!(stages(&subject), [(1, Single), (1, OPERATOR)]);
    world.advance(ms(1));
    assert_eq!(stages(&subject), [(1, Single), (1, OPERATOR), (2, Single)]);
    assert!(subject.staging.pending().is_empty());
}

/// Fault 15: 50 slow replies in 1 ms send 50 alerts.
#[test]
fn ten_thousand_slow_replies_in_one_burst_are_one_alert() {
    for seed in 0..5 {
        let world = World::new(seed);
        let subject = world.staged_breaker(quick(), staging(s(60), s(0))).unwrap();
        let permits: Vec<_> = (0..10_000).map(|_| subject.breaker.try_acquire_owned().unwrap()).collect();
        let start = world.now();
        world.clock().advance(ms(150));
        for (latency, permit) in permits.into_iter().enumerate() {
            permit.finish(start, start + ms(101 + latency as u64 % 49), Outcome::Ok);
        }
        world.run_until_idle();
        assert_eq!(stages(&subject), [(1, Initial)]);
        world.advance(s(59));
        assert_eq!(stages(&subject), [(1, Initial)]);
    }
}

struct Named {
    breaker: Breaker,
    staging: StagingControl,
}

/// Breakers with a policy of their own each, one supervisor, one sink.
fn several(world: &World, policies: &[(&str, EscalationPolicy)]) -> (Vec<Named>, Arc<RecordingSink>) {
    let sink = Arc::new(RecordingSink::default());
    let (all, watches): (Vec<_>, Vec<_>) = policies
        .iter()
        .map(|(name, policy)| {
            let name = BreakerName::new(name).unwrap();
            let breaker = Breaker::builder(world.clock()).name(name).policy(quick()).build().unwrap();
            let staging = StagingControl::new(*policy);
            let watch = SupervisedBreaker::new(breaker.clone()).sink(sink.clone()).staging(staging.clone());
            (Named { breaker, staging }, watch)
        })
        .unzip();
    world.supervise(watches);
    (all, sink)
}

fn of(sink: &RecordingSink, name: &str) -> Vec<(u64, Stage)> {
    let alerts = sink.all();
    alerts.iter().filter(|alert| alert.breaker.as_str() == name).map(|alert| (alert.incident, alert.stage)).collect()
}

/// Faults 17 and 19: one global client and one global priority.
#[test]
fn breakers_whose_incidents_overlap_keep_their_own_stages_and_settings() {
    let world = World::new(1);
    let policies = [("single", no_cooldown()), ("quick", staging(s(10), s(0))), ("slow", staging(s(60), s(300)))];
    let (breakers, sink) = several(&world, &policies);
    for (index, it) in breakers.iter().enumerate() {
        trip(&world, &it.breaker);
        world.advance(s(1 + index as u64));
    }
    assert_eq!((of(&sink, "single"), of(&sink, "quick"), of(&sink, "slow")), {
        (vec![(1, Single)], vec![(1, Initial)], vec![(1, Initial)])
    });
    world.advance(s(10));
    assert_eq!(of(&sink, "quick"), [(1, Initial), (1, Escalated)]);
    assert_eq!(of(&sink, "slow"), [(1, Initial)]);
    breakers[1].breaker.reset();
    world.advance(s(60));
    assert_eq!(of(&sink, "slow"), [(1, Initial), (1, Escalated)], "whatever became of the others");
    assert_eq!(of(&sink, "quick"), [(1, Initial), (1, Escalated), (1, OPERATOR)]);
    assert_eq!(of(&sink, "single"), [(1, Single)]);
    for (it, (_, policy)) in breakers.iter().zip(&policies) {
        assert_eq!(it.staging.policy(), *policy);
    }
    trip(&world, &breakers[1].breaker);
    assert_eq!(of(&sink, "quick").last(), Some(&(2, Initial)), "at its own cooldown, and in stages again");
}

/// An input, the changed triggers, and the expected alert.
type TriggerCase = (fn(&Subject), fn(&mut Triggers), Option<AlertKind>);

/// Fault 20: the trigger flags do nothing.
#[test]
fn each_trigger_decides_which_kind_of_alert_memory_and_latency_get() {
    let memory = |subject: &Subject| subject.memory.set_percent(95);
    let latency = |subject: &Subject| {
        report_many(&subject.breaker, 5, SLOW, Outcome::Ok);
    };
    let cases: [TriggerCase; 7] = [
        (latency, |_| {}, Some(CircuitOpen)),
        (memory, |_| {}, Some(CircuitOpen)),
        (latency, |on| on.breaker_open = false, Some(LatencyThreshold)),
        (memory, |on| on.breaker_open = false, Some(MemoryThreshold)),
        (latency, |on| (on.breaker_open, on.latency_threshold) = (false, false), None),
        (memory, |on| (on.breaker_open, on.memory_threshold) = (false, false), None),
        (memory, |on| (on.breaker_open, on.latency_threshold) = (false, false), Some(MemoryThreshold)),
    ];
    for (index, (act, triggers, kind)) in cases.into_iter().enumerate() {
        let world = World::new(1);
        let subject = world.staged_breaker(quick(), with_triggers(triggers)).unwrap();
        act(&subject);
        world.advance(s(1));
        assert!(subject.breaker.read(tripline_core::Breaker::is_in_incident));
        subject.memory.set_percent(10);
        subject.breaker.reset();
        world.run_until_idle();
        let expected: Vec<_> = kind.into_iter().flat_map(|kind| [(kind, Single), (kind, OPERATOR)]).collect();
        assert_eq!(kinds(&subject), expected, "case {index}");
    }
}

#[test]
fn the_trigger_on_reset_adds_its_message_to_the_close_of_an_incident_with_a_trip() {
    for on in [false, true] {
        let world = World::new(1);
        let policy = with_triggers(|triggers| triggers.breaker_reset = on);
        let subject = world.staged_breaker(quick(), policy).unwrap();
        trip(&world, &subject.breaker);
        recover_for_good(&world, &subject.breaker);
        let announced: Vec<bool> = subject.alerts.all().iter().map(|alert| alert.announce_reset).collect();
        assert_eq!(announced, [false, on]);

        let subject = world.staged_breaker(held_back(), policy).unwrap();
        begin_condition(&subject.breaker);
        world.advance(s(30));
        subject.breaker.reset();
        world.run_until_idle();
        let announced: Vec<bool> = subject.alerts.all().iter().map(|alert| alert.announce_reset).collect();
        assert_eq!(announced, [false, false], "it never opened");
    }
}

#[test]
fn a_trip_takes_over_from_the_condition_that_it_follows() {
    let world = World::new(1);
    let subject = world.staged_breaker(held_back(), staging(s(600), s(300))).unwrap();
    begin_condition(&subject.breaker);
    world.advance(s(30));
    assert_eq!(kinds(&subject), [(LatencyThreshold, Initial)]);
    subject.breaker.simulate_memory();
    world.run_until_idle();
    let mut told = kinds(&subject);
    told.sort_by_key(|(kind, stage)| (*kind, stage.is_end()));
    assert_eq!(told, [(CircuitOpen, Initial), (LatencyThreshold, Initial), (LatencyThreshold, Superseded)]);
    let alerts = subject.alerts.all();
    let cause = IncidentCause::LatencyCondition;
    assert!(alerts.iter().all(|alert: &Alert| (alert.incident, alert.cause) == (1, cause)));
    subject.breaker.reset();
    world.run_until_idle();
    assert_eq!(kinds(&subject).last(), Some(&(CircuitOpen, OPERATOR)));
    assert_eq!(kinds(&subject).len(), 4);
}

#[test]
fn events_that_another_reader_took_or_that_were_lost_lose_no_alert() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), no_cooldown()).unwrap();
    report_many(&subject.breaker, 5, SLOW, Outcome::Ok);
    assert!(!transitions(&subject.breaker).is_empty(), "all events are gone");
    world.run_until_idle();
    assert_eq!(stages(&subject), [(1, Single)]);
    // More events than the queue holds; what began the incident is lost.
    subject.breaker.reset();
    report_many(&subject.breaker, 5, SLOW, Outcome::Ok);
    (0..20).for_each(|_| {
        subject.breaker.force_open();
        subject.breaker.reset();
    });
    report_many(&subject.breaker, 5, SLOW, Outcome::Ok);
    transitions(&subject.breaker);
    world.run_until_idle();
    assert_eq!(stages(&subject)[1..], [(1, OPERATOR), (3, Single)]);
}

/// Fault 20: a cooldown of 0 becomes 300.
#[test]
fn settings_changed_in_an_incident_apply_to_it_at_once() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(600), s(300))).unwrap();
    trip(&world, &subject.breaker);
    world.advance(s(100));
    let set = |policy| {
        subject.staging.set_policy(policy);
        world.run_until_idle();
    };
    set(staging(s(1_000), s(300)));
    world.advance(s(600));
    assert_eq!(stages(&subject), [(1, Initial)]);
    set(staging(s(60), s(3_600)));
    assert_eq!(stages(&subject), [(1, Initial), (1, Escalated)]);
    subject.breaker.reset();
    trip(&world, &subject.breaker);
    assert_eq!(stages(&subject).last(), Some(&(1, OPERATOR)));
    set(staging(s(60), s(0)));
    assert_eq!(subject.staging.policy().cooldown, Duration::ZERO);
    assert_eq!(stages(&subject).last(), Some(&(2, Initial)));
}

#[test]
fn a_supervisor_that_takes_the_place_of_another_sends_nothing_twice_and_goes_on() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(60), s(300))).unwrap();
    trip(&world, &subject.breaker);
    subject.stop.stop(s(0));
    world.run_until_idle();
    assert!(!subject.breaker.is_supervised());
    world.advance(s(30));
    let sink: Arc<dyn AlertSink> = subject.alerts.clone();
    world.supervise([SupervisedBreaker::new(subject.breaker.clone()).sink(sink).staging(subject.staging.clone())]);
    world.advance(ms(29_999));
    assert_eq!(stages(&subject), [(1, Initial)]);
    world.advance(ms(1));
    assert_eq!(stages(&subject), [(1, Initial), (1, Escalated)]);
}

/// Fault 21: a staged breaker leaks one background task for ever.
#[test]
fn after_the_stop_nothing_of_a_staged_breaker_is_left() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(60), s(300))).unwrap();
    trip(&world, &subject.breaker);
    assert!(Arc::strong_count(&subject.alerts) > 1 && world.clock().next_wake().is_some());
    subject.stop.stop(s(0));
    world.advance(s(5));
    assert_eq!(Arc::strong_count(&subject.alerts), 1);
    assert_eq!(world.clock().next_wake(), None, "and nobody sleeps");
}

#[test]
fn the_cause_of_an_incident_stays_that_of_its_beginning() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), staging(s(60), s(300))).unwrap();
    trip(&world, &subject.breaker);
    world.advance(s(10));
    report(&subject.breaker, SLOW, Outcome::Ok);
    assert_eq!(subject.breaker.read(|core| core.last_trip().unwrap().reason), TripReason::ProbeSlow);
    world.advance(s(60));
    let causes: Vec<_> = subject.alerts.all().iter().map(|alert| alert.cause).collect();
    assert_eq!(causes, [IncidentCause::Trip(TripReason::Latency); 2]);
}
