//! Models of calls in flight: with every transition, with a supervisor that parks, and with lost reports.

use std::future::Future as _;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use loom::thread;
use tripline_core::{Instant, Outcome, StateKind};

use super::{check, now, tracked, tracked_with_stripes};
use crate::breaker::Breaker;
use crate::hot_path::in_flight::{Epoch, InFlightEpochs};
use crate::hot_path::stripe_claims::StripeCount;

fn later(seconds: u64) -> Instant {
    now() + Duration::from_secs(seconds)
}

/// One poll closes the epoch, the next finds the hanging calls.
fn look_three_times(breaker: &Breaker) {
    for seconds in 1..4 {
        breaker.handle_timeout(later(seconds));
    }
}

/// A call is admitted while the breaker changes its state: it is in flight once, it is stalled if it belongs to the
/// current generation, and it leaves once.
fn admitted_during(transition: impl Fn(&Breaker) + Copy + Send + Sync + 'static) {
    check(3, move || {
        let breaker = tracked();
        let other = breaker.clone();
        let thread = thread::spawn(move || other.try_acquire_owned().ok());
        transition(&breaker);
        let permit = thread.join().unwrap();
        // A disabled breaker tracks no calls.
        let is_untracked = breaker.in_flight() == 0 && breaker.state() == StateKind::Disabled;
        assert!(breaker.in_flight() == usize::from(permit.is_some()) || is_untracked);
        look_three_times(&breaker);
        let seen = breaker.inner.with_core(|core| (core.stalled(), core.generation(), core.state().kind()));
        let (stalled, generation, kind) = seen;
        if let Some(permit) = permit {
            if permit.generation() == generation && kind == StateKind::Closed {
                assert_eq!(stalled, 1, "a call of this generation that hangs is not seen");
            }
            permit.finish(later(3), later(3), Outcome::Ok);
        }
        assert_eq!(breaker.in_flight(), 0);
        assert_eq!(breaker.inner.with_core(|core| core.stalled()), 0);
    });
}

#[test]
fn a_call_admitted_during_a_reset_is_tracked_in_its_own_generation() {
    admitted_during(Breaker::reset);
}

#[test]
fn a_call_admitted_while_forced_open_is_in_flight_once() {
    admitted_during(|breaker| assert!(breaker.force_open()));
}

#[test]
fn a_call_admitted_while_disabled_is_in_flight_once() {
    admitted_during(Breaker::disable);
}

#[test]
fn a_call_admitted_during_a_trip_is_in_flight_once() {
    admitted_during(|breaker| assert!(breaker.simulate_latency()));
}

/// The same, and it is rejected unless it was admitted before.
#[test]
fn a_call_admitted_during_a_trip_is_rejected_or_of_the_old_generation() {
    check(3, || {
        let breaker = tracked();
        let other = breaker.clone();
        let thread = thread::spawn(move || other.try_acquire_owned().ok());
        breaker.simulate_latency();
        let permit = thread.join().unwrap();
        let generation = breaker.inner.with_core(|core| core.generation());
        assert!(permit.is_none_or(|permit| permit.generation() != generation));
        assert_eq!(breaker.in_flight(), 0);
    });
}

/// A call that was admitted before the breaker opened, by a thread that was slow to be counted, is no probe: it must not
/// count in the half-open state. Needs the Acquire in `increment` and the Release in `begin`.
#[test]
fn a_call_of_the_closed_breaker_is_never_taken_for_a_probe() {
    check(3, || {
        let breaker = tracked();
        let slow = [breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap()];
        let other = breaker.clone();
        let thread = thread::spawn(move || other.try_acquire_owned().ok());
        for permit in slow {
            permit.finish(Instant::ZERO, Instant::from_millis(1_000), Outcome::Ok);
        }
        // The wait ended long ago: this is the first probe, and it is dropped.
        drop(breaker.try_acquire_owned().ok());
        let permit = thread.join().unwrap();
        let (generation, kind) = breaker.inner.with_core(|core| (core.generation(), core.state().kind()));
        if let Some(permit) = permit
            && kind == StateKind::HalfOpen
            && permit.generation() != generation
        {
            look_three_times(&breaker);
            let after = breaker.inner.with_core(|core| core.state().kind());
            assert_eq!(after, StateKind::HalfOpen, "a call that is no probe opened it");
            drop(permit);
        }
    });
}

