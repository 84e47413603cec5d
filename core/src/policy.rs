//! The settings of a breaker.

use core::num::NonZeroU16;
use core::time::Duration;

#[cfg(feature = "trend")]
use crate::trend::MIN_FOR_SLOPE;
use crate::units::{Backoff, Confidence, Latency, MemoryThreshold, Percentile, Ratio};

/// The settings of one breaker. Every value that can be constructed is valid; settings that depend on each other
/// document how they are combined. A breaker stores durations above 584 years as 584 years.
///
/// ```
/// use core::time::Duration;
/// use tripline_core::{Latency, Percentile, Policy};
///
/// let mut policy = Policy::default();
/// policy.latency_threshold = Latency::from_millis(300);
/// policy.percentile = Percentile::new(0.99)?;
/// policy.wait_time = Duration::from_secs(5);
/// # Ok::<(), tripline_core::OutOfRange>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct Policy {
    /// Whether the breaker is active. If not, it admits every call and records nothing. Default: true.
    pub enabled: bool,
    /// A call that took longer than this is slow. Default: 1500 ms.
    pub latency_threshold: Latency,
    /// The quantile of the window that is compared with the threshold. Default: 0.95.
    pub percentile: Percentile,
    /// Samples in the window, 1 to the capacity `N` of the breaker. Default: 64.
    pub latency_window_size: NonZeroU16,
    /// Age at which a sample expires, in steps of 131 µs; at most 24 h (more counts as 24 h). Default: 60 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub latency_max_age: Duration,
    /// Calls required before a latency or failure rule may trip. `None`: see [`Policy::effective_minimum_samples`].
    /// With `trip_confidence` > 0 this many of the newest calls count at any age up to an hour.
    pub minimum_samples: Option<u16>,
    /// Whether a latency trip requires a rising or persistent latency, not only a high one. Default: false.
    #[cfg(feature = "trend")]
    pub trend_analysis: bool,
    /// Samples required for a trend; values below 3 count as 3, values above the window size as the window size.
    /// Default: 10.
    #[cfg(feature = "trend")]
    pub trend_minimum_samples: u16,
    /// Required confidence of a breach; 0 = a percentile above the threshold suffices, the rule of the original.
    /// Default: 0.995. See [`trip_decision`](crate::guide::trip_decision).
    pub trip_confidence: Confidence,
    /// How long evidence must last before it trips. Default: [`TripAfter::Auto`]. No effect if `trip_confidence` is 0.
    pub trip_after: TripAfter,
    /// Duration of the warm-up after the first call. During it, evidence must last at least half of this duration. In
    /// whole milliseconds; at most 1 h (more counts as 1 h). Default: [`WARM_UP`]. No effect if `trip_confidence` or
    /// `trip_after` is 0.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub warm_up: Duration,
    /// Share of failed calls that trips; 0 = off. With `trip_confidence` > 0 there must be evidence that more fail;
    /// values below 0.001 count as 0.001, values above 0.99 as 0.99. Default: 0.5.
    pub failure_rate_threshold: Ratio,
    /// How long the breaker stays open after a trip. Default: 10 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub wait_time: Duration,
    /// Factor by which the wait grows when probing fails; with `trip_confidence` > 0 also at a trip within 60 s of
    /// closing. Default: 2.
    pub wait_backoff: Backoff,
    /// Maximum wait before jitter; less than `wait_time` counts as `wait_time`. Default: 60 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub max_wait_time: Duration,
    /// Jitter of a grown wait, as a share: up to ± this. Default: 0.1.
    pub wait_jitter: Ratio,
    /// Number of probes while half-open; 0 = close at once after the wait. Default: 5.
    pub half_open_max_calls: u16,
    /// How long a closed breaker must be healthy before an incident ends. Default: 60 s.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub recovery_time: Duration,
    /// Used memory at which the latch sets, as a share of the limit. Default: 0.8.
    pub memory_threshold: MemoryThreshold,
    /// Distance below the threshold at which the latch clears; at most half of the threshold. Default: 0.05.
    pub memory_hysteresis: Ratio,
    /// Horizon of the memory forecast, see [`MemoryForecast`](crate::MemoryForecast): a condition begins when memory is
    /// forecast to reach its limit within this time. 0 = off. In whole milliseconds; at most 49 days (more counts as 49
    /// days). Default: 0.
    #[cfg(feature = "forecast")]
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub memory_horizon: Duration,
    /// Whether such a forecast opens the breaker and keeps it open. Default: false.
    #[cfg(feature = "forecast")]
    pub memory_horizon_trips: bool,
    /// Interval between memory readings; a reading older than three intervals is stale. Default: 500 ms.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub sample_interval: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            enabled: true,
            latency_threshold: Latency::from_millis(1_500),
            percentile: Percentile::default(),
            latency_window_size: DEFAULT_WINDOW_SIZE,
            latency_max_age: Duration::from_secs(60),
            minimum_samples: None,
            #[cfg(feature = "trend")]
            trend_analysis: false,
            #[cfg(feature = "trend")]
            trend_minimum_samples: 10,
            trip_confidence: Confidence::default(),
            trip_after: TripAfter::Auto,
            warm_up: WARM_UP,
            failure_rate_threshold: Ratio::from_percent(50),
            wait_time: Duration::from_secs(10),
            wait_backoff: Backoff::default(),
            max_wait_time: Duration::from_secs(60),
            wait_jitter: Ratio::from_percent(10),
            half_open_max_calls: 5,
            recovery_time: Duration::from_secs(60),
            memory_threshold: MemoryThreshold::default(),
            memory_hysteresis: Ratio::from_percent(5),
            #[cfg(feature = "forecast")]
            memory_horizon: Duration::ZERO,
            #[cfg(feature = "forecast")]
            memory_horizon_trips: false,
            sample_interval: Duration::from_millis(500),
        }
    }
}

