//! Helpers to build breakers and policies.

use std::num::NonZeroU16;
use std::time::Duration;

use tripline_core::{
    Breaker, Confidence, Generation, Instant, Latency, MonotonicInstant, Outcome, Percentile, Policy, Ratio,
};

/// The defaults of the original: a percentile above the threshold is a breach, failures do not trip, and waits grow to
/// 300 s.
pub fn original_policy() -> Policy {
    let mut policy = Policy::default();
    policy.trip_confidence = Confidence::ZERO;
    policy.failure_rate_threshold = Ratio::ZERO;
    policy.max_wait_time = Duration::from_secs(300);
    policy
}

/// A policy that trips at the first breach by the rule of the original: this threshold, window and percentile, a
/// minimum of one sample, no evidence, failures that do not trip, no expiry, waits up to 300 s, and no jitter.
///
/// # Panics
/// For a window of 0 or a percentile out of range.
#[expect(clippy::expect_used, reason = "a wrong literal in a test should stop it")]
pub fn quick_policy(threshold_ms: u32, window: u16, percentile: f64) -> Policy {
    let mut policy = original_policy();
    policy.latency_threshold = Latency::from_millis(threshold_ms);
    policy.latency_window_size = NonZeroU16::new(window).expect("a window holds at least one sample");
    policy.percentile = Percentile::new(percentile).expect("a percentile is a ratio");
    policy.minimum_samples = Some(1);
    policy.latency_max_age = Duration::from_secs(24 * 3_600);
    policy.wait_jitter = Ratio::ZERO;
    policy
}

/// A breaker with its time, and helpers for tests.
#[derive(Debug, Clone)]
pub struct Bench<const N: usize> {
    /// The breaker.
    pub breaker: Breaker<N>,
    /// The time, in milliseconds.
    pub now_ms: u64,
}

impl<const N: usize> Bench<N> {
    /// A breaker with this policy, at 0 ms.
    ///
    /// # Panics
    /// If the window does not fit into `N`.
    #[expect(clippy::expect_used, reason = "a wrong literal in a test should stop it")]
    pub fn new(policy: Policy) -> Self {
        Self { breaker: Breaker::new(policy, 1).expect("the window fits"), now_ms: 0 }
    }

    /// The time.
    pub fn now(&self) -> Instant {
        Instant::from_millis(self.now_ms)
    }

    /// Advances time and reports it to the breaker.
    pub fn pass(&mut self, millis: u64) {
        self.now_ms += millis;
        self.breaker.handle_timeout(self.now());
    }

    /// Asks, and if admitted makes a good call with this latency. Returns whether it was admitted.
    pub fn call(&mut self, latency_ms: u32) -> bool {
        self.call_with(latency_ms, Outcome::Ok)
    }

    /// Asks, and if admitted makes a call with this outcome. Returns whether it was admitted.
    pub fn call_with(&mut self, latency_ms: u32, outcome: Outcome) -> bool {
        let Ok(generation) = self.breaker.try_admit(self.now()) else { return false };
        self.now_ms += u64::from(latency_ms);
        self.finish(generation, latency_ms, outcome);
        true
    }

    /// Ends a call now.
    pub fn finish(&mut self, generation: Generation, latency_ms: u32, outcome: Outcome) {
        self.breaker.handle_finished(self.now(), generation, Latency::from_millis(latency_ms), outcome);
    }

    /// Records a good call that ends now, whatever the breaker would have decided.
    pub fn record(&mut self, latency_ms: u32) {
        self.finish(self.breaker.generation(), latency_ms, Outcome::Ok);
    }
}

/// Converts a clock reading to the breaker's own time, as long as the clock was not set back.
pub const fn own_time(reading: Instant) -> MonotonicInstant {
    MonotonicInstant::from_nanos(reading.as_nanos())
}