/// The supervisor parks when nothing is in flight. It observes a call that is admitted meanwhile, or that call wakes
/// it.
#[test]
fn a_call_that_is_admitted_while_the_supervisor_parks_wakes_it() {
    check(3, || {
        let breaker = tracked();
        breaker.handle_timeout(now());
        let other = breaker.clone();
        // Like the supervisor: listens first, then checks.
        let mut changed = pin!(breaker.changed());
        let thread = thread::spawn(move || other.try_acquire_owned().unwrap());
        let deadline = breaker.next_deadline(now());
        let permit = thread.join().unwrap();
        let is_woken = changed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready();
        assert!(deadline.is_some() || is_woken, "the call hangs unseen");
        // Unparked, it observes the call.
        assert!(breaker.next_deadline(now()).is_some());
        drop(permit);
    });
}

/// A parked supervisor is woken by one of two calls, and parks again after both.
#[test]
fn one_of_two_calls_unparks_the_supervisor() {
    check(2, || {
        let breaker = tracked();
        breaker.handle_timeout(now());
        assert!(breaker.next_deadline(now()).is_none());
        let mut changed = pin!(breaker.changed());
        let other = breaker.clone();
        let thread = thread::spawn(move || other.try_acquire_owned().unwrap());
        let first = breaker.try_acquire_owned().unwrap();
        let second = thread.join().unwrap();
        assert!(changed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready());
        first.finish(now(), now(), Outcome::Ok);
        second.finish(now(), now(), Outcome::Ok);
        look_three_times(&breaker);
        assert!(breaker.next_deadline(later(3)).is_none(), "nothing is in flight");
    });
}

/// Permits are dropped while the epoch of their calls ends: each call leaves once, and counts as dropped once.
#[test]
fn a_call_that_is_dropped_while_its_epoch_ends_leaves_once() {
    check(3, || {
        let breaker = tracked_with_stripes();
        breaker.handle_timeout(now());
        let permit = breaker.try_acquire_owned().unwrap();
        let other = breaker.clone();
        let thread = thread::spawn(move || drop(other.try_acquire_owned().unwrap()));
        breaker.handle_timeout(later(1));
        drop(permit);
        breaker.handle_timeout(later(2));
        thread.join().unwrap();
        look_three_times(&breaker);
        assert_eq!(breaker.in_flight(), 0);
        assert_eq!(breaker.inner.with_core(|core| (core.stalled(), core.counts().dropped)), (0, 2));
    });
}

/// Two threads drop permits while the owner of the core takes those that were dropped. Needs the Acquire and Release of the counts.
#[test]
fn calls_that_are_dropped_while_others_are_taken_are_taken_later() {
    check(3, || {
        let epochs = Arc::new(InFlightEpochs::new(StripeCount::ONE));
        let threads = [(); 2].map(|()| {
            let epochs = epochs.clone();
            thread::spawn(move || {
                let (mark, _) = epochs.increment(None, None);
                assert!(epochs.try_drop(mark));
            })
        });
        let mut left = 0;
        let mut dropped = epochs.take_cancelled(|_, calls| left += calls);
        assert!(left <= epochs.count(), "a call leaves before it has come in");
        for thread in threads {
            thread.join().unwrap();
        }
        dropped += epochs.take_cancelled(|_, calls| left += calls);
        assert_eq!((left, dropped), (2, 2));
    });
}

/// Reports that find no room are counted as dropped, and their calls leave.
#[test]
fn lost_reports_leave_no_call_in_flight() {
    check(2, || {
        let breaker = tracked();
        let permits: Vec<_> = (0..5).map(|_| breaker.try_acquire_owned().unwrap()).collect();
        let other = breaker.clone();
        let thread = thread::spawn(move || other.handle_timeout(now()));
        for permit in permits {
            permit.finish(now(), now(), Outcome::Ok);
        }
        thread.join().unwrap();
        let ok = breaker.inner.with_core(|core| core.counts().ok);
        assert_eq!(ok + breaker.reports_dropped(), 5);
        assert_eq!(breaker.in_flight(), 0);
    });
}

/// The start of every call that an epoch counts is known when the epoch ends. Needs the Release in `increment` and the
/// Acquire in `begin`, and that the start is read after the exchange.
#[test]
fn the_start_of_a_call_is_known_where_the_call_is_counted() {
    check(3, || {
        let epochs = Arc::new(InFlightEpochs::new(StripeCount::ONE));
        let other = epochs.clone();
        let thread = thread::spawn(move || other.increment(None, Some(later(1))));
        let came = epochs.begin(Epoch(1), later(2), later(3));
        let last_start = epochs.last_start(Epoch(0), came);
        let (mark, _) = thread.join().unwrap();
        assert_eq!(came, u32::from(mark.0 == 0));
        if came == 1 {
            assert_eq!(last_start, Some(later(1)));
        }
    });
}
