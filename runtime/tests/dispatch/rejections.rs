//! Sinks that reject, sinks and stores that panic, and aliases that outlive a change of the configuration.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{RESOLVED, run, run_two, run_watch, s, stages};
use async_trait::async_trait;
use tripline_runtime::test_util::{MemoryStore, RecordingSink, World};
use tripline_runtime::{
    Alert, AlertSink, DeliveryError, DeliveryStatus, DurableState, Stage, StateStore, SupervisedBreaker,
};

fn rejected(status: u16) -> DeliveryError {
    DeliveryError::Rejected { status: Some(status), reason: format!("status {status}") }
}

#[test]
fn a_rejected_page_is_repeated_slowly_for_as_long_as_its_incident_is_on() {
    for seed in 0..20 {
        let world = World::new(seed);
        let sink = Arc::new(RecordingSink::default());
        sink.set_down(Some(rejected(403)));
        let running = run(&world, s(0), &sink);
        running.trip(&world);
        world.advance(s(3_600));
        let attempts = sink.attempts();
        assert!((15..40).contains(&attempts), "{attempts} attempts in an hour");
        let shown: Vec<String> = running.stats.rejections().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["pager rejects: 403 (recording, circuit-open: status 403)"]);
        assert!(running.stats.sinks().iter().all(|(_, _, rejects)| *rejects));
        let count = running.stats.deliveries().into_iter().find(|count| count.stage == "single").unwrap();
        assert_eq!((count.rejected, count.failed, count.waiting), (attempts, 0, 1));
        sink.set_down(None);
        world.advance(s(300));
        assert_eq!(stages(&sink.all()), [(1, Stage::Single)], "seed {seed}");
        assert!(running.stats.rejections().is_empty());
    }
}

#[test]
fn a_service_that_is_well_two_seconds_after_a_rejection_pages_within_five() {
    for seed in 0..20 {
        let world = World::new(seed);
        let sink = Arc::new(RecordingSink::default());
        sink.fail_next(rejected(404));
        let running = run(&world, s(300), &sink);
        running.trip(&world);
        world.advance(s(2));
        assert_eq!(sink.attempts(), 1);
        world.advance(s(3));
        assert_eq!(stages(&sink.all()), [(1, Stage::Initial)], "seed {seed}");
    }
}

#[test]
fn a_rejected_close_is_repeated_for_ten_minutes_where_nothing_says_that_the_alert_was_opened() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    sink.set_down(Some(rejected(401)));
    let running = run(&world, s(0), &sink);
    running.trip(&world);
    running.reset(&world);
    world.advance(s(599));
    assert_eq!(running.waiting(), 1);
    world.advance(s(600));
    assert_eq!((running.waiting(), running.count("recording", "resolved").2), (0, 1));
    assert!(running.stats.rejections().is_empty());
}

#[test]
fn a_rejected_close_of_an_alert_that_is_open_is_repeated_for_hours_but_holds_no_other_incident_up() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    let running = run(&world, s(0), &sink);
    running.trip(&world);
    sink.set_down(Some(rejected(401)));
    running.reset(&world);
    world.advance(s(10 * 3_600));
    assert_eq!(running.waiting(), 1);
    sink.set_down(None);
    world.advance(s(300));
    assert_eq!(stages(&sink.all()), [(1, Stage::Single), (1, RESOLVED)]);

    running.trip(&world);
    sink.set_down(Some(rejected(401)));
    running.reset(&world);
    running.trip(&world);
    world.advance(s(600));
    sink.set_down(None);
    world.advance(s(300));
    assert_eq!(stages(&sink.all())[2..], [(2, Stage::Single), (3, Stage::Single)]);
}

#[test]
fn what_was_rejected_may_have_arrived_and_later_stages_say_so() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    sink.set_down(Some(rejected(422)));
    let running = run(&world, s(300), &sink);
    running.trip(&world);
    world.advance(s(300));
    sink.set_down(None);
    world.advance(s(300));
    assert_eq!(stages(&sink.all()), [(1, Stage::Escalated)]);
    assert_eq!(sink.all()[0].earlier.created, DeliveryStatus::Unconfirmed);
}

/// Where a panic happens.
#[derive(Debug, Clone, Copy)]
enum Panics {
    BeforeTheFuture,
    InTheFuture,
    InTheName,
}

#[derive(Debug)]
struct Panicking(Panics);

impl AlertSink for Panicking {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn alias(&self, _: &Alert) -> Option<String> {
        assert!(!matches!(self.0, Panics::InTheName), "for the test");
        None
    }

    fn deliver<'a, 'b, 'c>(
        &'a self,
        _: &'b Alert,
    ) -> Pin<Box<dyn Future<Output = Result<(), DeliveryError>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        assert!(!matches!(self.0, Panics::BeforeTheFuture), "for the test");
        Box::pin(async { panic!("for the test") })
    }
}

