//! Models of good calls that wait in stripes: none is lost or counted twice, and a bad call comes after those that finished before.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;
use tripline_core::{Generation, Instant, Latency, StateKind};

use super::{FAST, SLOW, StoppedClock, call, check, finish, kind, now, policy};
use crate::breaker::Breaker;
use crate::hot_path::call_token::CallToken;
use crate::hot_path::in_flight::{Epoch, InFlightEpochs};
use crate::hot_path::stripe_claims::StripeCount;
use crate::hot_path::stripes::{Flushed, GoodCall, Kind, MAX_WINDOW_OF_SUPERSEDED, Stripes};
use crate::hot_path::thread_number::Numbers;

/// Calls that fill the window, so that further good ones wait.
const FILLING: u64 = 2;

/// A breaker whose good calls wait: the first thread that records has the first stripe; with one stripe they do not wait.
fn waiting(stripes: usize) -> Breaker {
    let mut policy = policy();
    policy.latency_window_size = NonZeroU16::new(2).unwrap();
    let clock = Arc::new(StoppedClock(now()));
    let breaker = Breaker::builder(clock).policy(policy).stall_detection(false).exact_stripes(stripes).build().unwrap();
    for _ in 0..FILLING {
        call(&breaker, FAST);
    }
    breaker
}

/// Calls that were recorded, in the generation in force or as late ones.
fn counted(breaker: &Breaker) -> u64 {
    breaker.inner.with_core(|core| core.counts().ok + core.counts().stale) - FILLING
}

/// Two threads record until a stripe is full (it holds two records here), with one stripe for both and with one for each.
#[test]
fn no_record_is_lost_or_counted_twice_where_a_stripe_is_full() {
    for stripes in [1, 2] {
        check(3, move || {
            let breaker = waiting(stripes);
            let other = breaker.clone();
            let thread = thread::spawn(move || {
                for _ in 0..3 {
                    call(&other, FAST);
                }
            });
            for _ in 0..2 {
                call(&breaker, FAST);
            }
            thread.join().unwrap();
            assert_eq!(counted(&breaker) + breaker.reports_dropped(), 5);
        });
    }
}

/// A reader flushes while two threads record.
#[test]
fn no_record_is_lost_or_counted_twice_over_a_flush() {
    for stripes in [1, 2] {
        check(2, move || {
            let breaker = waiting(stripes);
            let threads = [1, 2].map(|_| {
                let breaker = breaker.clone();
                thread::spawn(move || call(&breaker, FAST))
            });
            let seen = counted(&breaker);
            for thread in threads {
                thread.join().unwrap();
            }
            assert!(seen <= 2);
            assert_eq!(counted(&breaker), 2);
        });
    }
}

/// The generation changes while a record is written: it counts before the change, or as a late one.
#[test]
fn a_record_of_an_earlier_generation_changes_nothing() {
    for stripes in [1, 2] {
        check(3, move || {
            let breaker = waiting(stripes);
            let other = breaker.clone();
            let thread = thread::spawn(move || {
                call(&other, FAST);
                call(&other, FAST);
            });
            breaker.reset();
            thread.join().unwrap();
            assert_eq!(counted(&breaker), 2);
            let (samples, late) = breaker.inner.with_core(|core| (u64::from(core.samples()), core.counts().stale));
            assert!(samples <= 2 - late, "{samples} samples and {late} late calls");
        });
    }
}

/// The breaker opens by slow calls while a good one is recorded.
#[test]
fn a_record_during_a_trip_is_counted_once() {
    check(3, || {
        let breaker = waiting(2);
        let slow = [breaker.try_acquire_owned().unwrap(), breaker.try_acquire_owned().unwrap()];
        let other = breaker.clone();
        let thread = thread::spawn(move || {
            let permit = other.try_acquire_owned().ok()?;
            finish(permit, FAST);
            Some(())
        });
        for permit in slow {
            finish(permit, SLOW);
        }
        let made = 2 + u64::from(thread.join().unwrap().is_some());
        assert_eq!(counted(&breaker), made);
        if made == 2 {
            assert_eq!(kind(&breaker), StateKind::Open);
        }
    });
}

