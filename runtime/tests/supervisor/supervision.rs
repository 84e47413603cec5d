//! The supervisor: it follows changed settings, and a stuck one is visible.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::core::{Latency, MemorySample, Outcome, Policy, Ratio, StateKind};
use tripline_runtime::test_util::World;
use tripline_runtime::{Breaker, Clock as _, MemoryError, MemorySource, SupervisedBreaker, Supervision, supervise};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn policy(sample_interval: Duration) -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.sample_interval = sample_interval;
    policy.wait_time = s(1);
    policy.wait_jitter = Ratio::ZERO;
    policy
}

#[test]
fn a_shorter_sample_interval_does_not_undo_the_latch() {
    let world = World::new(1);
    let subject = world.breaker(policy(s(30))).unwrap();
    subject.memory.set_percent(95);
    world.advance(s(31));
    assert_eq!(subject.breaker.state(), StateKind::Open);
    world.advance(s(10));
    subject.breaker.set_policy(&policy(ms(500))).unwrap();
    for _ in 0..100 {
        assert!(!world.request(&subject.breaker, ms(5), Outcome::Ok), "memory is at 95 % all the time");
        assert_eq!(subject.breaker.memory_ok(), Some(false));
        world.advance(ms(20));
    }
}

#[test]
fn memory_is_read_at_once_when_the_interval_changes() {
    for (before, after) in [(s(30), ms(500)), (s(30), s(5)), (s(1), s(60))] {
        let world = World::new(1);
        let subject = world.breaker(policy(before)).unwrap();
        world.advance(before + ms(100));
        subject.memory.set_percent(95);
        subject.breaker.set_policy(&policy(after)).unwrap();
        world.run_until_idle();
        assert_eq!(subject.breaker.memory_ok(), Some(false), "{before:?} to {after:?}");
    }
}

#[test]
fn a_policy_with_the_same_interval_reads_no_memory() {
    let world = World::new(1);
    let subject = world.breaker(policy(s(30))).unwrap();
    world.advance(s(1));
    subject.memory.set_percent(95);
    subject.breaker.set_policy(&policy(s(30))).unwrap();
    world.run_until_idle();
    assert_eq!(subject.breaker.memory_ok(), Some(true));
}

#[test]
fn a_supervisor_that_keeps_up_is_running() {
    let world = World::new(1);
    let subject = world.breaker(policy(s(60))).unwrap();
    for _ in 0..50 {
        world.advance(s(7));
        let Supervision::Running { looked_at } = subject.breaker.supervision() else {
            panic!("{:?}", subject.breaker.supervision())
        };
        assert!(world.now().since(looked_at) <= s(60));
    }
    subject.stop.stop(Duration::ZERO);
    world.run_until_idle();
    assert_eq!(subject.breaker.supervision(), Supervision::None);
}

#[test]
fn a_supervisor_that_has_nothing_to_do_is_not_stuck() {
    let world = World::new(1);
    let breaker = Breaker::builder(world.clock()).policy(policy(s(1))).build().unwrap();
    world.supervise([SupervisedBreaker::new(breaker.clone())]);
    world.advance(s(3_600));
    assert_eq!(breaker.supervision().as_str(), "running");
}

#[test]
fn a_supervisor_that_is_not_polled_is_stuck() {
    let world = World::new(1);
    let breaker = Breaker::builder(world.clock()).policy(policy(s(1))).build().unwrap();
    assert_eq!(breaker.supervision(), Supervision::None);
    let started = world.now();
    let (supervisor, dispatcher, _) = supervise(world.clock(), [SupervisedBreaker::new(breaker.clone())], 1);
    assert_eq!(breaker.supervision(), Supervision::Running { looked_at: started });
    world.advance(s(4));
    assert_eq!(breaker.supervision().as_str(), "running");
    world.advance(s(8));
    assert_eq!(breaker.supervision(), Supervision::Stuck { looked_at: started, overdue: s(12) });
    // It shows in itself, and not by what the requests meet.
    assert!(breaker.is_supervised());
    drop((supervisor, dispatcher));
    assert_eq!(breaker.supervision(), Supervision::None);
}

/// A source that blocks for a minute in its second reading.
#[derive(Debug)]
struct Blocks {
    world_clock: Arc<tripline_runtime::test_util::ManualClock>,
    breakers: [Breaker; 2],
    seen: std::sync::Mutex<Vec<[Supervision; 2]>>,
}

impl MemorySource for Blocks {
    fn name(&self) -> &'static str {
        "blocks"
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        let mut seen = self.seen.lock().unwrap();
        if seen.len() == 1 {
            self.world_clock.set(self.world_clock.now() + s(60));
        }
        seen.push(self.breakers.each_ref().map(Breaker::supervision));
        Ok(MemorySample { used: 1, limit: Some(2) })
    }
}

#[test]
fn a_supervisor_that_blocks_is_stuck_for_all_its_breakers_until_it_goes_on() {
    let world = World::new(1);
    let breakers = [1, 2].map(|_| Breaker::builder(world.clock()).policy(policy(s(10))).build().unwrap());
    let source = Arc::new(Blocks { world_clock: world.clock(), breakers: breakers.clone(), seen: Vec::new().into() });
    let [first, second] = breakers.clone();
    let targets = [SupervisedBreaker::new(first).memory(source.clone()), SupervisedBreaker::new(second)];
    world.supervise(targets);
    world.advance(s(15));
    let seen = source.seen.lock().unwrap().clone();
    assert_eq!(seen[0].map(Supervision::as_str), ["running"; 2]);
    for stuck in seen[1] {
        assert!(matches!(stuck, Supervision::Stuck { overdue, .. } if overdue == s(60)), "{stuck:?}");
    }
    assert_eq!(breakers.map(|breaker| breaker.supervision().as_str()), ["running"; 2]);
}
