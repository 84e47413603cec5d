//! A replica whose clock is set back by an hour: no beat, report, page or probe waits for that hour.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_core::{Instant, Outcome, StateKind};
use tripline_runtime::Clock;
use tripline_runtime::test_util::ManualClock;
use tripline_tests::sim_support::{FAST, ms, report, s, staging};

use tripline_tests::fleet_world::FleetWorld;
use tripline_tests::fleet_world::pager::Seen::{Closed, Folded, Paged};

/// A clock that can be set back, and sleeps for spans, as timers of a machine do.
#[derive(Debug)]
struct SetBack {
    inner: Arc<ManualClock>,
    behind_seconds: AtomicU64,
}

#[async_trait]
impl Clock for SetBack {
    fn now(&self) -> Instant {
        // Relaxed: one thread.
        let behind = s(self.behind_seconds.load(Ordering::Relaxed));
        Instant::ZERO + self.inner.now().since(Instant::ZERO).saturating_sub(behind)
    }

    fn system_time(&self) -> SystemTime {
        self.inner.system_time()
    }

    async fn sleep_until(&self, deadline: Instant) {
        self.inner.sleep_until(self.inner.now() + deadline.since(self.now())).await;
    }
}

/// A fleet of this many replicas on one clock, which has run for two hours and can be set back by one.
struct World {
    fleet: FleetWorld,
    clock: Arc<SetBack>,
}

fn world(replicas: usize, change: impl FnOnce(&mut FleetWorld)) -> World {
    let mut fleet = FleetWorld::new(1, staging(s(0), s(0)));
    fleet.advance(s(7_200));
    let clock = Arc::new(SetBack { inner: fleet.world.clock(), behind_seconds: AtomicU64::new(0) });
    fleet.clock = Some(clock.clone());
    change(&mut fleet);
    fleet.start(replicas);
    fleet.advance(s(20));
    World { fleet, clock }
}

impl World {
    fn set_back(&self) {
        self.clock.behind_seconds.store(3_600, Ordering::Relaxed);
    }

    fn advance(&self, span: Duration) {
        self.fleet.advance(span);
    }
}

#[test]
fn beats_go_on() {
    let world = world(3, |_| ());
    world.set_back();
    world.advance(s(10));
    let before = world.fleet.engine.calls();
    world.advance(s(30));
    let calls = world.fleet.engine.calls() - before;
    assert!((15..=21).contains(&calls), "3 replicas, 6 beats each: {calls}");
}

#[test]
fn an_engine_out_of_reach_is_replaced_in_time() {
    let mut world = world(1, |_| ());
    world.fleet.engine.set_down(true);
    world.fleet.trip(0);
    world.advance(s(2));
    world.set_back();
    world.advance(s(60));
    assert_eq!(world.fleet.pager.seen(), [Paged]);
}

#[test]
fn a_replica_whose_pager_failed_claims_again_in_time() {
    let mut world = world(1, |_| ());
    world.fleet.pager.set_down(true);
    world.fleet.trip(0);
    world.advance(s(12));
    assert_eq!(world.fleet.pager.attempts(), 3);
    world.set_back();
    world.fleet.pager.set_down(false);
    world.advance(s(40));
    assert_eq!(world.fleet.pager.seen(), [Paged]);
}

#[test]
fn a_healthy_replica_pages_for_a_silent_one_in_time() {
    let mut world = world(2, |_| ());
    world.fleet.trip(0);
    world.advance(s(4));
    world.fleet.engine.set_cut_off(&world.fleet.replicas[0].name, true);
    // The page is due after 5 s, and left to the replica that is unwell for 6 s more.
    world.advance(s(3));
    world.set_back();
    world.advance(s(20));
    assert_eq!(world.fleet.pager.seen(), [Paged]);
}

#[test]
fn a_held_probe_asks_again_in_time() {
    let mut world = world(1, |fleet| fleet.probe_millionths = 10_000);
    world.fleet.trip(0);
    world.advance(s(5));
    world.set_back();
    for _ in 0..900 {
        report(&world.fleet.replicas[0].breaker, FAST, Outcome::Ok);
        world.advance(ms(100));
    }
    assert_eq!(world.fleet.replicas[0].breaker.state(), StateKind::Closed);
}

#[test]
fn a_close_without_the_engine_is_reported_once() {
    let mut world = world(2, |fleet| fleet.fallback_close = true);
    world.fleet.engine.set_down(true);
    world.fleet.trip(0);
    world.fleet.trip(1);
    world.advance(s(60));
    world.fleet.heal(0);
    world.advance(s(5));
    assert_eq!(world.fleet.pager.seen(), [Paged, Folded, Closed]);
    world.set_back();
    world.fleet.engine.set_down(false);
    world.advance(s(300));
    assert_eq!(world.fleet.pager.seen(), [Paged, Folded, Closed, Paged]);
}