/// The warm-up of [`Policy::default`]: after a start caches are cold, connections are few, and code is not compiled
/// yet.
pub const WARM_UP: Duration = Duration::from_secs(10);

/// How long the evidence of slow or failed calls must last before the breaker opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum TripAfter {
    /// Longer than this service's own hiccups: 1.5 s at first, three times the longest hiccup seen, at most 6 s.
    #[default]
    Auto,
    /// This many milliseconds. 0 trips at once and disables the additional 3 s of the patient test, the queue-recovery
    /// hold and the warm-up.
    Millis(u16),
}

const DEFAULT_WINDOW_SIZE: NonZeroU16 = match NonZeroU16::new(64) {
    Some(size) => size,
    None => NonZeroU16::MIN,
};

/// Minimum number of samples for a percentile, for every percentile.
const MIN_OF_PERCENTILE: u16 = 10;
/// Minimum with evidence; more samples add nothing.
const MIN_WITH_EVIDENCE: u16 = 5;

impl Policy {
    /// The default policy with a window that fits into a breaker of capacity `N`: 64 samples, or `N` if that is less.
    ///
    /// ```
    /// use tripline_core::{Breaker, Policy};
    ///
    /// let breaker = Breaker::<32>::new(Policy::for_capacity::<32>(), 7)?;
    /// assert_eq!(breaker.policy().latency_window_size.get(), 32);
    /// # Ok::<(), tripline_core::CapacityError>(())
    /// ```
    pub fn for_capacity<const N: usize>() -> Self {
        let capacity = NonZeroU16::new(u16::try_from(N).unwrap_or(u16::MAX)).unwrap_or(NonZeroU16::MIN);
        let mut policy = Self::default();
        policy.latency_window_size = DEFAULT_WINDOW_SIZE.min(capacity);
        policy
    }

    /// Whether a breach needs evidence: `trip_confidence` > 0.
    pub fn asks_for_evidence(&self) -> bool {
        self.trip_confidence.get() > 0.0
    }

