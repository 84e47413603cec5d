//! Regression tests of the lock-free hot path.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tripline_runtime::core::{
    Breaker as Core, Confidence, Instant, Latency, MemorySample, Outcome, Policy, Ratio, RejectionReason, StateKind,
    TripReason,
};
use tripline_runtime::test_util::{ManualClock, World};
use tripline_runtime::{Breaker, Clock as _, SupervisedBreaker};

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.latency_window_size = NonZeroU16::new(10).unwrap();
    policy.minimum_samples = Some(5);
    policy.trip_confidence = Confidence::ZERO;
    policy.wait_time = Duration::from_secs(10);
    policy.wait_jitter = Ratio::ZERO;
    policy.half_open_max_calls = 3;
    policy
}

fn breaker(policy: Policy) -> (Arc<ManualClock>, Breaker) {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(policy).build().unwrap();
    (clock, breaker)
}

fn supervised(world: &World) -> Breaker {
    let breaker = Breaker::builder(world.clock()).policy(policy()).build().unwrap();
    // No memory source: nothing else wakes the supervisor.
    world.supervise([SupervisedBreaker::new(breaker.clone())]);
    breaker
}

fn state_without_looking(breaker: &Breaker) -> bool {
    // try_acquire is rejected iff the gate says so; unlike read() it moves no time.
    breaker.try_acquire().is_err()
}

#[test]
fn timed_calls_that_come_after_an_idle_time_and_hang_are_seen_by_the_supervisor() {
    let world = World::new(1);
    let breaker = supervised(&world);
    world.advance(ms(1_000));
    let calls: Vec<_> = (0..8).map(|_| breaker.try_start_owned().unwrap()).collect();
    world.advance(ms(500));
    assert!(state_without_looking(&breaker), "5 thresholds later nobody has looked");
    drop(calls);
}

#[test]
fn untimed_calls_that_hang_are_seen_after_a_reading_of_the_status() {
    let world = World::new(1);
    let breaker = supervised(&world);
    world.advance(ms(1_000));
    let _ = breaker.read(Core::samples);
    let calls: Vec<_> = (0..8).map(|_| breaker.try_acquire_owned().unwrap()).collect();
    world.advance(ms(500));
    assert!(state_without_looking(&breaker), "5 thresholds later nobody has looked");
    drop(calls);
}

#[test]
fn untimed_calls_that_come_after_an_idle_time_and_hang_are_seen() {
    let world = World::new(1);
    let breaker = supervised(&world);
    world.advance(ms(1_000));
    let calls: Vec<_> = (0..8).map(|_| breaker.try_acquire_owned().unwrap()).collect();
    world.advance(ms(500));
    assert!(state_without_looking(&breaker));
    drop(calls);
}

#[test]
fn calls_admitted_right_after_a_reset_are_looked_after() {
    let (clock, breaker) = breaker(policy());
    breaker.handle_timeout(clock.now());
    breaker.reset();
    let calls: Vec<_> = (0..8).map(|_| breaker.try_start_owned().unwrap()).collect();
    clock.advance(ms(1));
    breaker.handle_timeout(clock.now());
    for _ in 0..50 {
        clock.advance(ms(6));
        breaker.handle_timeout(clock.now());
    }
    assert_eq!(breaker.read(|core| core.state().kind()), StateKind::Open, "8 calls hang for 3 thresholds");
    drop(calls);
}

#[test]
fn calls_that_end_the_wait_without_probes_are_looked_after() {
    let mut policy = policy();
    policy.half_open_max_calls = 0;
    let (clock, breaker) = breaker(policy);
    for _ in 0..5 {
        let end = clock.now();
        breaker.try_acquire().unwrap().finish(Instant::ZERO, end, Outcome::Ok);
    }
    assert_eq!(breaker.read(|core| core.state().kind()), StateKind::Open);
    clock.advance(Duration::from_secs(11));
    let calls: Vec<_> = (0..8).map(|_| breaker.try_start_owned().unwrap()).collect();
    for _ in 0..50 {
        clock.advance(ms(6));
        breaker.handle_timeout(clock.now());
    }
    assert_eq!(breaker.read(|core| core.state().kind()), StateKind::Open, "8 calls hang for 3 thresholds");
    drop(calls);
}

