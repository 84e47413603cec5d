//! What is measured of ours.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tripline_runtime::core::{Instant, Latency, Outcome, Policy};
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Breaker, Clock};

/// A breaker that stays closed, with a full window.
pub(crate) fn breaker(window: u16, trend: bool, stall_detection: bool) -> Breaker {
    let mut policy = Policy::default();
    policy.latency_window_size = NonZeroU16::new(window).unwrap();
    policy.latency_threshold = Latency::from_millis(300);
    policy.trend_analysis = trend;
    let clock = Arc::new(ManualClock::default());
    let breaker = Breaker::builder(clock).policy(policy).stall_detection(stall_detection).build().unwrap();
    for _ in 0..window {
        call(&breaker);
    }
    breaker
}

/// A breaker that reads this clock.
pub(crate) fn on_clock(clock: impl Clock + 'static) -> Breaker {
    Breaker::builder(Arc::new(clock)).stall_detection(false).build().unwrap()
}

static NOW: AtomicU64 = AtomicU64::new(1_000_000_000);

/// Asks and finishes with instants given; the latencies vary.
#[inline]
pub(crate) fn call(breaker: &Breaker) {
    // A plain load: threads share the instant as they share a millisecond.
    let start = Instant::from_nanos(NOW.load(Ordering::Relaxed));
    if let Ok(permit) = breaker.try_acquire() {
        permit.finish(start, Instant::from_nanos(start.as_nanos() + 5_000_000), Outcome::Ok);
    }
}

/// Calls of one thread, one after the other in time.
pub(crate) struct Call {
    breaker: Breaker,
    now: u64,
}

impl Call {
    pub(crate) fn new(window: u16, trend: bool, stall_detection: bool) -> Self {
        Self { breaker: breaker(window, trend, stall_detection), now: 2_000_000_000 }
    }

    #[inline]
    pub(crate) fn make(&mut self) {
        self.now += 1_000;
        let end = Instant::from_nanos(self.now);
        let start = Instant::from_nanos(self.now - 5_000_000 - (self.now & 0xFF_FFFF));
        if let Ok(permit) = self.breaker.try_acquire() {
            permit.finish(start, end, Outcome::Ok);
        }
    }
}