    /// Calls that are required before a latency or failure rule may trip: never more than the window holds, never 0.
    ///
    /// If `minimum_samples` is unset, it is 5 with `trip_confidence` > 0. Otherwise it is the smallest n, at least 10,
    /// at which one slow call alone cannot be the percentile (n − index ≥ 2, which is 21 at 0.95). At percentile 1
    /// there is no such n, and the window must be full.
    pub fn effective_minimum_samples(&self) -> u16 {
        let size = self.latency_window_size.get();
        let wanted = self.minimum_samples.unwrap_or_else(|| {
            if self.asks_for_evidence() {
                return MIN_WITH_EVIDENCE;
            }
            (MIN_OF_PERCENTILE..size)
                .find(|&n| u32::from(n).saturating_sub(self.percentile.index(u32::from(n))) >= 2)
                .unwrap_or(size)
        });
        wanted.clamp(1, size)
    }

    /// Samples that are required for a trend: at least 3, and otherwise never more than the window holds.
    #[cfg(feature = "trend")]
    pub fn effective_trend_minimum(&self) -> u16 {
        self.trend_minimum_samples.min(self.latency_window_size.get()).max(MIN_FOR_SLOPE)
    }

    /// The maximum wait, at least `wait_time`.
    pub fn effective_max_wait(&self) -> Duration {
        self.max_wait_time.max(self.wait_time)
    }

    /// The share of memory below which the latch clears.
    pub fn memory_clear_ratio(&self) -> f64 {
        clear_ratio(self.memory_threshold, self.memory_hysteresis)
    }
}

pub(crate) fn clear_ratio(threshold: MemoryThreshold, hysteresis: Ratio) -> f64 {
    threshold.get() - hysteresis.get().min(threshold.get() / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(percentile: f64, size: u16) -> Policy {
        let mut policy = Policy::default();
        policy.percentile = Percentile::new(percentile).unwrap_or_default();
        policy.latency_window_size = NonZeroU16::new(size).unwrap_or(NonZeroU16::MIN);
        policy.trip_confidence = Confidence::ZERO;
        policy
    }

    #[test]
    fn with_evidence_the_default_minimum_is_five() {
        let mut policy = Policy::default();
        assert_eq!(policy.effective_minimum_samples(), 5);
        policy.latency_window_size = NonZeroU16::new(3).unwrap_or(NonZeroU16::MIN);
        assert_eq!(policy.effective_minimum_samples(), 3);
        policy.minimum_samples = Some(2);
        assert_eq!(policy.effective_minimum_samples(), 2);
    }

    #[test]
    fn a_policy_fits_into_its_capacity() {
        assert_eq!(Policy::for_capacity::<1>().latency_window_size.get(), 1);
        assert_eq!(Policy::for_capacity::<32>().latency_window_size.get(), 32);
        assert_eq!(Policy::for_capacity::<1_024>(), Policy::default());
        assert_eq!(Policy::for_capacity::<100_000>(), Policy::default());
    }

    #[test]
    fn the_default_minimum_needs_two_slow_calls() {
        assert_eq!(policy(0.95, 64).effective_minimum_samples(), 21);
        assert_eq!(policy(0.5, 64).effective_minimum_samples(), 10);
        assert_eq!(policy(0.99, 1_024).effective_minimum_samples(), 101);
        assert_eq!(policy(0.99, 64).effective_minimum_samples(), 64);
        assert_eq!(policy(1.0, 64).effective_minimum_samples(), 64);
        assert_eq!(policy(0.95, 7).effective_minimum_samples(), 7);
    }

    #[test]
    #[cfg(feature = "trend")]
    fn a_minimum_above_the_window_is_the_window() {
        let mut p = policy(0.95, 5);
        p.minimum_samples = Some(500);
        p.trend_minimum_samples = 500;
        assert_eq!(p.effective_minimum_samples(), 5);
        assert_eq!(p.effective_trend_minimum(), 5);
        p.minimum_samples = Some(0);
        p.trend_minimum_samples = 0;
        assert_eq!(p.effective_minimum_samples(), 1);
        assert_eq!(p.effective_trend_minimum(), 3);
    }

    #[test]
    fn hysteresis_never_reaches_below_half_the_threshold() {
        let mut p = Policy::default();
        p.memory_hysteresis = Ratio::new(0.9).unwrap_or(Ratio::ZERO);
        assert!((p.memory_clear_ratio() - 0.4).abs() < 1e-12);
    }
}