/// A breaker that has opened and whose wait is over.
fn after_the_wait() -> (Arc<ManualClock>, Breaker) {
    let (clock, breaker) = breaker(policy());
    for _ in 0..5 {
        let end = clock.now();
        breaker.try_acquire().unwrap().finish(Instant::ZERO, end, Outcome::Ok);
    }
    clock.advance(Duration::from_secs(11));
    (clock, breaker)
}

/// Polls for a threshold and an eighth from `began` on, when a probe that hangs began. Another one comes at 90 ms.
fn opens_in_time(clock: &ManualClock, breaker: &Breaker, began: Instant) {
    let mut second = None;
    while clock.now().since(began) < ms(113) {
        clock.advance(ms(1));
        breaker.handle_timeout(clock.now());
        if clock.now().since(began) == ms(90) {
            second = breaker.try_start_owned().ok();
        }
    }
    assert_eq!(breaker.read(|core| core.state().kind()), StateKind::Open, "{second:?}");
}

#[test]
fn the_first_probe_that_hangs_is_seen_after_a_threshold_and_an_eighth() {
    let (clock, breaker) = after_the_wait();
    let began = clock.now();
    let hanging = breaker.try_start_owned().unwrap();
    opens_in_time(&clock, &breaker, began);
    drop(hanging);
}

#[test]
fn the_second_probe_that_hangs_is_seen_in_time_though_a_third_comes() {
    let (clock, breaker) = after_the_wait();
    let first = breaker.try_start_owned().unwrap();
    let began = clock.now();
    let hanging = breaker.try_start_owned().unwrap();
    first.finish(Outcome::Ok);
    opens_in_time(&clock, &breaker, began);
    drop(hanging);
}

#[test]
fn a_breaker_that_memory_holds_open_says_so_also_while_the_core_is_busy() {
    let (clock, breaker) = breaker(policy());
    let full = || Some(MemorySample { used: 100, limit: Some(100) });
    breaker.handle_memory(clock.now(), full());
    clock.advance(Duration::from_secs(11));
    breaker.handle_memory(clock.now(), full());
    let rejected = breaker.try_acquire().unwrap_err();
    assert_eq!((rejected.reason, rejected.retry_after), (RejectionReason::Open(TripReason::Memory), None));
    let inside = AtomicBool::new(false);
    let go = AtomicBool::new(false);
    let rejected = std::thread::scope(|scope| {
        scope.spawn(|| {
            breaker.read(|_| {
                inside.store(true, Ordering::Release);
                while !go.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
            });
        });
        while !inside.load(Ordering::Acquire) {
            std::thread::yield_now();
        }
        let rejected = breaker.try_acquire().unwrap_err();
        go.store(true, Ordering::Release);
        rejected
    });
    assert_eq!((rejected.reason, rejected.retry_after), (RejectionReason::Open(TripReason::Memory), None));
}

#[test]
fn a_clock_that_is_set_back_while_open_prolongs_the_wait_by_little() {
    let (clock, breaker) = breaker(policy());
    clock.set(Instant::from_millis(1_000_000));
    for _ in 0..5 {
        let end = clock.now();
        breaker.try_acquire().unwrap().finish(Instant::ZERO, end, Outcome::Ok);
    }
    let mut waited = Duration::ZERO;
    let step = ms(100);
    // Asked ten times a second. After 9 of 10 seconds the clock goes back by 8.5.
    let mut set_back = false;
    while breaker.try_acquire().is_err() {
        clock.advance(step);
        waited += step;
        if waited == ms(9_000) && !set_back {
            set_back = true;
            clock.set(Instant::from_nanos(clock.now().as_nanos() - 8_500_000_000));
        }
        assert!(waited < Duration::from_secs(60));
    }
    assert!(waited <= ms(11_500), "the wait of 10 s took {waited:?}");
}

