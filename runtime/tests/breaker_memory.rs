//! What a breaker takes of memory, counted by the allocator.
#![cfg(feature = "test-util")]
#![allow(unsafe_code, clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::num::NonZeroU16;
use std::sync::Arc;

use tripline_runtime::Breaker;
use tripline_runtime::core::Policy;
use tripline_runtime::test_util::ManualClock;

thread_local! {
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

/// The system's allocator, which counts the bytes that this thread holds.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call is passed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_add(layout.size() as u64)));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        let _ = BYTES.try_with(|bytes| bytes.set(bytes.get().wrapping_sub(layout.size() as u64)));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// The bytes that `make` leaves allocated, and what it makes.
fn bytes<T>(make: impl FnOnce() -> T) -> (u64, T) {
    let before = BYTES.with(Cell::get);
    let made = make();
    (BYTES.with(Cell::get).wrapping_sub(before), made)
}

fn breaker(window: u16, is_compact: bool) -> u64 {
    let clock = Arc::new(ManualClock::default());
    let mut policy = Policy::default();
    policy.latency_window_size = NonZeroU16::new(window).unwrap();
    let (bytes, breaker) = bytes(|| Breaker::builder(clock).policy(policy).compact(is_compact).build().unwrap());
    assert!(breaker.try_acquire().is_ok());
    println!("a breaker with a window of {window}, compact {is_compact}: {bytes} bytes");
    bytes
}

#[test]
fn a_breaker_takes_memory_for_the_window_that_its_policy_asks_for() {
    assert!(breaker(64, false) <= 6 * 1_024);
    assert!(breaker(1_024, false) <= 12 * 1_024 + 512);
}

#[test]
fn a_compact_breaker_takes_two_and_a_half_kibibytes_at_most() {
    assert!(breaker(64, true) <= 2_560);
    assert!(breaker(128, true) <= 3_072);
}
