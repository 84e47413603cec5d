//! An app with the test's clock, memory, storage and executor.
#![allow(clippy::unwrap_used, clippy::panic, clippy::float_cmp)]

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use futures_lite::future::block_on;
use tower::ServiceExt as _;
use tripline_backends::app::{App, AppBuilder, AppError, BoxFuture, DurableStore, Platform, Spawner};
use tripline_backends::memory::{MemorySourceKind, MemoryUsed, MockMemory};
use tripline_backends::reload::{ConfigStore, LoadedConfig, Unsaved};
use tripline_backends::state_dir::StateDirError;
use tripline_runtime::core::{Outcome, StateKind};
use tripline_runtime::test_util::{ManualClock, MemoryStore, World};
use tripline_runtime::{Breaker, BreakerName, Clock, DrainReport, DurableState, MemoryError, MemorySource};

#[derive(Clone)]
struct TestPlatform {
    clock: Arc<ManualClock>,
    memory: MockMemory,
    memory_works: bool,
    store: Arc<MemoryStore>,
    left: Option<DurableState>,
    tasks: Arc<Mutex<Vec<BoxFuture>>>,
}

impl TestPlatform {
    fn new(world: &World, left: Option<DurableState>) -> Self {
        let (memory, store, tasks) = (MockMemory::default(), Arc::default(), Arc::default());
        Self { clock: world.clock(), memory, memory_works: true, store, left, tasks }
    }

    /// Starts an app whose tasks run in `world`.
    fn start(&self, world: &World, config: &str) -> Result<App, AppError> {
        let config = LoadedConfig::text(config, "settings", Box::new(|_| None)).unwrap();
        let app = App::builder(config).platform(Arc::new(self.clone())).start()?;
        self.tasks.lock().unwrap().drain(..).for_each(|task| world.spawn(task));
        world.run_until_idle();
        Ok(app)
    }
}

impl Platform for TestPlatform {
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn spawner(&self) -> Spawner {
        let tasks = self.tasks.clone();
        Spawner::new(move |task| tasks.lock().unwrap().push(task))
    }

    fn spawn_dedicated(&self, _: &str, task: BoxFuture) -> io::Result<()> {
        self.spawner().spawn(task);
        Ok(())
    }

    fn seed(&self) -> u64 {
        7
    }

    fn memory(&self, _: MemorySourceKind, _: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
        let absent = || MemoryError::Unreadable { what: "no file".into(), error: io::ErrorKind::NotFound.into() };
        if self.memory_works { Ok(Arc::new(self.memory.clone())) } else { Err(absent()) }
    }

    fn durable_store(&self, _: &Path, _: &BreakerName) -> Result<DurableStore, StateDirError> {
        Ok(DurableStore::new(self.store.clone(), self.left.clone()))
    }
}

const SETTINGS: &str = "name = \"checkout\"\nlatency_threshold = 300\nminimum_samples = 5\ntrip_after = 0\n\
                        trend_analysis_enabled = false\nstate_dir = \"state\"\n";

fn slow_calls(world: &World, breaker: &Breaker) {
    for _ in 0..30 {
        world.request(breaker, Duration::from_millis(400), Outcome::Ok);
        world.advance(Duration::from_millis(100));
    }
}

fn stop(world: &World, app: App) -> DrainReport {
    let report = Arc::new(Mutex::new(None));
    let result = report.clone();
    world.spawn(async move {
        let drained = app.stop(Duration::from_secs(5)).await;
        *result.lock().unwrap() = Some(drained);
    });
    world.run_until_idle();
    report.lock().unwrap().take().unwrap()
}

fn get(app: &App, path: &str) -> String {
    let request = http::Request::get(path).body(Body::empty()).unwrap();
    block_on(async {
        let response = app.router().unwrap().oneshot(request).await.unwrap();
        String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
    })
}

