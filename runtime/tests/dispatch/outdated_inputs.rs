//! Decisions on outdated inputs: a stale count of stalled calls, an old clock reading, a lost report.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_runtime::core::{
    Breaker as Core, Confidence, Instant, Latency, MemorySample, Outcome, Policy, StateKind, TripReason,
};
use tripline_runtime::test_util::{ManualClock, World};
use tripline_runtime::{Breaker, Clock};

type Input = fn(&Breaker);
type TimedInput = fn(&Breaker, Instant);

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.latency_max_age = s(60);
    policy.minimum_samples = Some(10);
    policy.trip_confidence = Confidence::ZERO;
    policy
}

fn raised() -> Policy {
    let mut policy = policy();
    policy.latency_threshold = Latency::from_millis(10_000);
    policy
}

fn breaker() -> (Arc<ManualClock>, Breaker) {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(policy()).build().unwrap();
    (clock, breaker)
}

/// Nine calls hang, one fewer than the minimum.
fn nine_hang(clock: &ManualClock, breaker: &Breaker) -> Vec<impl Sized + use<>> {
    let hanging: Vec<_> = (0..9).map(|_| breaker.try_start_owned().unwrap()).collect();
    clock.advance(ms(300));
    breaker.handle_timeout(clock.now());
    assert_eq!((breaker.read(Core::stalled), breaker.state()), (9, StateKind::Closed));
    hanging
}

fn good_call(clock: &ManualClock, breaker: &Breaker) {
    let good = breaker.try_start().unwrap();
    clock.advance(ms(1));
    good.finish(Outcome::Ok);
}

/// Unlike `read` it lets no time pass.
fn admits(breaker: &Breaker) -> bool {
    breaker.try_acquire().is_ok()
}

#[test]
fn raising_the_threshold_while_calls_hang_does_not_open_the_breaker() {
    let (clock, breaker) = breaker();
    let hanging = nine_hang(&clock, &breaker);
    breaker.set_policy(&raised()).unwrap();
    good_call(&clock, &breaker);
    assert!(admits(&breaker), "no call was slow under the threshold in force");
    drop(hanging);
}

#[test]
fn raising_the_threshold_while_calls_hang_does_not_open_a_supervised_breaker() {
    let world = World::new(1);
    let subject = world.breaker(policy()).unwrap();
    let hanging: Vec<_> = (0..9).map(|_| subject.breaker.try_start_owned().unwrap()).collect();
    world.advance(ms(300));
    subject.breaker.set_policy(&raised()).unwrap();
    assert!(world.request(&subject.breaker, ms(1), Outcome::Ok));
    world.advance(ms(1));
    assert_eq!(subject.breaker.state(), StateKind::Closed);
    drop(hanging);
}

#[test]
fn calls_that_hang_for_longer_than_the_maximum_age_do_not_open_it() {
    let (clock, breaker) = breaker();
    let hanging = nine_hang(&clock, &breaker);
    clock.advance(s(61));
    good_call(&clock, &breaker);
    assert!(admits(&breaker), "calls that no longer count opened it");
    drop(hanging);
}

/// Every input that evaluates the rules takes off first what is no longer stalled: here the good calls have aged, and the calls
/// that hang are too old to count, so memory alone is the reason.
#[test]
fn no_input_evaluates_the_rules_on_calls_that_no_longer_count() {
    let inputs: [(&str, TimedInput); 2] = [
        ("a reading of memory", |breaker, now| {
            breaker.handle_memory(now, Some(MemorySample { used: 100, limit: Some(100) }));
        }),
        ("a simulation", |breaker, _| assert!(breaker.simulate_memory())),
    ];
    for (name, input) in inputs {
        let clock = Arc::new(ManualClock::default());
        let mut policy = policy();
        policy.minimum_samples = Some(3);
        let breaker = Breaker::builder(clock.clone()).policy(policy).build().unwrap();
        for _ in 0..64 {
            good_call(&clock, &breaker);
        }
        let hanging: Vec<_> = (0..3).map(|_| breaker.try_start_owned().unwrap()).collect();
        clock.advance(ms(300));
        breaker.handle_timeout(clock.now());
        assert_eq!((breaker.read(Core::stalled), breaker.state()), (3, StateKind::Closed));
        clock.advance(s(61));
        input(&breaker, clock.now());
        let trip = breaker.read(Core::last_trip).unwrap();
        assert_eq!((trip.reason, trip.stalled), (TripReason::Memory, 0), "{name}");
        drop(hanging);
    }
}

/// A clock of which some readings are old when they are used, as those of a thread that was descheduled after it read.
#[derive(Debug)]
struct Lagging {
    clock: ManualClock,
    /// Readings that are yet to be this much behind: every second one, as each is read again.
    behind_millis: AtomicU64,
    readings: AtomicU64,
}

#[async_trait]
impl Clock for Lagging {
    fn now(&self) -> Instant {
        let behind = self.behind_millis.load(Ordering::Relaxed);
        let is_old = self.readings.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        let now = self.clock.now();
        if is_old { Instant::from_nanos(now.as_nanos().saturating_sub(behind * 1_000_000)) } else { now }
    }

