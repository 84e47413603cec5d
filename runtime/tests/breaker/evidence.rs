//! The evidence of trips, false trips and drills, and the operator actions and tolerance that survive a restart.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::core::{Breaker as Core, Latency, Outcome, Policy, Ratio, StateKind, ToleranceSource, TripAfter};
use tripline_runtime::test_util::{MemoryStore, RecordingSink, World};
use tripline_runtime::{Breaker, DurableState, Stage, SupervisedBreaker};

const SLOW: Duration = Duration::from_millis(400);
const FAST: Duration = Duration::from_millis(10);

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(300);
    policy.warm_up = Duration::ZERO;
    policy.wait_jitter = Ratio::ZERO;
    policy
}

fn calls(world: &World, breaker: &Breaker, latency: Duration, seconds: u64) {
    for _ in 0..seconds * 20 {
        world.request(breaker, latency, Outcome::Ok);
        world.advance(Duration::from_millis(50));
    }
}

struct Life {
    world: World,
    breaker: Breaker,
    alerts: Arc<RecordingSink>,
    store: Arc<MemoryStore>,
}

impl Life {
    fn new(policy: Policy, kept: Option<DurableState>) -> Self {
        let world = World::new(1);
        let breaker = Breaker::builder(world.clock()).policy(policy).build().unwrap();
        let (alerts, store) = (Arc::new(RecordingSink::default()), Arc::new(MemoryStore::default()));
        let mut watch = SupervisedBreaker::new(breaker.clone()).sink(alerts.clone()).store(store.clone());
        if let Some(kept) = kept {
            watch = watch.resume(kept);
        }
        world.supervise([watch]);
        world.advance(Duration::from_millis(1));
        Self { world, breaker, alerts, store }
    }

    /// A kill and a start with what was kept.
    fn restart(self) -> Self {
        let kept = self.store.last();
        let mut again = self.breaker.read(|core| core.policy().clone());
        // As the configuration has it.
        again.enabled = true;
        Self::new(again, kept)
    }

    fn text(&self) -> Option<String> {
        self.breaker.read(|core| self.breaker.explain(core)).map(|why| why.to_string())
    }

    fn state(&self) -> StateKind {
        self.breaker.state()
    }
}

#[test]
fn a_trip_shows_the_evidence_of_its_moment_however_late_it_is_looked_at() {
    let life = Life::new(policy(), None);
    calls(&life.world, &life.breaker, FAST, 5);
    calls(&life.world, &life.breaker, SLOW, 3);
    assert_eq!(life.state(), StateKind::Open);
    let why = life.breaker.read(|core| life.breaker.explain(core)).unwrap();
    let evidence = why.evidence.unwrap();
    assert_eq!((evidence.tolerance, evidence.source), (Duration::from_millis(1_500), ToleranceSource::Start));
    assert!(evidence.age >= evidence.tolerance && evidence.age < Duration::from_secs(2), "{evidence}");
    let counts = (why.calls, why.slow, why.failed, why.hanging);
    assert!(why.slow > 20, "{counts:?}");
    let text = why.to_string();
    assert!(text.contains("tolerance 1.5 s (to start with)"), "{text}");
    // The calls that were on their way end, and the window grows old.
    life.world.advance(Duration::from_secs(9));
    let later = life.breaker.read(|core| life.breaker.explain(core)).unwrap();
    assert_eq!((later.calls, later.slow, later.failed, later.hanging), counts);
    assert_eq!(later.evidence, why.evidence);
}

#[test]
fn the_close_of_a_false_trip_says_after_what_time_it_passed() {
    let life = Life::new(policy(), None);
    calls(&life.world, &life.breaker, FAST, 5);
    calls(&life.world, &life.breaker, SLOW, 2);
    assert_eq!(life.alerts.all().len(), 1, "the first alert does not wait");
    life.world.advance(Duration::from_secs(9));
    calls(&life.world, &life.breaker, FAST, 90);
    assert_eq!((life.state(), life.breaker.read(|core| core.counts().false_trips)), (StateKind::Closed, 1));
    let alerts = life.alerts.all();
    assert!(matches!(alerts[1].stage, Stage::Resolved(_)), "{alerts:?}");
    assert_eq!(alerts[0].passed_after, None);
    let passed = alerts[1].passed_after.unwrap();
    assert!(passed >= Duration::from_secs(10) && passed < Duration::from_secs(12), "{passed:?}");
}