#[test]
fn a_waker_that_panics_does_not_wedge_the_breaker() {
    use std::future::Future as _;
    use std::task::{Context, Wake, Waker};
    struct Panics;
    impl Wake for Panics {
        fn wake(self: Arc<Self>) {
            panic!("the waker");
        }
    }
    let (clock, breaker) = breaker(policy());
    // Forgotten: event-listener's own bookkeeping does not survive a waker that panics.
    let mut changed = std::mem::ManuallyDrop::new(Box::pin(breaker.changed()));
    let waker = Waker::from(Arc::new(Panics));
    assert!(changed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    let permits: Vec<_> = (0..5).map(|_| breaker.try_acquire().unwrap()).collect();
    let end = clock.now();
    // The reports wait in the ring while somebody reads, who then applies them: the fifth opens the breaker.
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        breaker.read(|_| {
            for permit in permits {
                permit.finish(Instant::ZERO, end, Outcome::Ok);
            }
        });
    }));
    eprintln!("the owner panicked: {}", caught.is_err());
    let (send, receive) = std::sync::mpsc::channel();
    let other = breaker.clone();
    std::thread::spawn(move || send.send(other.read(|core| core.state().kind())));
    assert_eq!(receive.recv_timeout(Duration::from_secs(2)).ok(), Some(StateKind::Open), "wedged");
}

#[test]
fn a_waker_that_reads_the_breaker_does_not_deadlock() {
    use std::future::Future as _;
    use std::task::{Context, Wake, Waker};
    struct Reads(Breaker);
    impl Wake for Reads {
        fn wake(self: Arc<Self>) {
            let _ = self.0.in_flight();
        }
    }
    let (_, breaker) = breaker(policy());
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut changed = std::pin::pin!(breaker.changed());
        let waker = Waker::from(Arc::new(Reads(breaker.clone())));
        assert!(changed.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        breaker.reset();
        send.send(()).unwrap();
    });
    assert!(receive.recv_timeout(Duration::from_secs(2)).is_ok(), "deadlock");
}

#[test]
fn what_a_read_that_panics_has_found_is_published() {
    let (clock, breaker) = breaker(policy());
    let calls: Vec<_> = (0..8).map(|_| breaker.try_start_owned().unwrap()).collect();
    clock.advance(ms(10));
    breaker.handle_timeout(clock.now());
    clock.advance(ms(200));
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        breaker.read(|core| {
            assert_eq!(core.state().kind(), StateKind::Closed);
        });
    }));
    assert!(caught.is_err(), "it is open by then");
    assert!(breaker.try_acquire().is_err(), "the core is open, the gate is not");
    drop(calls);
}

#[test]
fn with_a_memory_source_the_bound_holds_after_an_idle_time() {
    let world = World::new(1);
    let subject = world.breaker(policy()).unwrap();
    let mut worst = Duration::ZERO;
    for offset in 0..20 {
        subject.breaker.reset();
        world.advance(ms(5_000 + offset * 173));
        let calls: Vec<_> = (0..8).map(|_| subject.breaker.try_start_owned().unwrap()).collect();
        let mut waited = Duration::ZERO;
        while !state_without_looking(&subject.breaker) && waited < ms(20_000) {
            world.advance(ms(1));
            waited += ms(1);
        }
        worst = worst.max(waited);
        drop(calls);
    }
    assert!(worst <= ms(114), "seen after {worst:?}");
}

#[test]
fn without_a_supervisor_stalls_and_ages_go_on_after_the_clock_was_set_back() {
    let (clock, breaker) = breaker(policy());
    clock.set(Instant::from_millis(7_200_000));
    for _ in 0..3 {
        breaker.try_start().unwrap().finish(Outcome::Ok);
    }
    clock.set(Instant::from_millis(3_600_000));
    let hanging: Vec<_> = (0..8).map(|_| breaker.try_start_owned().unwrap()).collect();
    // Ten minutes of calls, ten a second.
    let mut trips = 0;
    for _ in 0..6_000 {
        clock.advance(ms(100));
        let Ok(permit) = breaker.try_start() else {
            trips += 1;
            break;
        };
        permit.finish(Outcome::Ok);
    }
    assert!(trips > 0, "8 calls hang for ten minutes, and 6,000 calls have finished since");
    drop(hanging);
}
