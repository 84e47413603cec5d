//! A policy as a breaker stores it: durations in nanoseconds, half the size, ready for use.

use core::num::NonZeroU16;
use core::time::Duration;

use crate::evidence::ToleranceRule;
use crate::policy::{Policy, clear_ratio};
use crate::time::saturating_nanos;
use crate::units::{Backoff, Confidence, Latency, MemoryThreshold, Percentile, Ratio};

/// The fields of [`Policy`] under the same names.
#[derive(Debug, Clone)]
pub(crate) struct PackedPolicy {
    pub(crate) enabled: bool,
    pub(crate) latency_threshold: Latency,
    pub(crate) percentile: Percentile,
    pub(crate) latency_window_size: NonZeroU16,
    pub(crate) latency_max_age_nanos: u64,
    minimum_samples: Option<u16>,
    #[cfg(feature = "trend")]
    pub(crate) trend_analysis: bool,
    #[cfg(feature = "trend")]
    trend_minimum_samples: u16,
    trip_confidence: Confidence,
    pub(crate) failure_rate_threshold: Ratio,
    pub(crate) wait_time_nanos: u64,
    pub(crate) wait_backoff: Backoff,
    max_wait_time_nanos: u64,
    pub(crate) wait_jitter: Ratio,
    pub(crate) half_open_max_calls: u16,
    pub(crate) recovery_time_nanos: u64,
    pub(crate) memory_threshold: MemoryThreshold,
    memory_hysteresis: Ratio,
    pub(crate) sample_interval_nanos: u64,
    #[cfg(feature = "forecast")]
    memory_horizon_millis: u32,
    #[cfg(feature = "forecast")]
    memory_horizon_trips: bool,
}

impl PackedPolicy {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            enabled: policy.enabled,
            latency_threshold: policy.latency_threshold,
            percentile: policy.percentile,
            latency_window_size: policy.latency_window_size,
            latency_max_age_nanos: saturating_nanos(policy.latency_max_age),
            minimum_samples: policy.minimum_samples,
            #[cfg(feature = "trend")]
            trend_analysis: policy.trend_analysis,
            #[cfg(feature = "trend")]
            trend_minimum_samples: policy.trend_minimum_samples,
            trip_confidence: policy.trip_confidence,
            failure_rate_threshold: policy.failure_rate_threshold,
            wait_time_nanos: saturating_nanos(policy.wait_time),
            wait_backoff: policy.wait_backoff,
            max_wait_time_nanos: saturating_nanos(policy.max_wait_time),
            wait_jitter: policy.wait_jitter,
            half_open_max_calls: policy.half_open_max_calls,
            recovery_time_nanos: saturating_nanos(policy.recovery_time),
            memory_threshold: policy.memory_threshold,
            memory_hysteresis: policy.memory_hysteresis,
            sample_interval_nanos: saturating_nanos(policy.sample_interval),
            #[cfg(feature = "forecast")]
            memory_horizon_millis: u32::try_from(policy.memory_horizon.as_millis()).unwrap_or(u32::MAX),
            #[cfg(feature = "forecast")]
            memory_horizon_trips: policy.memory_horizon_trips,
        }
    }

    pub(crate) fn policy(&self, tolerance: ToleranceRule) -> Policy {
        Policy {
            enabled: self.enabled,
            latency_threshold: self.latency_threshold,
            percentile: self.percentile,
            latency_window_size: self.latency_window_size,
            latency_max_age: Duration::from_nanos(self.latency_max_age_nanos),
            minimum_samples: self.minimum_samples,
            #[cfg(feature = "trend")]
            trend_analysis: self.trend_analysis,
            #[cfg(feature = "trend")]
            trend_minimum_samples: self.trend_minimum_samples,
            trip_confidence: self.trip_confidence,
            trip_after: tolerance.trip_after,
            warm_up: tolerance.warm_up(),
            failure_rate_threshold: self.failure_rate_threshold,
            wait_time: Duration::from_nanos(self.wait_time_nanos),
            wait_backoff: self.wait_backoff,
            max_wait_time: Duration::from_nanos(self.max_wait_time_nanos),
            wait_jitter: self.wait_jitter,
            half_open_max_calls: self.half_open_max_calls,
            recovery_time: Duration::from_nanos(self.recovery_time_nanos),
            memory_threshold: self.memory_threshold,
            memory_hysteresis: self.memory_hysteresis,
            #[cfg(feature = "forecast")]
            memory_horizon: self.memory_horizon(),
            #[cfg(feature = "forecast")]
            memory_horizon_trips: self.memory_horizon_trips,
            sample_interval: Duration::from_nanos(self.sample_interval_nanos),
        }
    }

    #[cfg(feature = "forecast")]
    pub(crate) fn memory_horizon(&self) -> Duration {
        Duration::from_millis(self.memory_horizon_millis.into())
    }

    /// Whether forecasts are evaluated.
    #[cfg(feature = "forecast")]
    pub(crate) fn forecast_is_on(&self) -> bool {
        self.memory_horizon_millis > 0
    }

    /// Whether a forecast opens the breaker.
    #[cfg(feature = "forecast")]
    pub(crate) fn forecast_trips(&self) -> bool {
        self.forecast_is_on() && self.memory_horizon_trips
    }

    pub(crate) fn failure_rule_is_on(&self) -> bool {
        self.failure_rate_threshold.get() > 0.0
    }

    /// The longest wait, at least `wait_time`.
    pub(crate) fn longest_wait_nanos(&self) -> u64 {
        self.max_wait_time_nanos.max(self.wait_time_nanos)
    }

    /// The share of memory below which the latch clears.
    pub(crate) fn memory_clear_ratio(&self) -> f64 {
        clear_ratio(self.memory_threshold, self.memory_hysteresis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::TripAfter;

    fn back(policy: &Policy) -> Policy {
        PackedPolicy::new(policy).policy(ToleranceRule::new(policy.trip_after, policy.warm_up))
    }

    #[test]
    fn a_policy_comes_back_as_it_was() {
        let mut policy = Policy::default();
        policy.enabled = false;
        policy.minimum_samples = Some(3);
        policy.latency_max_age = Duration::new(1, 1);
        policy.wait_time = Duration::new(2, 2);
        policy.max_wait_time = Duration::new(3, 3);
        policy.recovery_time = Duration::new(4, 4);
        policy.trip_after = TripAfter::Millis(250);
        policy.warm_up = Duration::from_millis(7);
        policy.sample_interval = Duration::new(5, 5);
        #[cfg(feature = "forecast")]
        {
            policy.memory_horizon = Duration::from_millis(6);
            policy.memory_horizon_trips = true;
        }
        assert_eq!(back(&policy), policy);
    }

    #[test]
    fn a_span_above_584_years_counts_as_that() {
        let mut policy = Policy::default();
        policy.wait_time = Duration::MAX;
        assert_eq!(back(&policy).wait_time, Duration::from_nanos(u64::MAX));
        #[cfg(feature = "forecast")]
        {
            policy.memory_horizon = Duration::MAX;
            assert_eq!(back(&policy).memory_horizon, Duration::from_millis(u64::from(u32::MAX)));
        }
    }
}
