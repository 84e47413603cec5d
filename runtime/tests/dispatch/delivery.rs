//! Delivery of alerts to a sink that is slow, rejects, is down or recovers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{RESOLVED, busy, run, run_two, s, stages, staging};
use async_trait::async_trait;
use tripline_runtime::test_util::{RecordingSink, World};
use tripline_runtime::{
    Alert, AlertKind, AlertSink, DeliveryError, DeliveryHistory, DeliveryStatus, DrainReport, Stage,
};

const LONG: Duration = s(3_600);

/// A sink that answers from a list, then takes everything; it remembers every attempt.
#[derive(Debug, Default)]
struct Scripted {
    answers: Mutex<VecDeque<Result<(), DeliveryError>>>,
    tried: Mutex<Vec<Alert>>,
}

impl Scripted {
    fn new(answers: impl IntoIterator<Item = Result<(), DeliveryError>>) -> Arc<Self> {
        Arc::new(Self { answers: Mutex::new(answers.into_iter().collect()), tried: Mutex::default() })
    }

    fn tried(&self) -> Vec<(u64, Stage)> {
        stages(&self.tried.lock().unwrap())
    }

    fn earlier(&self) -> Vec<DeliveryHistory> {
        self.tried.lock().unwrap().iter().map(|alert| alert.earlier).collect()
    }
}

#[async_trait]
impl AlertSink for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        self.tried.lock().unwrap().push(alert.clone());
        self.answers.lock().unwrap().pop_front().unwrap_or(Ok(()))
    }
}

/// A sink that never answers.
#[derive(Debug)]
struct Dead;

#[async_trait]
impl AlertSink for Dead {
    fn name(&self) -> &'static str {
        "dead"
    }

    async fn deliver(&self, _: &Alert) -> Result<(), DeliveryError> {
        std::future::pending().await
    }
}

fn pending(after: Duration) -> Result<(), DeliveryError> {
    Err(DeliveryError::Pending { after })
}

fn parts(earlier: &[DeliveryHistory]) -> Vec<(DeliveryStatus, DeliveryStatus)> {
    earlier.iter().map(|earlier| (earlier.created, earlier.escalated)).collect()
}

#[test]
fn each_attempt_says_what_was_sent_before_it() {
    use DeliveryStatus::{Confirmed, NotSent, Unconfirmed};
    let world = World::new(1);
    let sink = Scripted::new([Err(busy(None)), Ok(()), Err(busy(None))]);
    let running = run(&world, s(100), &sink);
    running.trip(&world);
    world.advance(s(90));
    world.advance(s(70));
    running.reset(&world);
    assert_eq!(
        sink.tried(),
        [(1, Stage::Initial), (1, Stage::Initial), (1, Stage::Escalated), (1, Stage::Escalated), (1, RESOLVED)]
    );
    assert_eq!(
        parts(&sink.earlier()),
        [
            (NotSent, NotSent),
            (Unconfirmed, NotSent),
            (Confirmed, NotSent),
            (Confirmed, Unconfirmed),
            (Confirmed, Confirmed),
        ]
    );
    assert_eq!(running.count("scripted", "initial"), (1, 1, 0, 0));
    assert_eq!(running.count("scripted", "escalated"), (1, 1, 0, 0));
    assert_eq!(running.count("scripted", "resolved"), (1, 0, 0, 0));
}

#[test]
fn a_service_that_was_down_for_an_hour_gets_one_alert_at_the_right_stage() {
    for seed in 0..20 {
        let world = World::new(seed);
        let sink = Arc::new(RecordingSink::default());
        sink.set_down(Some(busy(None)));
        let running = run(&world, s(300), &sink);
        running.trip(&world);
        world.advance(LONG);
        let attempts = sink.attempts();
        assert!((60..250).contains(&attempts), "{attempts} attempts in an hour");
        assert_eq!(running.waiting(), 1);
        sink.set_down(None);
        world.advance(s(60));
        assert_eq!(stages(&sink.all()), [(1, Stage::Escalated)], "seed {seed}");
        assert_eq!(sink.all()[0].earlier.created, DeliveryStatus::Unconfirmed);
        assert_eq!(sink.open().len(), 1);
        assert_eq!(sink.attempts(), attempts + 1);
    }
}

#[test]
fn a_service_that_was_down_for_a_whole_incident_gets_no_alert() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    sink.set_down(Some(busy(None)));
    let running = run(&world, s(300), &sink);
    running.trip(&world);
    world.advance(LONG);
    running.reset(&world);
    sink.set_down(None);
    world.advance(s(60));
    // The first may have arrived, so it is closed.
    assert_eq!(stages(&sink.all()), [(1, RESOLVED)]);
    assert!(sink.open().is_empty());
}

#[test]
fn an_alert_that_arrived_though_the_answer_was_lost_is_closed() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    sink.take_next_but_fail(busy(Some(s(60))));
    let running = run(&world, s(300), &sink);
    running.trip(&world);
    running.reset(&world);
    assert_eq!(sink.open().len(), 1);
    world.advance(s(60));
    assert_eq!(stages(&sink.all()), [(1, Stage::Initial), (1, RESOLVED)]);
    assert!(sink.open().is_empty());
}

#[test]
fn ten_thousand_incidents_while_the_sinks_are_dead_leave_little_behind_and_nothing_open() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    sink.set_down(Some(busy(None)));
    let running = run_two(&world, s(0), Dead, &sink);
    for _ in 0..10_000 {
        running.trip(&world);
        assert!(running.waiting() <= 4);
        running.reset(&world);
    }
    // Of each sink the first incident's close.
    assert_eq!(running.waiting(), 2);
    running.trip(&world);
    sink.set_down(None);
    world.advance(s(60));
    assert_eq!(stages(&sink.all()), [(1, RESOLVED), (10_001, Stage::Single)]);
    assert_eq!(running.count("recording", "single").0, 1);
}