    fn system_time(&self) -> SystemTime {
        self.clock.system_time()
    }

    async fn sleep_until(&self, deadline: Instant) {
        self.clock.sleep_until(deadline).await;
    }
}

fn lagging(policy: &Policy) -> (Arc<Lagging>, Breaker) {
    let clock = ManualClock::new(Instant::from_millis(100_000));
    let clock = Arc::new(Lagging { clock, behind_millis: AtomicU64::new(0), readings: AtomicU64::new(0) });
    let breaker = Breaker::builder(clock.clone()).policy(policy.clone()).build().unwrap();
    (clock, breaker)
}

impl Lagging {
    /// From now on every other reading is old, beginning with the next.
    fn lag(&self, millis: u64) {
        self.behind_millis.store(millis, Ordering::Relaxed);
        self.readings.store(0, Ordering::Relaxed);
    }

    fn catch_up(&self) {
        self.lag(0);
    }
}

#[test]
fn two_old_readings_in_a_row_are_no_clock_that_was_set_back() {
    let inputs: [(&str, Input); 4] = [
        ("a call that starts", |breaker| drop(breaker.try_start())),
        ("a status that is read", |breaker| assert_eq!(breaker.read(Core::samples), 0)),
        ("an operator", Breaker::enable),
        ("a policy", |breaker| breaker.set_policy(&policy()).unwrap()),
    ];
    for (name, input) in inputs {
        let (clock, breaker) = lagging(&policy());
        breaker.handle_timeout(clock.clock.now());
        for _ in 0..2 {
            clock.lag(2_500);
            input(&breaker);
        }
        clock.catch_up();
        assert_eq!(breaker.read(Core::clock_jumps), 0, "{name}");
    }
}

#[test]
fn two_old_readings_do_not_shorten_the_wait_of_an_open_breaker() {
    let mut policy = policy();
    policy.wait_time = s(30);
    let (clock, breaker) = lagging(&policy);
    breaker.handle_timeout(clock.clock.now());
    breaker.simulate_latency();
    breaker.undo_simulations();
    clock.clock.advance(s(20));
    assert!(breaker.try_acquire().is_err());
    for _ in 0..2 {
        clock.lag(15_000);
        assert!(breaker.try_start().is_err());
    }
    clock.catch_up();
    clock.clock.advance(s(6));
    assert!(breaker.try_start().is_err(), "26 s of a wait of 30 s");
    assert_eq!(breaker.read(Core::clock_jumps), 0);
}

#[test]
fn a_clock_that_is_really_set_back_is_still_found() {
    let (clock, breaker) = breaker();
    clock.set(Instant::from_millis(7_200_000));
    breaker.handle_timeout(clock.now());
    clock.set(Instant::from_millis(3_600_000));
    breaker.handle_timeout(clock.now());
    breaker.handle_timeout(clock.now());
    assert_eq!(breaker.read(Core::clock_jumps), 1);
}

/// The ends of calls that wait for the owner of the core are shortened; one from before a clock was set forward by weeks must not
/// be taken for a later one.
#[test]
fn a_report_from_long_before_does_not_move_time_forward() {
    for days in [1, 6, 7, 10, 13, 14, 30, 100] {
        let (clock, breaker) = breaker();
        let early = clock.now();
        let permit = breaker.try_acquire().unwrap();
        clock.advance(s(days * 86_400));
        breaker.handle_timeout(clock.now());
        let before = breaker.read(Core::latest);
        // The report waits while the core is owned.
        breaker.read(|_| permit.finish(early, early, Outcome::Ok));
        assert_eq!(breaker.read(Core::latest), before, "{days} days");
    }
}

/// Reports for which there is no room are counted, and leave no call in flight.
#[test]
fn lost_reports_leave_no_call_in_flight() {
    for (stripes, fit) in [(1, 63), (2, 31)] {
        lost_reports(stripes, fit);
    }
}

/// `fit` reports wait while the core is owned.
fn lost_reports(stripes: usize, fit: u64) {
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock.clone()).policy(policy()).stripes(stripes).build().unwrap();
    // A machine with one core has one stripe.
    let fit = if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) { fit } else { 63 };
    for round in 1..=3 {
        let permits: Vec<_> = (0..80).map(|_| breaker.try_start().unwrap()).collect();
        assert_eq!(breaker.in_flight(), 80);
        let before = breaker.reports_dropped();
        breaker.read(|_| permits.into_iter().for_each(|permit| permit.finish(Outcome::Ok)));
        assert_eq!(breaker.reports_dropped() - before, 80 - fit, "round {round}");
        assert_eq!(breaker.in_flight(), 0, "round {round}");
        // Hours later none of them hangs.
        clock.advance(s(3_600));
        breaker.handle_timeout(clock.now());
        assert_eq!(breaker.read(Core::stalled), 0);
    }
}
