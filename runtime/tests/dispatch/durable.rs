//! State that survives a kill, a full disk, and a change of the sinks.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::{RESOLVED, Running, breaker, busy, run_breaker, run_watch, s, stages};
use async_trait::async_trait;
use tripline_runtime::core::Instant;
use tripline_runtime::test_util::{ManualClock, MemoryStore, RecordingSink, World};
use tripline_runtime::{
    Alert, AlertSink, Clock as _, DeliveryError, DeliveryStatus, DrainReport, DurableState, Stage, StateStore,
    StoreCount, SupervisedBreaker,
};

const ESCALATE_AFTER: Duration = s(300);

/// Kills the process at a certain step: from then on nothing of what it does goes on.
#[derive(Debug)]
struct Fuse {
    steps_left: AtomicU64,
}

impl Fuse {
    fn new(steps: u64) -> Arc<Self> {
        Arc::new(Self { steps_left: AtomicU64::new(steps) })
    }

    fn is_burnt(&self) -> bool {
        self.steps_left.load(Ordering::Relaxed) == 0
    }

    async fn step(&self) {
        if self.is_burnt() {
            std::future::pending::<()>().await;
        }
        self.steps_left.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What is left of the process after a kill is the disk and the alert service.
#[derive(Debug, Clone)]
struct Outside {
    store: Arc<MemoryStore>,
    sink: Arc<RecordingSink>,
}

/// Both as the process sees them, until it is killed.
#[derive(Debug)]
struct Fused {
    outside: Outside,
    fuse: Arc<Fuse>,
}

#[async_trait]
impl StateStore for Fused {
    async fn save(&self, state: &DurableState) -> io::Result<()> {
        self.fuse.step().await;
        let saved = self.outside.store.save(state).await;
        self.fuse.step().await;
        saved
    }
}

#[async_trait]
impl AlertSink for Fused {
    fn name(&self) -> &'static str {
        "service"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        self.fuse.step().await;
        let delivered = self.outside.sink.deliver(alert).await;
        self.fuse.step().await;
        delivered
    }
}

impl Outside {
    fn new() -> Self {
        Self { store: Arc::default(), sink: Arc::default() }
    }