#[test]
fn a_drill_is_one_as_long_as_its_trip_lasts_and_its_alerts_say_so() {
    let life = Life::new(policy(), None);
    life.breaker.simulate_latency();
    life.world.advance(Duration::from_secs(1));
    life.breaker.undo_simulations();
    assert!(life.text().unwrap().starts_with("drill: "));
    life.world.advance(Duration::from_secs(10));
    world_probe(&life);
    assert_eq!(life.state(), StateKind::HalfOpen);
    assert!(life.text().unwrap().starts_with("drill: "));
    calls(&life.world, &life.breaker, FAST, 90);
    assert_eq!((life.state(), life.text()), (StateKind::Closed, None));
    let alerts = life.alerts.all();
    assert_eq!(alerts.iter().map(|alert| alert.is_drill).collect::<Vec<_>>(), [true, true]);
}

#[test]
fn a_probe_that_is_slow_after_a_drill_is_no_drill() {
    let life = Life::new(policy(), None);
    life.breaker.simulate_latency();
    life.breaker.undo_simulations();
    life.world.advance(Duration::from_secs(10));
    life.world.request(&life.breaker, SLOW, Outcome::Ok);
    life.world.advance(Duration::from_secs(1));
    assert_eq!(life.state(), StateKind::Open);
    assert!(life.text().unwrap().starts_with("probe slow: "), "{:?}", life.text());
}

fn world_probe(life: &Life) {
    life.world.request(&life.breaker, FAST, Outcome::Ok);
    life.world.advance(FAST);
}

#[test]
fn what_operators_did_holds_after_a_kill() {
    let life = Life::new(policy(), None);
    life.breaker.force_open();
    life.world.advance(Duration::from_secs(1));
    let life = life.restart();
    assert_eq!(life.state(), StateKind::ForcedOpen);
    life.breaker.reset();
    life.world.advance(Duration::from_secs(1));
    let life = life.restart();
    assert_eq!(life.state(), StateKind::Closed, "and no longer than they want");
    life.breaker.disable();
    life.world.advance(Duration::from_secs(1));
    let life = life.restart();
    assert_eq!(life.state(), StateKind::Disabled);
    life.breaker.enable();
    life.world.advance(Duration::from_secs(1));
    let life = life.restart();
    assert_eq!(life.state(), StateKind::Closed);
    life.breaker.simulate_memory();
    life.world.advance(Duration::from_secs(1));
    let life = life.restart();
    assert_eq!(life.state(), StateKind::Open);
    assert!(life.text().unwrap().starts_with("drill: "), "{:?}", life.text());
    assert!(life.alerts.all().iter().all(|alert| alert.is_drill));
}

#[test]
fn a_policy_that_disables_is_no_operator() {
    let life = Life::new(policy(), None);
    let mut off = policy();
    off.enabled = false;
    life.breaker.set_policy(&off).unwrap();
    life.world.advance(Duration::from_secs(1));
    let life = life.restart();
    assert_eq!(life.state(), StateKind::Closed);
}

#[test]
fn the_learned_tolerance_holds_after_a_kill_and_a_fixed_one_stays_fixed() {
    let life = Life::new(policy(), None);
    calls(&life.world, &life.breaker, FAST, 5);
    calls(&life.world, &life.breaker, SLOW, 2);
    life.world.advance(Duration::from_secs(9));
    calls(&life.world, &life.breaker, FAST, 30);
    let learned = life.breaker.read(Core::learned_tolerance);
    assert!(learned > Duration::from_secs(4), "{learned:?}");
    let life = life.restart();
    assert_eq!(life.breaker.read(Core::learned_tolerance), learned);
    let mut fixed = policy();
    fixed.trip_after = TripAfter::Millis(700);
    life.breaker.set_policy(&fixed).unwrap();
    assert_eq!(life.breaker.read(Core::tolerance).unwrap().millis, 700);
}