#[test]
fn a_sink_that_panics_anywhere_loses_its_own_alerts_only() {
    for panics in [Panics::BeforeTheFuture, Panics::InTheFuture, Panics::InTheName] {
        let world = World::new(1);
        let sink = Arc::new(RecordingSink::default());
        let running = run_two(&world, s(0), Panicking(panics), &sink);
        running.trip(&world);
        assert_eq!(running.count("panicking", "single"), (0, 1, 0, 1), "{panics:?}");
        running.reset(&world);
        assert_eq!(sink.all().len(), 2, "{panics:?}");
        world.advance(s(1_200));
        assert_eq!(running.count("panicking", "resolved").2, 1, "{panics:?}");
        assert!(running.breaker.is_supervised());
    }
}

#[derive(Debug)]
struct PanickingStore(Panics);

impl StateStore for PanickingStore {
    fn save<'a, 'b, 'c>(&'a self, _: &'b DurableState) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send + 'c>>
    where
        'a: 'c,
        'b: 'c,
        Self: 'c,
    {
        assert!(!matches!(self.0, Panics::BeforeTheFuture), "for the test");
        Box::pin(async { panic!("for the test") })
    }
}

#[test]
fn a_store_that_panics_anywhere_is_a_store_that_fails() {
    for panics in [Panics::BeforeTheFuture, Panics::InTheFuture] {
        let world = World::new(1);
        let sink = Arc::new(RecordingSink::default());
        let store = Arc::new(PanickingStore(panics));
        let running = run_watch(&world, s(0), |watch| watch.sink(sink.clone()).store(store));
        running.trip(&world);
        world.advance(s(10));
        assert_eq!(stages(&sink.all()), [(1, Stage::Single)], "{panics:?}");
        assert!(running.stats.stores()[0].is_failing && running.breaker.is_supervised());
    }
}

#[test]
fn an_incident_is_kept_also_where_there_is_no_sink() {
    let world = World::new(1);
    let store = Arc::new(MemoryStore::default());
    let running = run_watch(&world, s(0), |watch| watch.store(store.clone()));
    running.trip(&world);
    assert!(store.last().unwrap().staging.open.is_some());
    running.reset(&world);
    assert!(store.last().unwrap().staging.open.is_none());
    running.trip(&world);
    running.stop.stop(Duration::from_secs(20));
    world.run_until_idle();
    assert_eq!(running.report.get().map(|report| report.undelivered), Some(0));
    assert!(store.last().unwrap().staging.open.is_some());
}

/// A sink that opens alerts under a name that its configuration gives, and remembers the names that it was given.
#[derive(Debug)]
struct Named {
    name: Mutex<String>,
    used: Arc<Mutex<Vec<(Stage, String)>>>,
}

impl Named {
    fn new(name: &str, used: &Arc<Mutex<Vec<(Stage, String)>>>) -> Arc<Self> {
        Arc::new(Self { name: Mutex::new(name.to_owned()), used: used.clone() })
    }
}

#[async_trait]
impl AlertSink for Named {
    fn name(&self) -> &'static str {
        "named"
    }

    fn alias(&self, _: &Alert) -> Option<String> {
        Some(self.name.lock().unwrap().clone())
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        self.used.lock().unwrap().push((alert.stage, alert.alias.clone().unwrap()));
        Ok(())
    }
}

#[test]
fn an_alert_keeps_its_name_to_its_end_over_a_reload_and_over_a_restart() {
    let used = Arc::default();
    let store = Arc::new(MemoryStore::default());
    let start = |name: &str, kept: Option<DurableState>| {
        let world = World::new(1);
        let sink = Named::new(name, &used);
        let running = run_watch(&world, s(300), |watch| {
            kept.into_iter().fold(watch.sink(sink.clone()).store(store.clone()), SupervisedBreaker::resume)
        });
        (world, running, sink)
    };
    let (world, running, sink) = start("first", None);
    running.trip(&world);
    "reloaded".clone_into(&mut sink.name.lock().unwrap());
    world.advance(s(300));
    drop((running, sink, world));
    let (world, running, _sink) = start("restarted", store.last());
    running.reset(&world);
    running.trip(&world);
    let used: Vec<(Stage, String)> = used.lock().unwrap().clone();
    let used: Vec<(Stage, &str)> = used.iter().map(|(stage, name)| (*stage, name.as_str())).collect();
    let expected =
        [(Stage::Initial, "first"), (Stage::Escalated, "first"), (RESOLVED, "first"), (Stage::Initial, "restarted")];
    assert_eq!(used, expected);
}