    /// A process that goes on with what is on the disk, at `at`, and is killed by the fuse.
    fn start(&self, seed: u64, at: Instant, fuse: &Arc<Fuse>) -> (World, Running) {
        let world = World::new(seed);
        world.clock().set(at);
        let fused = Arc::new(Fused { outside: self.clone(), fuse: fuse.clone() });
        let kept = self.store.last();
        let running = run_watch(&world, ESCALATE_AFTER, |watch| {
            let watch = watch.sink(fused.clone()).store(fused);
            kept.into_iter().fold(watch, SupervisedBreaker::resume)
        });
        (world, running)
    }
}

/// Two incidents, of which the first is escalated; true when the process lived to the end.
fn live(world: &World, running: &Running, fuse: &Fuse) -> bool {
    let steps: [&dyn Fn(); 5] = [
        &|| running.trip(world),
        &|| world.advance(ESCALATE_AFTER + s(1)),
        &|| running.reset(world),
        &|| running.trip(world),
        &|| running.reset(world),
    ];
    for step in steps {
        step();
        if fuse.is_burnt() {
            return false;
        }
    }
    true
}

#[test]
fn a_kill_at_any_step_ends_with_exactly_the_alerts_open_that_should_be() {
    for (seed, down_for) in [(1, s(1)), (2, s(1)), (3, s(10_000)), (4, s(10_000))] {
        let (mut killed, mut went_on) = (0, 0);
        for step in 1.. {
            let outside = Outside::new();
            let fuse = Fuse::new(step);
            let (world, running) = outside.start(seed, Instant::from_millis(1_000), &fuse);
            if live(&world, &running, &fuse) {
                break;
            }
            killed += 1;
            let at = world.now() + down_for;
            drop((world, running));

            let incident_is_on = outside.store.last().is_some_and(|state| state.staging.open.is_some());
            let (world, running) = outside.start(seed, at, &Fuse::new(u64::MAX));
            world.advance(ESCALATE_AFTER + s(1));
            let context = format!("seed {seed}, killed at step {step}, told {:?}", stages(&outside.sink.all()));
            let open: Vec<_> = outside.sink.open().into_values().map(|alert| alert.stage).collect();
            if incident_is_on {
                went_on += 1;
                assert_eq!(open, [Stage::Escalated], "{context}");
            } else {
                assert_eq!(open, [], "{context}");
            }
            assert_eq!(running.waiting(), 0, "{context}");
            running.reset(&world);
            world.advance(s(1));
            assert!(outside.sink.open().is_empty(), "{context}");
            assert_eq!(running.waiting(), 0, "{context}");
        }
        assert!(killed >= 15 && went_on >= 8, "killed {killed} times, went on {went_on} times");
    }
}

#[test]
fn an_alert_that_waits_when_the_process_ends_is_delivered_by_the_next() {
    let outside = Outside::new();
    outside.sink.set_down(Some(busy(None)));
    let (world, running) = outside.start(1, Instant::from_millis(1_000), &Fuse::new(u64::MAX));
    running.trip(&world);
    running.reset(&world);
    running.stop.stop(s(0));
    world.advance(s(1));
    assert_eq!(running.report.get(), Some(DrainReport { undelivered: 1 }));

    outside.sink.set_down(None);
    let (world, running) = outside.start(1, world.now(), &Fuse::new(u64::MAX));
    world.run_until_idle();
    let told = outside.sink.all();
    assert_eq!(stages(&told), [(1, RESOLVED)]);
    assert_eq!(told[0].earlier.created, DeliveryStatus::Unconfirmed);
    assert_eq!(running.waiting(), 0);
    assert_eq!(outside.store.last().unwrap().lanes, []);
}

/// Complains when an alert comes that the store does not know of.
#[derive(Debug)]
struct Auditor {
    store: Arc<MemoryStore>,
    seen: Mutex<Vec<(u64, Stage)>>,
}

#[async_trait]
impl AlertSink for Auditor {
    fn name(&self) -> &'static str {
        "auditor"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let state = self.store.last().unwrap();
        let told = state.lanes.iter().find(|lane| lane.kind == alert.kind).unwrap();
        let told = told.incidents.iter().find(|told| told.incident == alert.incident).unwrap();
        assert_eq!(told.waiting.as_ref().unwrap().stage, alert.stage);
        let arrival = if alert.stage == Stage::Escalated { told.earlier.escalated } else { told.earlier.created };
        assert!(arrival >= DeliveryStatus::Unconfirmed);
        self.seen.lock().unwrap().push((alert.incident, alert.stage));
        Ok(())
    }
}

#[test]
fn nothing_is_sent_before_it_is_saved_that_it_may_have_arrived() {
    for seed in 0..10 {
        let world = World::new(seed);
        let store = Arc::new(MemoryStore::default());
        let sink = Arc::new(Auditor { store: store.clone(), seen: Mutex::default() });
        let running = run_watch(&world, ESCALATE_AFTER, |watch| watch.sink(sink.clone()).store(store));
        running.trip(&world);
        world.advance(ESCALATE_AFTER);
        running.reset(&world);
        assert_eq!(*sink.seen.lock().unwrap(), [(1, Stage::Initial), (1, Stage::Escalated), (1, RESOLVED)]);
        assert_eq!(running.count("auditor", "resolved"), (1, 0, 0, 0));
    }
}

/// A disk that takes a second for each save.
#[derive(Debug)]
struct SlowStore {
    clock: Arc<ManualClock>,
    kept: MemoryStore,
}

#[async_trait]
impl StateStore for SlowStore {
    async fn save(&self, state: &DurableState) -> io::Result<()> {
        self.clock.sleep_until(self.clock.now() + s(1)).await;
        self.kept.save(state).await
    }
}

