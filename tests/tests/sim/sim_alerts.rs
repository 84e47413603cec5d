//! Delivery of alerts: once per incident, in order, with retries, and no caller waits for a sink.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tripline_core::{IncidentCause, IncidentEnd, Outcome, StateKind};
use tripline_runtime::test_util::{RecordingSink, World};
use tripline_runtime::{
    Alert, AlertSink, Breaker, BreakerName, DeliveryError, DrainReport, ShutdownHandle, Stage, StagingControl,
    SupervisedBreaker, supervise,
};
use tripline_tests::sim_support::{
    FAST, SLOW, kind, ms, no_cooldown, quick, quick_but, recover, report_many, s, stage, stages, trip,
};

const RESOLVED: Stage = Stage::Resolved(IncidentEnd::Operator);

fn retryable(after: Option<Duration>) -> DeliveryError {
    DeliveryError::Retryable { after, reason: "busy".to_owned() }
}

/// A sink that never answers.
#[derive(Debug)]
struct DeadSink;

#[async_trait]
impl AlertSink for DeadSink {
    fn name(&self) -> &'static str {
        "dead"
    }

    async fn deliver(&self, _: &Alert) -> Result<(), DeliveryError> {
        std::future::pending().await
    }
}

/// A breaker of this name, supervised with these sinks, without a cooldown.
fn watched(world: &World, name: &str, sinks: &[Arc<dyn AlertSink>]) -> (Breaker, SupervisedBreaker) {
    let name = BreakerName::new(name).unwrap();
    let breaker = Breaker::builder(world.clock()).name(name).policy(quick()).build().unwrap();
    let watch = sinks.iter().cloned().fold(SupervisedBreaker::new(breaker.clone()), SupervisedBreaker::sink);
    (breaker, watch.staging(StagingControl::new(no_cooldown())))
}

/// Runs a supervisor and a dispatcher; the dispatcher's final result appears in the cell.
fn run(world: &World, watch: SupervisedBreaker) -> (ShutdownHandle, Rc<Cell<Option<DrainReport>>>) {
    let (supervisor, dispatcher, stop) = supervise(world.clock(), [watch], 1);
    let report = Rc::new(Cell::new(None));
    let place = report.clone();
    world.spawn(supervisor.run());
    world.spawn(async move { place.set(Some(dispatcher.run().await)) });
    world.run_until_idle();
    (stop, report)
}

fn all(sink: &RecordingSink) -> Vec<(u64, Stage)> {
    sink.all().iter().map(stage).collect()
}

/// Fault 15: 50 slow replies in 1 ms send 50 alerts, and 500, 501 and 502 ms are three alerts.
#[test]
fn one_incident_is_one_alert_however_many_slow_calls_it_has() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    for latency in 500..550 {
        report_many(&subject.breaker, 1, ms(latency), Outcome::Ok);
        world.run_until_idle();
    }
    world.advance(s(60));
    assert_eq!(stages(&subject), [(1, Stage::Single)]);
    subject.breaker.reset();
    world.advance(s(60));
    assert_eq!(stages(&subject), [(1, Stage::Single), (1, RESOLVED)]);
}

#[test]
fn an_alert_is_stamped_with_the_time_of_day_of_its_event() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    world.clock().advance(s(86_400));
    world.run_until_idle();
    let at = subject.breaker.clock().system_time();
    trip(&world, &subject.breaker);
    assert_eq!(subject.alerts.all()[0].at, at);
}

/// Fault 16: a failed first connection is never retried.
#[test]
fn a_retryable_failure_is_tried_again_until_it_arrives() {
    for seed in 0..20 {
        let world = World::new(seed);
        let subject = world.breaker(quick()).unwrap();
        (0..3).for_each(|_| subject.alerts.fail_next(retryable(None)));
        trip(&world, &subject.breaker);
        assert_eq!((subject.alerts.attempts(), subject.alerts.all().len()), (1, 0));
        world.advance(s(1 + 2 + 4));
        assert_eq!((subject.alerts.attempts(), subject.alerts.all().len()), (4, 1), "seed {seed}");
    }
}

