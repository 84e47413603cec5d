//! A clock that jumps.

use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_core::Instant;

use crate::clock::Clock;
use crate::sync::Arc;

/// A clock that jumps forwards and backwards by random amounts from a seed. The time of day jumps as after a correction
/// or a manual change; on request the monotonic time jumps too, as on a virtual machine that is moved, or runs at
/// another rate.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tripline_runtime::Clock;
/// use tripline_runtime::test_util::ManualClock;
/// use tripline_runtime::test_util::faults::SkewedClock;
///
/// let straight = Arc::new(ManualClock::default());
/// let hour = Duration::from_secs(3_600);
/// let skewed = SkewedClock::new(straight.clone(), 1, hour).time_of_day(Duration::from_secs(60));
/// straight.advance(hour);
/// assert_ne!(skewed.system_time(), straight.system_time());
/// assert_eq!(skewed.now(), straight.now());
/// ```
#[derive(Debug)]
pub struct SkewedClock {
    inner: Arc<dyn Clock>,
    seed: u64,
    every: Duration,
    time_of_day: Duration,
    monotonic: Duration,
    drift_ppm: i32,
}

impl SkewedClock {
    /// Wraps `inner`, which may jump after each `every` (at least 1 s). The amounts are zero at first.
    pub fn new(inner: Arc<dyn Clock>, seed: u64, every: Duration) -> Self {
        let every = every.max(Duration::from_secs(1));
        Self { inner, seed, every, time_of_day: Duration::ZERO, monotonic: Duration::ZERO, drift_ppm: 0 }
    }

    /// Sets the maximum error of the time of day, in both directions.
    #[must_use]
    pub fn time_of_day(self, up_to: Duration) -> Self {
        Self { time_of_day: up_to, ..self }
    }

    /// Sets the maximum lag of the monotonic time. The time runs back when the lag increases.
    #[must_use]
    pub fn monotonic(self, up_to: Duration) -> Self {
        Self { monotonic: up_to, ..self }
    }

    /// Sets by how much the monotonic time runs faster than the inner one, in millionths, counted from the zero of the
    /// inner clock; slower if negative. A quartz oscillator is off by up to about 100. Below -900,000 it counts as that. The
    /// time of day does not drift.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use tripline_runtime::Clock;
    /// use tripline_runtime::core::Instant;
    /// use tripline_runtime::test_util::ManualClock;
    /// use tripline_runtime::test_util::faults::SkewedClock;
    ///
    /// let straight = Arc::new(ManualClock::new(Instant::ZERO));
    /// let slow = SkewedClock::new(straight.clone(), 1, Duration::from_secs(60)).drift(-200);
    /// straight.advance(Duration::from_secs(10_000));
    /// assert_eq!(slow.now(), Instant::ZERO + Duration::from_secs(9_998));
    /// ```
    #[must_use]
    pub fn drift(self, ppm: i32) -> Self {
        Self { drift_ppm: ppm.max(-900_000), ..self }
    }

    /// Returns the reading of a clock with this drift when the inner one shows `now`.
    fn drifted(&self, now: Instant) -> Instant {
        let nanos = i128::from(now.as_nanos());
        let drifted = nanos + nanos * i128::from(self.drift_ppm) / 1_000_000;
        Instant::from_nanos(u64::try_from(drifted).unwrap_or(u64::MAX))
    }

    /// Returns how long `span` of this clock takes on the inner one, rounded up.
    fn undrifted(&self, span: Duration) -> Duration {
        let rate = u128::try_from(1_000_000 + i128::from(self.drift_ppm)).unwrap_or(1);
        let nanos = span.as_nanos().saturating_mul(1_000_000).div_ceil(rate);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// Returns a number from 0 to 1, constant within each interval.
    fn drawn(&self, now: Instant, salt: u64) -> f64 {
        fastrand::Rng::with_seed(self.seed ^ salt ^ self.interval(now).wrapping_mul(0x9e37_79b9_7f4a_7c15)).f64()
    }

    fn interval(&self, now: Instant) -> u64 {
        now.as_nanos() / u64::try_from(self.every.as_nanos()).unwrap_or(u64::MAX)
    }

    /// Returns when the next interval begins, on the inner clock.
    fn next_jump(&self, now: Instant) -> Instant {
        let every = u64::try_from(self.every.as_nanos()).unwrap_or(u64::MAX);
        Instant::from_nanos((self.interval(now) + 1).saturating_mul(every))
    }
}

#[async_trait]
impl Clock for SkewedClock {
    fn now(&self) -> Instant {
        let now = self.inner.now();
        let behind = self.monotonic.mul_f64(self.drawn(now, 1));
        Instant::from_nanos(
            self.drifted(now).as_nanos().saturating_sub(u64::try_from(behind.as_nanos()).unwrap_or(u64::MAX)),
        )
    }

    fn system_time(&self) -> SystemTime {
        let straight = self.inner.system_time();
        let drawn = self.drawn(self.inner.now(), 2) * 2.0 - 1.0;
        let off = self.time_of_day.mul_f64(drawn.abs());
        let skewed = if drawn < 0.0 { straight.checked_sub(off) } else { straight.checked_add(off) };
        skewed.unwrap_or(straight)
    }

    async fn sleep_until(&self, deadline: Instant) {
        loop {
            let (now, skewed) = (self.inner.now(), self.now());
            if skewed >= deadline {
                return;
            }
            // A jump changes the rest of the sleep, and so does drift.
            let woken = (now + self.undrifted(deadline.since(skewed))).min(self.next_jump(now));
            self.inner.sleep_until(woken).await;
        }
    }
}