#[test]
fn a_configuration_runs_on_virtual_time() {
    let world = World::new(1);
    let platform = TestPlatform::new(&world, None);
    let app = platform.start(&world, SETTINGS).unwrap();
    assert!(app.circuits().get("default").is_none());
    let circuit = app.circuits().get("checkout").unwrap();
    assert!(circuit.breaker().is_supervised());

    slow_calls(&world, circuit.breaker());
    assert_eq!(circuit.breaker().read(|core| core.state().kind()), StateKind::Open);
    assert!(app.metrics().contains("tripline_state{breaker=\"checkout\",state=\"open\"} 1\n"), "{}", app.metrics());
    assert!(get(&app, "/breaker/status").contains("\"trip_reason\":\"latency\""));
    assert!(format!("{:?}", circuit.events()).contains("\\\"alert\\\":\\\"circuit-open\\\""), "{:?}", circuit.events());
    assert!(platform.store.saves() > 0);
    assert_eq!(stop(&world, app).undelivered, 0);
    assert!(!circuit.breaker().is_supervised());
}

#[test]
fn what_an_earlier_process_left_goes_on() {
    let world = World::new(1);
    let first = TestPlatform::new(&world, None);
    let app = first.start(&world, SETTINGS).unwrap();
    slow_calls(&world, app.circuits().first().unwrap().breaker());
    stop(&world, app);

    let second = TestPlatform::new(&world, first.store.last());
    let app = second.start(&world, SETTINGS).unwrap();
    let incident = app.circuits().first().unwrap().breaker().read(tripline_runtime::core::Breaker::incident).unwrap();
    assert_eq!((incident.number, incident.end), (1, None));
}

#[test]
fn what_cannot_start_says_why() {
    let world = World::new(1);
    let mut platform = TestPlatform::new(&world, None);
    platform.memory_works = false;
    let error = platform.start(&world, "memory_source = \"cgroup\"").unwrap_err();
    assert!(error.to_string().starts_with("memory_source = \"cgroup\": "), "{error}");
    let error = platform.start(&world, "[http]\nlisten = \"0.0.0.0:80\"").unwrap_err();
    assert!(matches!(error, AppError::Token(_)) && error.to_string().contains("TRIPLINE_TOKEN"), "{error}");
    assert!(platform.tasks.lock().unwrap().is_empty());
}

#[test]
fn an_app_that_is_dropped_ends_its_tasks() {
    let world = World::new(1);
    let platform = TestPlatform::new(&world, None);
    let app = platform.start(&world, SETTINGS).unwrap();
    let breaker = app.circuits().first().unwrap().breaker().clone();
    assert!(breaker.is_supervised());
    drop(app);
    world.run_until_idle();
    assert!(!breaker.is_supervised());
}

/// A configuration whose text the test can change.
#[derive(Debug, Clone)]
struct Text(Arc<Mutex<String>>);

impl ConfigStore for Text {
    fn name(&self) -> String {
        "settings".to_owned()
    }

    fn read(&self) -> Result<String, String> {
        Ok(self.0.lock().unwrap().clone())
    }

    fn rewrite(&self, _: &str, _: &dyn Fn(&str) -> Result<String, Unsaved>) -> Result<String, Unsaved> {
        Err(Unsaved::NotWritable("not in this test".to_owned()))
    }
}

/// An app whose configuration the test edits.
struct Edited {
    world: World,
    platform: TestPlatform,
    text: Text,
    app: App,
}

impl Edited {
    fn start(text: &str) -> Self {
        Self::start_with(text, |builder| builder)
    }