#[test]
fn attempts_become_rare_but_never_rarer_than_one_a_minute() {
    let world = World::new(7);
    let subject = world.breaker(quick()).unwrap();
    (0..10_000).for_each(|_| subject.alerts.fail_next(retryable(None)));
    trip(&world, &subject.breaker);
    world.advance(s(3_600));
    let attempts = subject.alerts.attempts();
    assert!((60..250).contains(&attempts), "{attempts} in an hour, of waits drawn from 0 to 60 s");
}

#[test]
fn the_servers_own_wait_is_honoured() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    subject.alerts.fail_next(retryable(Some(s(120))));
    trip(&world, &subject.breaker);
    world.advance(ms(119_999));
    assert_eq!(subject.alerts.attempts(), 1);
    world.advance(ms(1));
    assert_eq!(stages(&subject), [(1, Stage::Single)]);
}

#[test]
fn a_rejected_alert_is_tried_again_until_its_incident_ends() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    subject.alerts.fail_next(DeliveryError::Rejected { status: Some(403), reason: "no such key".to_owned() });
    trip(&world, &subject.breaker);
    assert_eq!(subject.alerts.attempts(), 1);
    world.advance(s(5));
    assert_eq!(stages(&subject), [(1, Stage::Single)]);
    subject.breaker.reset();
    world.run_until_idle();
    assert_eq!(stages(&subject), [(1, Stage::Single), (1, RESOLVED)]);
}

#[test]
fn a_resolution_takes_the_place_of_the_alert_that_could_not_be_delivered() {
    for seed in 0..20 {
        let world = World::new(seed);
        let subject = world.breaker(quick()).unwrap();
        (0..4).for_each(|_| subject.alerts.fail_next(retryable(None)));
        trip(&world, &subject.breaker);
        subject.breaker.reset();
        world.advance(s(60));
        assert_eq!(stages(&subject), [(1, RESOLVED)], "seed {seed}: the first alert may have arrived");
    }
}

/// Fault 18: everything waits for an alert service that does not answer.
#[test]
fn a_dead_sink_blocks_neither_requests_nor_the_supervisor_nor_another_sink() {
    let world = World::new(1);
    let live = Arc::new(RecordingSink::default());
    let (breaker, watch) = watched(&world, "payments", &[Arc::new(DeadSink), live.clone()]);
    run(&world, watch);
    for number in 1..=3 {
        trip(&world, &breaker);
        assert!(breaker.try_start().is_err());
        breaker.reset();
        world.run_until_idle();
        assert_eq!(all(&live).last(), Some(&(number, RESOLVED)));
        assert_eq!(report_many(&breaker, 10, FAST, Outcome::Ok), 10);
    }
    let calls: Vec<_> = (0..5).map(|_| breaker.try_start_owned().unwrap()).collect();
    world.advance(s(1));
    breaker.reset();
    drop(calls);
    assert_eq!(breaker.read(|core| core.counts().trips(tripline_core::TripReason::Latency)), 4);
}

#[test]
fn of_the_incidents_that_pass_while_a_sink_is_dead_only_what_is_left_is_delivered() {
    let world = World::new(1);
    let subject = world.staged_breaker(quick(), no_cooldown()).unwrap();
    subject.alerts.fail_next(retryable(Some(s(3_600))));
    for _ in 0..40 {
        trip(&world, &subject.breaker);
        subject.breaker.reset();
        world.run_until_idle();
    }
    trip(&world, &subject.breaker);
    world.advance(s(3_700));
    assert_eq!(stages(&subject), [(1, RESOLVED), (41, Stage::Single)]);
}