#[test]
fn one_save_covers_all_that_changed_during_the_one_before() {
    let world = World::new(1);
    let store = Arc::new(SlowStore { clock: world.clock(), kept: MemoryStore::default() });
    let sink = Arc::new(RecordingSink::default());
    sink.set_down(Some(busy(Some(s(600)))));
    let running = run_watch(&world, s(0), |watch| watch.sink(sink.clone()).store(store.clone()));
    running.trip(&world);
    for _ in 0..100 {
        running.reset(&world);
        running.trip(&world);
    }
    assert_eq!(sink.attempts(), 0);
    world.advance(s(10));
    assert_eq!(sink.attempts(), 1);
    assert!((1..=3).contains(&store.kept.saves()), "{} saves", store.kept.saves());
    assert_eq!(store.kept.last().unwrap().staging.last_incident, 101);
}

#[test]
fn with_a_full_disk_alerts_go_out_all_the_same_and_saving_is_tried_until_it_works() {
    let world = World::new(1);
    let (store, sink) = (Arc::new(MemoryStore::default()), Arc::new(RecordingSink::default()));
    let running = run_watch(&world, s(0), |watch| watch.sink(sink.clone()).store(store.clone()));
    store.set_failing(Some(io::ErrorKind::StorageFull));
    running.trip(&world);
    assert_eq!(stages(&sink.all()), [(1, Stage::Single)]);
    let stores = running.stats.stores();
    assert!(stores[0].failures >= 1 && stores[0].is_failing, "{stores:?}");
    let saves = store.saves();
    world.advance(s(3_600));
    assert!((60..250).contains(&(store.saves() - saves)), "{} more saves in an hour", store.saves() - saves);
    assert_eq!(store.last(), None);

    store.set_failing(None);
    world.advance(s(60));
    let kept = store.last().unwrap();
    assert_eq!(kept.staging.last_incident, 1);
    assert_eq!(kept.lanes[0].incidents[0].earlier.created, DeliveryStatus::Confirmed);
    assert!(!running.stats.stores()[0].is_failing);
}

#[derive(Debug)]
struct BrokenStore;

#[async_trait]
impl StateStore for BrokenStore {
    async fn save(&self, _: &DurableState) -> io::Result<()> {
        panic!("for the test")
    }
}

#[derive(Debug)]
struct HangingStore;

#[async_trait]
impl StateStore for HangingStore {
    async fn save(&self, _: &DurableState) -> io::Result<()> {
        std::future::pending().await
    }
}

#[test]
fn a_store_that_panics_or_hangs_delays_no_alert() {
    for (store, patience) in [(Arc::new(BrokenStore) as Arc<dyn StateStore>, s(0)), (Arc::new(HangingStore), s(5))] {
        let world = World::new(1);
        let sink = Arc::new(RecordingSink::default());
        let running = run_watch(&world, s(0), |watch| watch.sink(sink.clone()).store(store));
        running.trip(&world);
        world.advance(patience);
        assert_eq!(stages(&sink.all()), [(1, Stage::Single)]);
        assert!(running.stats.stores()[0].is_failing);
        running.reset(&world);
        world.advance(patience);
        assert_eq!(sink.all().len(), 2);
        running.stop.stop(s(0));
        world.advance(s(10));
        assert!(running.report.get().is_some(), "it also ends");
    }
}

#[test]
fn the_state_is_saved_for_a_last_time_after_the_drain() {
    let world = World::new(1);
    let (store, sink) = (Arc::new(MemoryStore::default()), Arc::new(RecordingSink::default()));
    let running = run_watch(&world, s(0), |watch| watch.sink(sink.clone()).store(store.clone()));
    running.trip(&world);
    store.set_failing(Some(io::ErrorKind::StorageFull));
    running.reset(&world);
    assert_ne!(store.last().unwrap().lanes, []);
    store.set_failing(None);
    running.stop.stop(s(0));
    world.run_until_idle();
    assert!(running.report.get().is_some());
    assert_eq!((store.last().unwrap().lanes, store.last().unwrap().staging.open), (vec![], None));
}

