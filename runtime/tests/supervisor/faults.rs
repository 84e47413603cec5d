//! Decorators with faults.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tripline_runtime::core::{Instant, Latency, MemorySample, Outcome, Policy, Ratio};
use tripline_runtime::test_util::faults::{Fault, FaultPlan, FaultyMemory, FaultySink, FaultyStore, SkewedClock};
use tripline_runtime::test_util::{ManualClock, MemoryStore, RecordingSink, World};
use tripline_runtime::{Breaker, Clock as _, MemorySource as _, MockMemory, SupervisedBreaker};

const MINUTE: Duration = Duration::from_secs(60);

fn at(seconds: u64) -> Instant {
    Instant::from_millis(seconds * 1_000)
}

fn half() -> Ratio {
    Ratio::new(0.5).unwrap()
}

fn drawn(mut plan: FaultPlan) -> Vec<Option<Fault>> {
    (0..200).map(|second| plan.draw(at(second))).collect()
}

#[test]
fn a_plan_is_the_same_for_the_same_seed_and_another_for_another() {
    let plan = |seed| FaultPlan::new(seed).with(Fault::Fail, half()).with(Fault::Delay(MINUTE), half());
    assert_eq!(drawn(plan(1)), drawn(plan(1)));
    assert_ne!(drawn(plan(1)), drawn(plan(2)));
    let hit = drawn(plan(1)).iter().flatten().count();
    assert!((120..180).contains(&hit), "three quarters of 200 are expected: {hit}");
}

#[test]
fn a_rule_holds_in_its_window_and_leaves_other_rules_as_they_are() {
    let early = || FaultPlan::new(3).during(at(10)..at(50), Fault::Drop, half());
    let both = early().during(at(100)..at(150), Fault::Fail, Ratio::ONE);
    let (alone, both) = (drawn(early()), drawn(both));
    assert_eq!(alone[..100], both[..100]);
    assert!(both[100..150].iter().all(|fault| *fault == Some(Fault::Fail)));
    assert!(both[..10].iter().chain(&both[50..100]).chain(&both[150..]).all(Option::is_none));
}

/// One incident under each kind of fault: it is paged at least once, and closed in the end.
#[test]
fn an_incident_under_faults_is_delivered_and_closed() {
    let hang = Fault::Hang(MINUTE);
    for fault in [Fault::Drop, Fault::Delay(MINUTE), Fault::Duplicate, Fault::Fail, hang, Fault::Corrupt] {
        let world = World::new(1);
        let mut policy = Policy::default();
        policy.latency_threshold = Latency::from_millis(300);
        let breaker = Breaker::builder(world.clock()).policy(policy).build().unwrap();
        let service = Arc::new(RecordingSink::default());
        let plan = FaultPlan::new(9).during(world.now()..world.now() + 10 * MINUTE, fault, Ratio::ONE);
        let sink = Arc::new(FaultySink::new(service.clone(), world.clock(), plan));
        world.supervise([SupervisedBreaker::new(breaker.clone()).sink(sink.clone())]);
        for _ in 0..100 {
            world.request(&breaker, Duration::from_secs(2), Outcome::Ok);
            world.advance(Duration::from_secs(1));
        }
        for _ in 0..240 {
            world.request(&breaker, Duration::from_millis(20), Outcome::Ok);
            world.advance(Duration::from_secs(20));
        }
        assert!(sink.injected() > 0, "{fault:?}");
        assert!(!service.all().is_empty(), "{fault:?}: no page at all");
        assert!(service.open().is_empty(), "{fault:?}: {:?}", service.open());
    }
}

#[test]
fn a_store_fails_as_planned_and_the_state_is_saved_in_the_end() {
    for (fault, is_kept_meanwhile) in [
        (Fault::Drop, false),
        (Fault::Fail, false),
        (Fault::Hang(MINUTE), false),
        (Fault::Corrupt, false),
        (Fault::FullDisk, false),
        (Fault::TornWrite, true),
        (Fault::Duplicate, true),
    ] {
        let world = World::new(1);
        let breaker = Breaker::builder(world.clock()).build().unwrap();
        let disk = Arc::new(MemoryStore::default());
        let plan = FaultPlan::new(9).during(world.now()..world.now() + MINUTE, fault, Ratio::ONE);
        let store = Arc::new(FaultyStore::new(disk.clone(), world.clock(), plan));
        world.supervise([SupervisedBreaker::new(breaker.clone()).store(store.clone())]);
        breaker.force_open();
        world.advance(MINUTE / 2);
        assert_eq!(disk.last().is_some(), is_kept_meanwhile, "{fault:?}");
        world.advance(5 * MINUTE);
        // A disk that lies is believed until the next change.
        breaker.reset();
        world.advance(5 * MINUTE);
        assert!(disk.last().is_some() && store.injected() > 0, "{fault:?}");
    }
}

