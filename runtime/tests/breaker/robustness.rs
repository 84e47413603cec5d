//! Disturbances that must not affect a breaker: dropped permits, late readings, a clock read twice, sinks that panic.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tripline_runtime::core::{Breaker as Core, Confidence, Instant, Latency, MemorySample, Outcome, Policy, StateKind};
use tripline_runtime::test_util::{ManualClock, RecordingSink, World};
use tripline_runtime::{
    Alert, AlertSink, Breaker, Clock as _, DeliveryError, MemoryError, MemorySource, SupervisedBreaker, supervise,
};

const THRESHOLD: Duration = Duration::from_millis(100);

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from(THRESHOLD);
    policy.minimum_samples = Some(5);
    policy.trip_confidence = Confidence::ZERO;
    policy
}

fn breaker(policy: Policy) -> (Arc<ManualClock>, Breaker) {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(policy).build().unwrap();
    (clock, breaker)
}

fn kind(breaker: &Breaker) -> StateKind {
    breaker.read(|core| core.state().kind())
}

fn fast_call(clock: &ManualClock, breaker: &Breaker) {
    let now = clock.now();
    breaker.try_acquire().unwrap().finish(now, now, Outcome::Ok);
}

#[test]
fn stalled_permits_that_are_dropped_do_not_trip_the_next_good_call() {
    let mut policy = policy();
    policy.minimum_samples = Some(10);
    let (clock, breaker) = breaker(policy);
    for _ in 0..4 {
        fast_call(&clock, &breaker);
    }
    let permits: Vec<_> = (0..5).map(|_| breaker.try_acquire().unwrap()).collect();
    clock.advance(THRESHOLD / 16);
    breaker.handle_timeout(clock.now());
    clock.advance(THRESHOLD * 2);
    breaker.handle_timeout(clock.now());
    assert_eq!(breaker.read(Core::stalled), 5);
    drop(permits);
    fast_call(&clock, &breaker);
    assert_eq!(kind(&breaker), StateKind::Closed);
    assert_eq!(breaker.read(Core::stalled), 0);
}

#[test]
fn an_end_that_was_read_long_ago_does_not_make_others_look_old() {
    let (clock, breaker) = breaker(policy());
    let late = breaker.try_acquire().unwrap();
    let read_at = clock.now();
    clock.advance(Duration::from_millis(950));
    breaker.handle_timeout(clock.now());
    let fresh: Vec<_> = (0..10).map(|_| breaker.try_acquire().unwrap()).collect();
    late.finish(read_at, read_at, Outcome::Ok);
    clock.advance(Duration::from_millis(1));
    breaker.handle_timeout(clock.now());
    assert_eq!(kind(&breaker), StateKind::Closed);
    drop(fresh);
}

#[test]
fn allow_and_done_pair_up_also_where_the_start_was_read_first() {
    let (clock, breaker) = breaker(policy());
    let start = clock.now();
    clock.advance(Duration::from_millis(1));
    for _ in 0..6 {
        assert!(breaker.allow());
    }
    for _ in 0..6 {
        breaker.done(start, clock.now());
    }
    assert_eq!(breaker.in_flight(), 0);
    clock.advance(THRESHOLD * 2);
    breaker.handle_timeout(clock.now());
    assert_eq!(kind(&breaker), StateKind::Closed);
}

#[test]
fn untimed_calls_that_hang_are_seen_an_eighth_of_the_threshold_late_at_most() {
    let world = World::new(1);
    let mut policy = policy();
    policy.latency_threshold = Latency::from_millis(4_000);
    let subject = world.breaker(policy).unwrap();
    world.advance(Duration::from_millis(1_234));
    let permits: Vec<_> = (0..10).map(|_| subject.breaker.try_acquire().unwrap()).collect();
    world.advance(Duration::from_millis(3_999));
    assert_eq!(kind(&subject.breaker), StateKind::Closed);
    world.advance(Duration::from_millis(501));
    assert_eq!(kind(&subject.breaker), StateKind::Open);
    drop(permits);
}