#[test]
fn without_a_store_nothing_is_counted_and_nothing_that_did_not_change_is_written() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    let running = run_watch(&world, s(0), |watch| watch.sink(sink.clone()));
    running.trip(&world);
    assert_eq!(running.stats.stores(), Vec::<StoreCount>::new());

    let world = World::new(1);
    let store = Arc::new(MemoryStore::default());
    let running = run_watch(&world, s(0), |watch| watch.sink(sink).store(store.clone()));
    running.trip(&world);
    let saves = store.saves();
    world.advance(s(100));
    assert_eq!(store.saves(), saves);
}

fn kept_after_a_trip(name: &str) -> DurableState {
    let world = World::new(1);
    let store = Arc::new(MemoryStore::default());
    let sink = Arc::new(RecordingSink::named(name));
    let running = run_watch(&world, ESCALATE_AFTER, |watch| watch.sink(sink).store(store.clone()));
    running.trip(&world);
    store.last().unwrap()
}

#[test]
fn a_sink_that_is_new_gets_the_escalation_as_its_first_and_nothing_to_close_before() {
    for wait in [s(0), ESCALATE_AFTER] {
        let kept = kept_after_a_trip("old");
        let world = World::new(1);
        let sink = Arc::new(RecordingSink::named("new"));
        let running = run_watch(&world, ESCALATE_AFTER, |watch| watch.sink(sink.clone()).resume(kept));
        world.advance(wait);
        running.reset(&world);
        if wait == s(0) {
            assert_eq!(stages(&sink.all()), []);
        } else {
            assert_eq!(stages(&sink.all()), [(1, Stage::Escalated), (1, RESOLVED)]);
            assert_eq!(sink.all()[0].earlier.created, DeliveryStatus::NotSent);
        }
    }
}

#[test]
fn the_state_of_another_breaker_is_not_gone_on_with() {
    let kept = kept_after_a_trip("recording");
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    let other = breaker(&world, "orders");
    let running = run_breaker(&world, &other, ESCALATE_AFTER, |watch| watch.sink(sink.clone()).resume(kept));
    world.advance(ESCALATE_AFTER);
    running.reset(&world);
    assert_eq!(stages(&sink.all()), []);
    running.trip(&world);
    assert_eq!(stages(&sink.all()), [(1, Stage::Initial)]);
    assert_eq!(sink.all()[0].earlier.created, DeliveryStatus::NotSent, "that incident was another's");
}

#[test]
fn a_supervisor_that_takes_over_closes_what_the_one_before_it_opened() {
    let world = World::new(1);
    let sink = Arc::new(RecordingSink::default());
    let breaker = breaker(&world, "payments");
    let first = run_breaker(&world, &breaker, ESCALATE_AFTER, |watch| watch.sink(sink.clone()));
    first.trip(&world);
    first.stop.stop(s(1));
    world.advance(s(1));
    let second = run_breaker(&world, &breaker, ESCALATE_AFTER, |watch| watch.sink(sink.clone()));
    second.reset(&world);
    assert_eq!(stages(&sink.all()), [(1, Stage::Initial), (1, RESOLVED)]);
    assert_eq!(sink.all()[1].earlier.created, DeliveryStatus::Unconfirmed);
}

#[cfg(feature = "serde")]
#[test]
fn a_state_is_the_same_after_it_was_written_and_read() {
    let outside = Outside::new();
    outside.sink.set_down(Some(busy(None)));
    let (world, running) = outside.start(1, Instant::from_millis(1_234), &Fuse::new(u64::MAX));
    running.trip(&world);
    let state = outside.store.last().unwrap();
    assert!(state.lanes[0].incidents[0].waiting.is_some());
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<DurableState>(&text).unwrap(), state);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["saved_at"], 1_767_225_600_000_u64 + 1_234);
    assert_eq!(value["breaker"], "payments");

    let far = text.replace("1767225601234", &u64::MAX.to_string());
    assert!(serde_json::from_str::<DurableState>(&far).is_err());
    let bad_name = text.replace("payments", "../payments");
    assert!(serde_json::from_str::<DurableState>(&bad_name).is_err());
}
