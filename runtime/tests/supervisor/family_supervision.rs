//! Families and many breakers under one supervisor.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tripline_runtime::core::{Latency, MemorySample, Outcome, Policy, Stage, StateKind, TripAfter};
use tripline_runtime::test_util::{RecordingSink, World};
use tripline_runtime::{
    Breaker, Family, FamilyLimits, MemoryError, MemorySource, MockMemory, SupervisedBreaker, Supervision,
};

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.warm_up = Duration::ZERO;
    policy.trip_after = TripAfter::Millis(0);
    policy.sample_interval = s(1);
    policy
}

struct Subject {
    world: World,
    family: Family,
    memory: Arc<MockMemory>,
    alerts: Arc<RecordingSink>,
}

fn subject() -> Subject {
    let world = World::new(1);
    let members = Breaker::builder(world.clock()).name("tenants".parse().unwrap()).policy(policy());
    let family = Family::new(members, FamilyLimits::default().max_keys(50).idle_time(s(60))).unwrap();
    let (memory, alerts) = (Arc::new(MockMemory::default()), Arc::new(RecordingSink::default()));
    world.supervise([SupervisedBreaker::family(&family).memory(memory.clone()).sink(alerts.clone())]);
    Subject { world, family, memory, alerts }
}

impl Subject {
    fn request(&self, key: &str, latency: Duration) -> bool {
        self.world.request(&self.family.get(key).unwrap(), latency, Outcome::Ok)
    }

    fn state(&self, key: &str) -> StateKind {
        self.family.member(key).unwrap().state()
    }

    /// Good calls, until the member has recovered and its incident is over.
    fn recover(&self, keys: &[&str]) {
        for _ in 0..4_000 {
            for key in keys {
                self.request(key, Duration::from_millis(5));
            }
            self.world.advance(Duration::from_millis(100));
        }
    }
}

#[test]
fn calls_of_a_member_that_hang_open_it_without_another_call() {
    let subject = subject();
    for _ in 0..40 {
        subject.request("a", s(60));
    }
    subject.request("b", Duration::from_millis(5));
    subject.world.advance(s(5));
    assert_eq!((subject.state("a"), subject.state("b")), (StateKind::Open, StateKind::Closed));
    assert!(matches!(subject.family.member("a").unwrap().supervision(), Supervision::Running { .. }));
}

#[test]
fn memory_of_the_family_is_that_of_each_member() {
    let subject = subject();
    subject.request("a", Duration::from_millis(5));
    subject.memory.set_percent(95);
    subject.world.advance(s(2));
    assert_eq!((subject.state("a"), subject.state("*")), (StateKind::Open, StateKind::Open));
}

#[test]
fn a_family_has_one_incident_that_names_the_worst_and_ends_with_the_last() {
    let subject = subject();
    for key in ["a", "b", "c"] {
        subject.request(key, Duration::from_millis(5));
    }
    for key in ["b", "a"] {
        for _ in 0..40 {
            subject.request(key, s(20));
        }
        subject.world.advance(s(5));
        assert_eq!(subject.state(key), StateKind::Open);
    }
    let alerts = subject.alerts.all();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!((alerts[0].breaker.as_str(), alerts[0].incident), ("tenants", 1));
    assert_eq!(alerts[0].family.as_ref().unwrap().to_string(), "1 of 3 keys open; worst: b");

    subject.recover(&["a", "b"]);
    assert_eq!((subject.state("a"), subject.state("b")), (StateKind::Closed, StateKind::Closed));
    let alerts = subject.alerts.all();
    assert_eq!(alerts.len(), 2, "{alerts:?}");
    assert!(matches!(alerts[1].stage, Stage::Resolved(_)) && alerts[1].incident == 1);
}

#[test]
fn idle_members_go_and_open_ones_stay() {
    let subject = subject();
    subject.request("idle", Duration::from_millis(5));
    subject.request("bad", Duration::from_millis(5));
    subject.family.get("bad").unwrap().force_open();
    subject.world.advance(s(120));
    assert!(subject.family.member("idle").is_none());
    assert_eq!(subject.state("bad"), StateKind::ForcedOpen);
}

/// Counts its readings.
#[derive(Debug, Default)]
struct Counted(AtomicU64);

impl MemorySource for Counted {
    fn name(&self) -> &'static str {
        "counted"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(MemorySample { used: 1, limit: Some(2) })
    }
}

#[test]
fn a_source_is_read_once_for_all_breakers_that_share_it() {
    let world = World::new(1);
    let source = Arc::new(Counted::default());
    let breaker = |_| Breaker::builder(world.clock()).policy(policy()).build().unwrap();
    let breakers: Vec<Breaker> = (0..1_000).map(breaker).collect();
    world.supervise(breakers.iter().map(|breaker| SupervisedBreaker::new(breaker.clone()).memory(source.clone())));
    world.advance(s(10));
    assert_eq!(source.0.load(Ordering::Relaxed), 11, "once at the start, and once a second");
    assert!(breakers.iter().all(|breaker| breaker.memory_ok() == Some(true)));
}