/// The window holds the last two calls. Where the good one finished before the slow one, the slow one comes last.
#[test]
fn a_bad_call_sees_every_good_call_that_finished_before_it() {
    for stripes in [1, 2] {
        check(3, move || {
            let breaker = waiting(stripes);
            let permit = breaker.try_acquire_owned().unwrap();
            let finished = Arc::new(AtomicBool::new(false));
            let (other, flag) = (breaker.clone(), finished.clone());
            let thread = thread::spawn(move || {
                call(&other, Duration::from_millis(2));
                flag.store(true, Ordering::Release);
            });
            let is_after = finished.load(Ordering::Acquire);
            finish(permit, SLOW);
            thread.join().unwrap();
            let window: Vec<Latency> = breaker.inner.with_core(|core| core.latencies().collect());
            if is_after {
                assert_eq!(window, [Latency::from_millis(2), Latency::from_millis(500)]);
            }
        });
    }
}

/// The threshold becomes lower while a call is recorded that was good before: the next such call finds the rule to hold, wherever the first
/// one was counted.
#[test]
fn no_call_passes_the_rules_of_a_policy_that_is_in_force() {
    for stripes in [1, 2] {
        check(3, move || {
            let breaker = waiting(stripes);
            let other = breaker.clone();
            let thread = thread::spawn(move || {
                let mut policy = policy();
                policy.latency_window_size = NonZeroU16::new(2).unwrap();
                policy.latency_threshold = Latency::from_millis(10);
                other.set_policy(&policy).unwrap();
            });
            call(&breaker, Duration::from_millis(50));
            thread.join().unwrap();
            call(&breaker, Duration::from_millis(50));
            // A read flushes the stripes; `try_acquire_owned` does not.
            assert!(breaker.try_acquire_owned().is_err());
        });
    }
}

fn end(flushed: Flushed) -> Option<u64> {
    match flushed {
        Flushed::Call(call) => Some(call.end.as_nanos()),
        Flushed::Superseded(_) => None,
    }
}

/// One thread writes more records than the ring has places while another one reads: each record is read whole, in order, or
/// counted, and the last ones are read.
#[test]
fn records_that_are_overwritten_while_they_are_read_are_counted() {
    check(3, || {
        let stripes = Arc::new(Stripes::new(StripeCount::at_most(2), 0).unwrap());
        let push = |stripes: &Stripes, value: u64| {
            let token = CallToken::untracked(Generation::new(0));
            let latency = Latency::from_micros(value as u32);
            assert!(stripes.push(0, GoodCall { token, end: Instant::from_nanos(value), latency }, Kind::Plain));
        };
        for value in 1..4 {
            push(&stripes, value);
        }
        let writer = stripes.clone();
        let thread = thread::spawn(move || (4..6).for_each(|value| push(&writer, value)));
        let (mut last, mut accounted, mut read) = (0, 0, 0);
        let mut flush = || {
            stripes.flush(Generation::new(0), |run| {
                run.for_each(|flushed| match flushed {
                    Flushed::Call(call) => {
                        assert_eq!(call.end.as_nanos(), u64::from(call.latency.as_micros()), "torn");
                        assert!(call.end.as_nanos() > last, "in order");
                        (last, accounted, read) = (call.end.as_nanos(), accounted + 1, read + 1);
                    }
                    Flushed::Superseded(superseded) => accounted += superseded.calls,
                });
            });
            assert!(read >= MAX_WINDOW_OF_SUPERSEDED, "as many as the window may have places");
            (last, accounted)
        };
        let _ = flush();
        thread.join().unwrap();
        assert_eq!(flush(), (5, 5));
    });
}

/// Threads that have the same number one after the other write to one stripe, while another one reads.
#[test]
fn a_stripe_passes_from_a_thread_that_ends_to_one_that_begins() {
    check(3, || {
        let (numbers, stripes) =
            (Arc::new(Numbers::new()), Arc::new(Stripes::new(StripeCount::at_most(2), 0).unwrap()));
        let threads = [1, 2].map(|end| {
            let (numbers, stripes) = (numbers.clone(), stripes.clone());
            thread::spawn(move || {
                let number = numbers.take().unwrap();
                let token = CallToken::untracked(Generation::new(0));
                let call = GoodCall { token, end: Instant::from_nanos(end), latency: Latency::ZERO };
                assert!(stripes.push(number, call, Kind::Plain));
                numbers.put_back(number);
            })
        });
        let mut seen = Vec::new();
        stripes.flush(Generation::new(0), |run| seen.extend(run.filter_map(end)));
        for thread in threads {
            thread.join().unwrap();
        }
        stripes.flush(Generation::new(0), |run| seen.extend(run.filter_map(end)));
        seen.sort_unstable();
        assert_eq!(seen, [1, 2]);
    });
}

