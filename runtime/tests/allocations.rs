//! Admission, finishing, rejection and dropping allocate nothing.
#![cfg(feature = "test-util")]
#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::Breaker;
use tripline_runtime::core::{Instant, Latency, Outcome, Policy, TripAfter};
use tripline_runtime::test_util::ManualClock;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts what this thread asks of it.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn allocations(act: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.with(Cell::get);
    act();
    ALLOCATIONS.with(Cell::get) - before
}

fn breaker(trend: bool, stall_detection: bool) -> (Arc<ManualClock>, Breaker) {
    let clock = Arc::new(ManualClock::default());
    let mut policy = Policy::default();
    policy.trend_analysis = trend;
    policy.latency_threshold = Latency::from_millis(100);
    // The evidence counts, and the calls of 200 ms are enough.
    policy.trip_after = TripAfter::Millis(0);
    let builder = Breaker::builder(clock.clone()).policy(policy).stall_detection(stall_detection);
    (clock, builder.build().unwrap())
}

fn call(breaker: &Breaker, at: Instant, latency: Duration) {
    if let Ok(permit) = breaker.try_acquire() {
        permit.finish(at, at + latency, Outcome::Ok);
    }
    if let Ok(permit) = breaker.try_start() {
        permit.finish(Outcome::Ok);
    }
    drop(breaker.try_start());
    drop(breaker.try_acquire_owned());
}

#[test]
fn a_box_is_counted() {
    assert_eq!(allocations(|| drop(Box::new(1))), 1);
}

#[test]
fn no_call_allocates_in_any_state() {
    for (trend, stalls) in [(false, false), (true, false), (false, true), (true, true)] {
        let (clock, breaker) = breaker(trend, stalls);
        let counted = allocations(|| {
            for latency in [5, 500] {
                for round in 0..200 {
                    let at = Instant::from_millis(1_000 + round);
                    call(&breaker, at, Duration::from_millis(latency));
                }
            }
            assert!(breaker.try_start().is_err(), "it is open, and refusing allocates nothing either");
            clock.advance(Duration::from_secs(3_600));
            for round in 0..200 {
                call(&breaker, Instant::from_millis(4_000_000 + round), Duration::from_millis(5));
            }
            assert!(breaker.try_start().is_ok(), "it has recovered");
        });
        assert_eq!(counted, 0, "trend {trend}, stall detection {stalls}");
    }
}
