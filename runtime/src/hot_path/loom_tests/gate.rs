//! Models of the gate: its details, and the slots of probes.

use std::time::Duration;

use loom::thread;
use tripline_core::{Outcome, RejectionReason, TripReason};

use super::{breaker, check, now, tracked, waited};

/// A caller that is rejected after the breaker has opened observes this opening: its reason and its wait. The details
/// of the gate are stored before its word, which is released.
#[test]
fn a_rejected_caller_sees_the_reason_and_the_wait_of_this_opening() {
    for make in [breaker, tracked] {
        check(3, move || {
            let breaker = make();
            let other = breaker.clone();
            let thread = thread::spawn(move || other.try_acquire_owned().err());
            breaker.simulate_latency();
            if let Some(rejection) = thread.join().unwrap() {
                assert_eq!(rejection.reason, RejectionReason::Open(TripReason::Latency));
                let wait = rejection.retry_after.unwrap();
                assert!(wait > Duration::from_secs(5), "{wait:?}");
            }
        });
    }
}

/// A probe fails during another admission: never more than one probe at a time, and no slot is lost.
#[test]
fn a_failed_probe_gives_its_place_back_once() {
    check(3, || {
        let breaker = waited();
        let probe = breaker.try_acquire_owned().unwrap();
        let thread = thread::spawn(move || probe.finish(now(), now(), Outcome::Ignored));
        let second = breaker.try_acquire_owned().ok();
        thread.join().unwrap();
        let third = breaker.try_acquire_owned().ok();
        assert_eq!(usize::from(second.is_some()) + usize::from(third.is_some()), 1);
    });
}