#[test]
fn stop_delivers_what_waits_and_is_then_done_at_once() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    let sinks: [Arc<dyn AlertSink>; 1] = [sink.clone()];
    let (breaker, watch) = watched(&world, "payments", &sinks);
    let (stop, report) = run(&world, watch);
    // What has just happened was not polled yet.
    report_many(&breaker, 5, SLOW, Outcome::Ok);
    stop.stop(s(5));
    world.run_until_idle();
    assert_eq!(report.get(), Some(DrainReport { undelivered: 0 }));
    assert_eq!(all(&sink), [(1, Stage::Single)]);
    assert!(!breaker.is_supervised());
}

#[test]
fn stop_retries_within_its_deadline_and_counts_what_is_left_after_it() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    (0..1_000).for_each(|_| sink.fail_next(retryable(None)));
    let (breaker, watch) = watched(&world, "payments", &[Arc::new(DeadSink), sink.clone()]);
    let (stop, report) = run(&world, watch);
    trip(&world, &breaker);
    breaker.reset();
    world.run_until_idle();
    let attempts = sink.attempts();
    stop.stop(s(20));
    world.advance(ms(19_999));
    assert_eq!(report.get(), None);
    assert!(sink.attempts() > attempts);
    world.advance(ms(1));
    assert_eq!(report.get(), Some(DrainReport { undelivered: 2 }), "two sinks, one alert each");
}

/// Fault 17: breaker "payments" alerts as "orders".
#[test]
fn breakers_whose_incidents_overlap_alert_under_their_own_names() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    let names = ["payments", "orders", "stock"];
    let sinks: [Arc<dyn AlertSink>; 1] = [sink.clone()];
    let (breakers, watches): (Vec<_>, Vec<_>) = names.iter().map(|name| watched(&world, name, &sinks)).unzip();
    world.supervise(watches);
    for breaker in &breakers {
        trip(&world, breaker);
    }
    breakers.iter().rev().for_each(|breaker| {
        breaker.reset();
        world.run_until_idle();
    });
    let told: Vec<_> = sink.all().iter().map(|alert| (alert.breaker.to_string(), alert.stage)).collect();
    let initial = names.iter().map(|name| ((*name).to_owned(), Stage::Single));
    let resolved = names.iter().rev().map(|name| ((*name).to_owned(), RESOLVED));
    assert_eq!(told, initial.chain(resolved).collect::<Vec<_>>());
    let rejection = {
        trip(&world, &breakers[1]);
        breakers[1].try_start().unwrap_err()
    };
    assert_eq!(rejection.breaker.as_str(), "orders");
}

#[test]
fn a_latency_condition_that_does_not_trip_alerts_after_the_recovery_time_and_is_resolved() {
    let world = World::new(1);
    let policy = quick_but(|policy| policy.trip_confidence = tripline_core::Confidence::new(0.999).unwrap());
    let subject = world.breaker(policy).unwrap();
    report_many(&subject.breaker, 9, FAST, Outcome::Ok);
    report_many(&subject.breaker, 1, SLOW, Outcome::Ok);
    world.advance(ms(29_999));
    assert_eq!((kind(&subject.breaker), stages(&subject)), (StateKind::Closed, vec![]));
    world.advance(ms(1));
    let alerts = subject.alerts.all();
    assert_eq!(alerts.len(), 1);
    assert_eq!((alerts[0].cause, alerts[0].stage), (IncidentCause::LatencyCondition, Stage::Single));
    // Without further calls the newest five count for an hour.
    world.advance(s(7_200));
    assert_eq!(stages(&subject), [(1, Stage::Single), (1, Stage::Resolved(IncidentEnd::Healthy))]);
}

#[test]
fn a_breaker_that_recovers_by_itself_is_resolved_as_healthy() {
    let world = World::new(1);
    let subject = world.breaker(quick()).unwrap();
    trip(&world, &subject.breaker);
    recover(&world, &subject.breaker);
    report_many(&subject.breaker, 10, FAST, Outcome::Ok);
    world.advance(s(60));
    let last = subject.alerts.all().pop().unwrap();
    assert_eq!(last.stage, Stage::Resolved(IncidentEnd::Healthy));
    assert_eq!(last.snapshot.state, StateKind::Closed);
}