#[test]
fn the_last_handle_is_dropped_while_records_wait() {
    check(3, || {
        let breaker = waiting(2);
        let other = breaker.clone();
        let inner = Arc::downgrade(&breaker.inner);
        let thread = thread::spawn(move || call(&other, FAST));
        call(&breaker, FAST);
        drop(breaker);
        thread.join().unwrap();
        assert!(inner.upgrade().is_none());
    });
}

/// Each call is counted in the epoch whose mark it has, on whichever stripe or none, and once.
#[test]
fn calls_of_two_stripes_are_counted_in_their_epochs() {
    check(3, || {
        let epochs = Arc::new(InFlightEpochs::new(StripeCount::at_most(2)));
        let threads = [Some(0), None].map(|stripe| {
            let epochs = epochs.clone();
            thread::spawn(move || epochs.increment(stripe, Some(now())).0)
        });
        let mut came = [0; 2];
        came[0] += epochs.begin(Epoch(1), now(), now());
        epochs.take(|epoch, calls| came[epoch.0 as usize] += calls);
        let marks = threads.map(|thread| thread.join().unwrap());
        came[1] += epochs.count();
        epochs.take(|epoch, calls| came[epoch.0 as usize] += calls);
        epochs.take_cancelled(|mark, calls| came[mark.0 as usize] -= calls);
        assert_eq!(came, [0, 1].map(|epoch| marks.iter().filter(|mark| mark.0 == epoch).count() as u32));
    });
}

/// A thread counts three calls on its stripe while the owner begins two epochs.
#[test]
fn calls_of_one_stripe_are_counted_in_the_epochs_that_are_begun_meanwhile() {
    check(4, || {
        let epochs = Arc::new(InFlightEpochs::new(StripeCount::at_most(2)));
        let other = epochs.clone();
        let thread = thread::spawn(move || [(); 3].map(|()| other.increment(Some(1), Some(now())).0));
        let mut came = [0; 3];
        for begun in 1..3 {
            epochs.begin(Epoch(begun), now(), now());
            epochs.take(|epoch, calls| came[epoch.0 as usize] += calls);
        }
        let marks = thread.join().unwrap();
        epochs.take(|epoch, calls| came[epoch.0 as usize] += calls);
        epochs.take_cancelled(|mark, calls| came[mark.0 as usize] -= calls);
        assert_eq!(came, [0, 1, 2].map(|epoch| marks.iter().filter(|mark| mark.0 == epoch).count() as u32));
    });
}

/// A call that comes in while the supervisor parks wakes it, or is seen at its next look. The threads have ended by then: a store is
/// seen within the milliseconds between two looks.
#[test]
fn the_supervisor_parks_only_where_no_stripe_counts_a_call() {
    for has_counted_before in [false, true] {
        check(3, move || {
            let epochs = Arc::new(InFlightEpochs::new(StripeCount::at_most(2)));
            let mut before = 0;
            if has_counted_before {
                epochs.increment(Some(0), None);
                epochs.begin(Epoch(1), now(), now());
                epochs.take(|_, calls| before += calls);
                assert_eq!(before, 1);
            }
            let threads = [0, 1].map(|stripe| {
                let epochs = epochs.clone();
                thread::spawn(move || epochs.increment(Some(stripe), None).1)
            });
            let is_parked_at_once = epochs.unwatch();
            let wakes = threads.map(|thread| thread.join().unwrap());
            let is_parked = is_parked_at_once || epochs.unwatch();
            assert!(!is_parked || wakes.contains(&true), "a call is neither seen nor wakes the supervisor");
            assert!(!is_parked_at_once || !has_counted_before, "parked at the first look");
        });
    }
}

/// Its claim is wrong: the other thread may have flushed the record already. If this does not fail, nothing waits in the models.
#[test]
#[should_panic(expected = "the canary")]
fn canary_a_record_waits_for_this_reader() {
    check(3, || {
        let breaker = waiting(2);
        assert_eq!(breaker.inner.shared().gate.stripes().unwrap().waiting(), 0);
        let other = breaker.clone();
        let thread = thread::spawn(move || call(&other, FAST));
        let seen = counted(&breaker);
        thread.join().unwrap();
        let waits = breaker.inner.shared().gate.stripes().unwrap().waiting();
        assert_eq!(seen + waits, 1, "neither seen nor waiting");
        assert_eq!(waits, 0, "the canary");
    });
}