/// Memory whose reading takes 3 s, during which a call ends.
#[derive(Debug)]
struct SlowMemory {
    clock: Arc<ManualClock>,
    breaker: Breaker,
}

impl MemorySource for SlowMemory {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        self.clock.advance(Duration::from_secs(3));
        fast_call(&self.clock, &self.breaker);
        Ok(MemorySample { used: 1, limit: Some(2) })
    }
}

#[test]
fn a_slow_memory_reading_is_no_clock_that_was_set_back() {
    let world = World::new(1);
    let breaker = Breaker::builder(world.clock()).policy(policy()).build().unwrap();
    let memory = Arc::new(SlowMemory { clock: world.clock(), breaker: breaker.clone() });
    world.supervise([SupervisedBreaker::new(breaker.clone()).memory(memory)]);
    world.advance(Duration::from_secs(20));
    assert_eq!(breaker.read(Core::clock_jumps), 0);
}

#[derive(Debug)]
struct PanickingSink;

#[async_trait]
impl AlertSink for PanickingSink {
    fn name(&self) -> &'static str {
        "panicking"
    }

    async fn deliver(&self, _: &Alert) -> Result<(), DeliveryError> {
        panic!("for the test")
    }
}

#[derive(Debug)]
struct PanickingMemory;

impl MemorySource for PanickingMemory {
    fn name(&self) -> &'static str {
        "panicking"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        panic!("for the test")
    }
}

#[test]
fn a_sink_or_a_source_that_panics_stops_no_other() {
    let world = World::new(1);
    let breaker = Breaker::builder(world.clock()).policy(policy()).build().unwrap();
    let sink = Arc::new(RecordingSink::default());
    let watch = SupervisedBreaker::new(breaker.clone())
        .memory(Arc::new(PanickingMemory))
        .sink(Arc::new(PanickingSink))
        .sink(sink.clone());
    world.supervise([watch]);
    breaker.simulate_latency();
    world.advance(Duration::from_secs(1));
    assert_eq!(sink.all().len(), 1);
    assert!(breaker.is_supervised());
}

#[test]
fn a_dispatcher_whose_supervisor_was_dropped_is_done_at_once() {
    let world = World::new(1);
    let breaker = Breaker::builder(world.clock()).policy(policy()).build().unwrap();
    let watch = SupervisedBreaker::new(breaker).sink(Arc::new(RecordingSink::default()));
    let (supervisor, dispatcher, _stop) = supervise(world.clock(), [watch], 1);
    drop(supervisor.run());
    let done = std::rc::Rc::new(std::cell::Cell::new(false));
    let seen = done.clone();
    world.spawn(async move {
        dispatcher.run().await;
        seen.set(true);
    });
    world.run_until_idle();
    assert!(done.get());
}

#[test]
fn a_bogus_instant_does_not_stop_the_world() {
    let (clock, breaker) = breaker(policy());
    breaker.try_acquire().unwrap().finish(Instant::ZERO, Instant::MAX, Outcome::Ok);
    clock.advance(Duration::from_secs(1));
    fast_call(&clock, &breaker);
    assert!(breaker.try_start().is_ok());
}

#[test]
fn an_incident_with_an_alert_is_resolved_by_the_next_supervisor() {
    let world = World::new(1);
    let breaker = Breaker::builder(world.clock()).policy(policy()).build().unwrap();
    let sink = Arc::new(RecordingSink::default());
    let watch = || SupervisedBreaker::new(breaker.clone()).sink(sink.clone());
    let stop = world.supervise([watch()]);
    breaker.simulate_latency();
    world.advance(Duration::from_secs(1));
    stop.stop(Duration::from_secs(1));
    world.advance(Duration::from_secs(1));
    world.supervise([watch()]);
    breaker.reset();
    world.advance(Duration::from_secs(1));
    let told: Vec<_> = sink.all().iter().map(|alert| (alert.incident, alert.stage.as_str())).collect();
    assert_eq!(told, [(1, "single"), (1, "resolved")]);
}