#[test]
fn memory_fails_or_repeats_what_it_was() {
    let clock = Arc::new(ManualClock::new(Instant::ZERO));
    let inner = Arc::new(MockMemory::with_limit(100));
    let plan = FaultPlan::new(1).during(at(1)..at(2), Fault::Drop, Ratio::ONE).during(
        at(2)..at(3),
        Fault::Corrupt,
        Ratio::ONE,
    );
    let memory = FaultyMemory::new(inner.clone(), clock.clone(), plan);
    assert_eq!(memory.sample().unwrap(), MemorySample { used: 50, limit: Some(100) });
    inner.set_percent(90);
    clock.set(at(1));
    assert_eq!(memory.sample().unwrap().used, 50, "the last reading");
    clock.set(at(2));
    assert!(memory.sample().unwrap_err().to_string().contains("expected bytes"));
    clock.set(at(3));
    assert_eq!(memory.sample().unwrap().used, 90);
    assert_eq!(memory.injected(), 2);
}

#[test]
fn a_skewed_clock_jumps_within_its_bounds_and_wakes_those_who_sleep() {
    let straight = Arc::new(ManualClock::new(at(10_000)));
    let skewed = SkewedClock::new(straight.clone(), 5, MINUTE).time_of_day(2 * MINUTE).monotonic(MINUTE);
    let (mut back, mut last) = (0, skewed.now());
    for _ in 0..1_000 {
        straight.advance(MINUTE / 4);
        let now = skewed.now();
        assert!(now <= straight.now() && straight.now().since(now) <= MINUTE);
        back += usize::from(now < last);
        last = now;
        let (earlier, later) = (straight.system_time() - 2 * MINUTE, straight.system_time() + 2 * MINUTE);
        assert!((earlier..=later).contains(&skewed.system_time()));
    }
    assert!(back > 10, "{back} times");
    assert_ne!(skewed.system_time(), SystemTime::UNIX_EPOCH);

    let world = World::new(1);
    let skewed = SkewedClock::new(world.clock(), 5, MINUTE).monotonic(MINUTE);
    let deadline = skewed.now() + 10 * MINUTE;
    let woken = Arc::new(std::sync::Mutex::new(None));
    let seen = woken.clone();
    world.spawn(async move {
        skewed.sleep_until(deadline).await;
        *seen.lock().unwrap() = Some(skewed.now());
    });
    world.advance(9 * MINUTE);
    assert!(woken.lock().unwrap().is_none());
    world.advance(3 * MINUTE);
    assert!(woken.lock().unwrap().is_some_and(|now| now >= deadline));
}

/// Whatever the drift: a sleep ends when the clock shows its deadline, at most one nanosecond of the inner clock later.
#[test]
fn a_sleep_on_a_clock_that_drifts_ends_at_its_deadline() {
    for ppm in [-999_999, -10_000, -200, 0, 1, 200, 10_000, 3_000_000] {
        let world = World::new(1);
        let drifting = Arc::new(SkewedClock::new(world.clock(), 5, MINUTE).drift(ppm));
        let (begin, deadline) = (world.now(), drifting.now() + MINUTE / 2);
        let (sleeper, woken) = (drifting.clone(), Arc::new(std::sync::Mutex::new(None)));
        let seen = woken.clone();
        world.spawn(async move {
            sleeper.sleep_until(deadline).await;
            *seen.lock().unwrap() = Some(sleeper.now());
        });
        while woken.lock().unwrap().is_none() {
            world.step(begin + 100 * MINUTE);
        }
        let late = woken.lock().unwrap().unwrap().since(deadline);
        assert!(late <= Duration::from_nanos(4), "{ppm} ppm: {late:?}");
        let took = world.now().since(begin).as_secs_f64();
        let rate = 1.0 + f64::from(ppm.max(-900_000)) / 1e6;
        assert!((took * rate - 30.0).abs() < 1e-6, "{ppm} ppm: {took} s");
    }
}