    fn start_with(text: &str, set: impl Fn(AppBuilder<'_>) -> AppBuilder<'_>) -> Self {
        let world = World::new(1);
        let platform = TestPlatform::new(&world, None);
        let text = Text(Arc::new(Mutex::new(text.to_owned())));
        let config = LoadedConfig::open(Box::new(text.clone()), Box::new(|_| None)).unwrap();
        let app = set(App::builder(config).platform(Arc::new(platform.clone()))).start().unwrap();
        let edited = Self { world, platform, text, app };
        edited.advance(Duration::from_secs(2));
        edited
    }

    fn advance(&self, span: Duration) {
        for _ in 0..span.as_millis() / 500 {
            self.platform.tasks.lock().unwrap().drain(..).for_each(|task| self.world.spawn(task));
            self.world.advance(Duration::from_millis(500));
        }
    }

    fn edit(&self, new: &str) {
        new.clone_into(&mut self.text.0.lock().unwrap());
        self.app.config().reload();
        self.advance(Duration::from_secs(2));
    }
}

#[test]
fn a_breaker_that_is_removed_admits_every_call_and_guards_again_when_its_name_comes_back() {
    let edited = Edited::start("[breakers.a]\n[breakers.b]\n");
    let (app, edit) = (&edited.app, |new: &str| edited.edit(new));
    // A program keeps the breaker, as a layer around a route does.
    let held = app.circuit("b").unwrap().breaker().clone();
    assert!(held.force_open());

    edit("[breakers.a]\n[breakers.c]\nlatency_threshold = 77\n");
    assert!(app.circuits().get("b").is_none());
    assert_eq!(held.state(), StateKind::Disabled);
    assert!(held.try_start().is_ok());
    let added = app.circuit("c").unwrap();
    assert!(added.breaker().is_supervised());
    assert_eq!(added.config().policy.latency_threshold.as_millis(), 77);
    assert!(app.metrics().contains("tripline_state{breaker=\"c\",state=\"closed\"} 1\n"));

    edit("[breakers.b]\n[breakers.a]\n");
    let again = app.circuit("b").unwrap();
    assert_eq!(app.circuits().first().unwrap().name(), again.name());
    assert_eq!(held.state(), StateKind::Closed);
    assert!(again.breaker().force_open() && held.try_start().is_err());
    assert!(app.circuit("c").is_err());
    stop(&edited.world, edited.app);
}

#[test]
fn breakers_that_come_and_go_leave_nothing_behind() {
    let names = |round: usize| {
        let breaker = |number: usize| {
            let key = if number.is_multiple_of(4) { "key = \"caller\"\nalerts.per_key = true\n" } else { "" };
            format!("[breakers.round-{round}-{number}]\n{key}")
        };
        let breakers: String = (0..100).map(breaker).collect();
        format!("state_dir = \"state\"\nopsgenie.alert_cooldown_seconds = 0\n[breakers.kept]\n{breakers}")
    };
    let edited = Edited::start(&names(0));
    let mut counts = Vec::new();
    for round in 1..=10 {
        let family = edited.app.circuits().family(&format!("round-{}-0", round - 1)).unwrap();
        let name = format!("round-{}-1", round - 1);
        // In an incident when they are removed: their alerts are resolved first.
        edited.app.circuit(&name).unwrap().breaker().simulate_latency();
        family.get("acme").unwrap().simulate_latency();
        drop(family);
        edited.advance(Duration::from_secs(1));
        edited.edit(&names(round));
        edited.advance(Duration::from_secs(20));
        assert_eq!(edited.app.circuits().iter().count(), 101);
        // What was removed before is freed with the next change.
        edited.edit(&(names(round) + "# again\n"));
        edited.edit(&names(round));
        counts.push((Arc::strong_count(&edited.platform.clock), Arc::strong_count(&edited.platform.store)));
    }
    // Every breaker, lane and saver has the clock, and every breaker its store.
    assert_eq!(counts.first(), counts.last(), "{counts:?}");
    assert!(!edited.app.metrics().contains("round-9-"), "{}", edited.app.metrics());
    assert!(edited.app.metrics().contains("round-10-1\""));
}

#[test]
fn a_root_becomes_named_breakers_and_the_other_way_without_a_restart() {
    let edited = Edited::start("name = \"shop\"\n");
    let (app, edit) = (&edited.app, |new: &str| edited.edit(new));
    let names = || app.circuits().iter().map(|circuit| circuit.name().to_string()).collect::<Vec<_>>();
    let kept = app.circuit("shop").unwrap().breaker().clone();
    assert!(kept.force_open());

    edit("name = \"shop\"\n[breakers.checkout]\n[breakers.shop]\n[breakers.tenants]\nkey = \"host\"\n");
    assert_eq!(names(), ["checkout", "shop", "tenants"]);
    assert_eq!(kept.state(), StateKind::ForcedOpen, "the breaker of the root's name is the same");
    assert!(app.circuits().family("tenants").is_some());
    assert_eq!(app.config().config_error(), None);

    edit("name = \"shop\"\n[breakers.checkout]\n");
    assert_eq!((names(), kept.state()), (vec!["checkout".to_owned()], StateKind::Disabled));
    edit("name = \"shop\"\n");
    assert_eq!((names(), kept.state()), (vec!["shop".to_owned()], StateKind::Closed));
    assert!(app.circuit("shop").unwrap().breaker().force_open() && kept.try_start().is_err());
}

#[test]
fn waits_without_jitter_stay_so_whatever_the_configuration_changes() {
    let edited =
        Edited::start_with("wait_jitter = 0.3\n[breakers.a]\n[breakers.tenants]\nkey = \"host\"\n", |builder| {
            builder.without_wait_jitter()
        });
    let jitter = |breaker: &Breaker| breaker.read(|core| core.policy().wait_jitter.get());
    let check = || {
        let family = edited.app.circuits().family("tenants").unwrap();
        let jitters: Vec<f64> = edited.app.circuits().breakers().iter().map(jitter).collect();
        assert!(jitters.iter().all(|jitter| *jitter == 0.0), "{jitters:?}");
        assert!(jitter(&family.get("acme").unwrap()) == 0.0, "a member of a family");
    };
    check();
    edited.edit(
        "wait_jitter = 0.4\n[breakers.a]\nlatency_threshold = 77\n[breakers.b]\n[breakers.tenants]\nkey = \"host\"\n",
    );
    assert_eq!(edited.app.circuit("a").unwrap().config().policy.latency_threshold.as_millis(), 77);
    assert_eq!(edited.app.circuits().iter().count(), 3);
    check();
    let with = Edited::start("wait_jitter = 0.3\n");
    assert!(jitter(with.app.circuits().first().unwrap().breaker()) > 0.2, "by default the setting counts");
}

#[test]
fn a_breaker_becomes_a_family_by_a_restart_which_the_status_asks_for() {
    let edited = Edited::start("name = \"a\"\n");
    let (app, edit) = (&edited.app, |new: &str| edited.edit(new));
    for text in ["name = \"a\"\n", "name = \"a\"\n[breakers.a]\nlatency_threshold = 250\n"] {
        edit(text);
        assert_eq!(app.config().config_error(), None);
        edit("name = \"a\"\n[breakers.a]\nkey = \"host\"\nlatency_threshold = 77\n[breakers.b]\n");
        let error = app.config().config_error().unwrap();
        let expected = "takes effect after a restart of the process: breakers.a.key = \"host\" (in force: not set)";
        assert_eq!(error, expected);
        assert!(get(app, "/breakers/a/status").contains("takes effect after a restart"));
        let circuit = app.circuit("a").unwrap();
        assert!(circuit.family().is_none() && !circuit.config().is_family());
        assert_eq!(circuit.config().policy.latency_threshold.as_millis(), 77, "all other keys are in force");
        assert!(app.circuit("b").is_ok());
    }
    // By another name it takes effect at once; by the same one too, once the former breaker is gone.
    edit("name = \"a\"\n[breakers.tenants]\nkey = \"host\"\n");
    assert!(app.circuits().family("tenants").is_some() && app.config().config_error().is_none());
    edited.advance(Duration::from_secs(20));
    edit("name = \"a\"\n[breakers.a]\nkey = \"host\"\n");
    assert!(app.circuits().family("a").is_some(), "{:?}", app.config().config_error());
}
