//! Models of the shared breaker, run by loom through every interleaving of the shipped code (up to a bound of preemptions).
//!
//! `RUSTFLAGS="--cfg tripline_loom" cargo test -p tripline-runtime --release --lib -- loom_tests`

mod gate;
mod in_flight;
mod stripes;

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use loom::thread;
use tripline_core::{Confidence, Instant, Latency, Outcome, Policy, RejectionReason, StateKind};

use crate::breaker::Breaker;
use crate::breaker::permit::OwnedPermit;
use crate::clock::Clock;
use crate::hot_path::samples::SharedCore;
use crate::supervisor::shutdown::ShutdownHandle;

const FAST: Duration = Duration::from_millis(1);
const SLOW: Duration = Duration::from_millis(500);
const DRAIN: Duration = Duration::from_secs(5);

/// A clock that shows one instant, so that a model has no hidden threads.
#[derive(Debug)]
struct StoppedClock(Instant);

#[async_trait]
impl Clock for StoppedClock {
    fn now(&self) -> Instant {
        self.0
    }

    fn system_time(&self) -> std::time::SystemTime {
        std::time::SystemTime::UNIX_EPOCH
    }

    async fn sleep_until(&self, _: Instant) {}
}

fn now() -> Instant {
    Instant::from_millis(100_000)
}

/// A policy under which two slow calls trip.
fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(100);
    policy.latency_window_size = NonZeroU16::new(8).unwrap();
    policy.minimum_samples = Some(2);
    policy.trip_confidence = Confidence::ZERO;
    policy.half_open_max_calls = 1;
    policy
}

/// Returns a breaker that tracks calls in flight.
fn tracked() -> Breaker {
    Breaker::builder(Arc::new(StoppedClock(now()))).policy(policy()).build().unwrap()
}

/// The same, with two stripes.
fn tracked_with_stripes() -> Breaker {
    Breaker::builder(Arc::new(StoppedClock(now()))).policy(policy()).exact_stripes(2).build().unwrap()
}

fn breaker() -> Breaker {
    Breaker::builder(Arc::new(StoppedClock(now()))).policy(policy()).stall_detection(false).build().unwrap()
}

fn finish(permit: OwnedPermit, latency: Duration) {
    let start = Instant::from_nanos(now().as_nanos() - u64::try_from(latency.as_nanos()).unwrap());
    permit.finish(start, now(), Outcome::Ok);
}

fn call(breaker: &Breaker, latency: Duration) {
    if let Ok(permit) = breaker.try_acquire_owned() {
        finish(permit, latency);
    }
}

/// Returns an open breaker whose wait has ended.
fn waited() -> Breaker {
    let breaker = breaker();
    let long_ago = Instant::from_millis(1_000);
    for _ in 0..2 {
        breaker.try_acquire().unwrap().finish(Instant::ZERO, long_ago, Outcome::Ok);
    }
    assert_eq!(breaker.inner.with_core(|core| core.state().kind()), StateKind::Open);
    breaker
}

fn kind(breaker: &Breaker) -> StateKind {
    breaker.inner.with_core(|core| core.state().kind())
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.check(model);
}

#[test]
fn probes_are_never_over_admitted() {
    check(3, || {
        let breaker = waited();
        let other = breaker.clone();
        let thread = thread::spawn(move || other.try_acquire_owned().ok());
        let permits = [breaker.try_acquire_owned().ok(), thread.join().unwrap()];
        assert_eq!(permits.iter().flatten().count(), 1);
        assert_eq!(kind(&breaker), StateKind::HalfOpen);
        let rejection = breaker.try_acquire().unwrap_err();
        assert_eq!(rejection.reason, RejectionReason::Probing);
    });
}

#[test]
fn opening_is_seen_by_a_call_after_those_that_opened_it() {
    check(3, || {
        let breaker = breaker();
        let permits = [breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap()];
        let [first, second] = permits;
        let thread = thread::spawn(move || finish(first, SLOW));
        finish(second, SLOW);
        thread.join().unwrap();
        assert!(breaker.try_acquire().is_err());
        assert_eq!(kind(&breaker), StateKind::Open);
    });
}