#[test]
fn a_dead_sink_does_not_delay_another() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    let running = run_two(&world, s(0), Dead, &sink);
    running.trip(&world);
    running.reset(&world);
    assert_eq!(stages(&sink.all()), [(1, Stage::Single), (1, RESOLVED)]);
    assert_eq!((running.count("dead", "single"), running.count("dead", "resolved")), ((0, 0, 0, 0), (0, 0, 0, 1)));
}

#[test]
fn an_alert_that_is_rejected_for_an_hour_does_not_delay_one_of_another_kind() {
    let world = World::new(1);
    let sink = Scripted::new([Err(busy(Some(s(600))))]);
    let running = run(&world, s(0), &sink);
    let mut policy = staging(s(0));
    policy.triggers.breaker_open = false;
    running.staging.set_policy(policy);
    running.trip(&world);
    running.reset(&world);
    running.staging.set_policy(staging(s(0)));
    running.trip(&world);
    let kinds: Vec<_> = sink.tried.lock().unwrap().iter().map(|alert| (alert.incident, alert.kind)).collect();
    assert_eq!(kinds, [(1, AlertKind::LatencyThreshold), (2, AlertKind::CircuitOpen)]);
    world.advance(s(600));
    assert_eq!(sink.tried().last(), Some(&(1, RESOLVED)));
}

#[test]
fn the_servers_wait_holds_for_a_newer_alert_too_but_not_for_longer_than_ten_minutes() {
    let world = World::new(1);
    let sink = Scripted::new([Err(busy(Some(s(120)))), Err(busy(Some(s(1_000_000))))]);
    let running = run(&world, s(0), &sink);
    running.trip(&world);
    running.reset(&world);
    world.advance(s(119));
    assert_eq!(sink.tried(), [(1, Stage::Single)]);
    world.advance(s(1));
    assert_eq!(sink.tried(), [(1, Stage::Single), (1, RESOLVED)]);
    world.advance(s(599));
    assert_eq!(sink.tried().len(), 2);
    world.advance(s(1));
    assert_eq!(sink.tried().len(), 3);
    assert_eq!(running.waiting(), 0);
}

#[test]
fn an_alert_that_is_not_confirmed_yet_is_asked_for_unchanged_and_that_is_no_retry() {
    let world = World::new(1);
    let sink = Scripted::new([pending(s(2)), pending(s(2)), Ok(())]);
    let running = run(&world, s(0), &sink);
    running.trip(&world);
    world.advance(s(2));
    assert_eq!(sink.tried().len(), 2);
    // What comes meanwhile must not overtake it.
    running.reset(&world);
    assert_eq!(sink.tried().len(), 2);
    world.advance(s(2));
    assert_eq!(sink.tried(), [(1, Stage::Single), (1, Stage::Single), (1, Stage::Single), (1, RESOLVED)]);
    let tried = sink.tried.lock().unwrap();
    assert_eq!((&tried[0], &tried[1]), (&tried[1], &tried[2]));
    assert_eq!(tried[3].earlier.created, DeliveryStatus::Confirmed);
    assert_eq!(running.count("scripted", "single"), (1, 0, 0, 0));
}

#[test]
fn an_alert_that_is_never_confirmed_gives_way_to_a_newer_one_after_a_minute() {
    let world = World::new(1);
    let sink = Scripted::new(std::iter::repeat_n(pending(s(5)), 12));
    let running = run(&world, s(0), &sink);
    running.trip(&world);
    running.reset(&world);
    world.advance(s(59));
    assert!(sink.tried().iter().all(|tried| *tried == (1, Stage::Single)), "{:?}", sink.tried());
    world.advance(s(1));
    assert_eq!(sink.tried().last(), Some(&(1, RESOLVED)));
    assert_eq!(sink.earlier().last().unwrap().created, DeliveryStatus::Unconfirmed);
    assert_eq!(running.waiting(), 0);
}

#[test]
fn a_sink_that_says_pending_without_a_wait_is_not_asked_without_end() {
    let world = World::new(1);
    let sink = Scripted::new(std::iter::repeat_n(pending(Duration::ZERO), 50));
    let running = run(&world, s(0), &sink);
    running.trip(&world);
    assert_eq!(sink.tried().len(), 1);
    world.advance(s(1));
    assert_eq!((sink.tried().len(), running.waiting()), (51, 0));
}

#[test]
fn two_sinks_of_one_name_are_counted_apart() {
    let world = World::new(1);
    let running = run_two(&world, s(0), RecordingSink::default(), &Arc::default());
    running.trip(&world);
    assert_eq!((running.count("recording", "single").0, running.count("recording-2", "single").0), (1, 1));
}

#[test]
fn what_is_left_when_the_time_to_drain_is_over_is_reported() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    sink.set_down(Some(busy(None)));
    let running = run(&world, s(0), &sink);
    running.trip(&world);
    running.stop.stop(s(20));
    world.advance(s(19));
    assert_eq!(running.report.get(), None);
    let attempts = sink.attempts();
    assert!(attempts > 1, "it goes on trying");
    world.advance(s(1));
    assert_eq!(running.report.get(), Some(DrainReport { undelivered: 1 }));
    world.advance(LONG);
    assert!(sink.attempts() <= attempts + 1);
}