#[test]
fn a_stale_permit_changes_nothing() {
    check(3, || {
        let breaker = breaker();
        let stale = breaker.try_acquire_owned().unwrap();
        let other = breaker.clone();
        let thread = thread::spawn(move || other.reset());
        finish(stale, SLOW);
        thread.join().unwrap();
        let counted = |core: &mut SharedCore| core.counts().ok + core.counts().stale;
        assert_eq!(breaker.inner.with_core(counted), 1);
        assert_eq!(breaker.inner.with_core(|core| (core.samples(), core.state().kind())), (0, StateKind::Closed));
    });
}

#[test]
fn no_sample_is_lost_or_counted_twice() {
    check(3, || {
        let breaker = breaker();
        let other = breaker.clone();
        let thread = thread::spawn(move || {
            call(&other, FAST);
            call(&other, FAST);
        });
        call(&breaker, FAST);
        call(&breaker, FAST);
        thread.join().unwrap();
        let seen = breaker.inner.with_core(|core| (core.samples(), core.counts().ok));
        assert_eq!((seen, breaker.reports_dropped()), ((4, 4), 0));
    });
}

#[test]
fn calls_in_flight_are_counted_once_also_where_an_epoch_ends_meanwhile() {
    check(2, || {
        let breaker = tracked();
        let other = breaker.clone();
        let thread = thread::spawn(move || other.try_start_owned().unwrap());
        breaker.handle_timeout(now());
        let permit = thread.join().unwrap();
        assert_eq!(breaker.in_flight(), 1);
        permit.finish_at(now(), Outcome::Ok);
        assert_eq!(breaker.in_flight(), 0);
    });
}

#[test]
fn a_probe_that_is_dropped_gives_its_place_to_one_other() {
    check(3, || {
        let breaker = waited();
        let probe = breaker.try_acquire_owned().unwrap();
        let thread = thread::spawn(move || drop(probe));
        let second = breaker.try_acquire_owned().ok();
        thread.join().unwrap();
        assert_eq!(breaker.try_acquire_owned().is_ok(), second.is_none());
    });
}

#[test]
fn reconfiguration_keeps_what_is_recorded_meanwhile() {
    check(3, || {
        let breaker = breaker();
        let other = breaker.clone();
        let thread = thread::spawn(move || {
            let mut policy = policy();
            policy.latency_window_size = NonZeroU16::new(4).unwrap();
            policy.latency_threshold = Latency::from_millis(1_000);
            other.set_policy(&policy).unwrap();
        });
        call(&breaker, SLOW);
        thread.join().unwrap();
        let seen = breaker.inner.with_core(|core| (core.samples(), core.samples_above(), core.counts().ok));
        assert_eq!(seen, (1, 0, 1));
    });
}

#[test]
fn a_thread_that_sees_the_stop_sees_what_was_recorded_before_it() {
    check(3, || {
        let breaker = breaker();
        let stop = ShutdownHandle::default();
        let (recorder, stopper) = (breaker.clone(), stop.clone());
        let thread = thread::spawn(move || {
            call(&recorder, SLOW);
            call(&recorder, SLOW);
            stopper.stop(DRAIN);
        });
        call(&breaker, SLOW);
        if stop.is_set() {
            assert_eq!(stop.drain(), DRAIN);
            assert_eq!(kind(&breaker), StateKind::Open);
            assert!(breaker.poll_event().is_some());
        }
        thread.join().unwrap();
        assert_eq!(kind(&breaker), StateKind::Open);
    });
}

/// Its claim is wrong: the other thread may own the core. If this does not fail, the models check nothing.
#[test]
#[should_panic(expected = "the canary")]
fn canary_no_other_thread_ever_owns_the_core() {
    check(3, || {
        let breaker = breaker();
        let other = breaker.clone();
        let thread = thread::spawn(move || call(&other, FAST));
        let alone = breaker.inner.cell.try_with(|_| ()).is_some();
        thread.join().unwrap();
        assert!(alone, "the canary");
    });
}
