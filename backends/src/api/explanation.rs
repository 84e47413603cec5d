//! Why a breaker is open, as JSON.

use serde::Serialize;
use serde_json::Number;
use tripline_runtime::TripExplanation;
use utoipa::ToSchema;

use super::units::millis;
use crate::text::{percent, rough_percent, tidy};

/// Why a breaker is open: the rule, and the figures that it was applied to.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct TripEvidence {
    /// The rule, as in `trip_reason`.
    pub rule: &'static str,
    /// An operator simulated it: nothing is wrong with the service.
    pub drill: bool,
    /// All of it as one line.
    pub text: String,
    /// Calls that counted when it opened: those of the window, and those that were hanging.
    pub calls: u16,
    /// Of these, calls that took longer than the threshold.
    pub slow: u16,
    /// Of these, calls that failed.
    pub failed: u16,
    /// Calls that were hanging when it opened.
    pub hanging: u16,
    /// The test that the trip rests on: `quick`, `patient` or `failures`; null where no evidence was asked for or needed.
    #[schema(required)]
    pub test: Option<&'static str>,
    /// How old the evidence was, in milliseconds.
    #[schema(required)]
    pub age_ms: Option<u64>,
    /// How old it had to be, in milliseconds, without what the patient test asks for on top.
    #[schema(required)]
    pub tolerance_ms: Option<u64>,
    /// Why so old: `start`, `learned`, `warm_up` or `fixed`.
    #[schema(required)]
    pub tolerance_source: Option<&'static str>,
    /// The latency at the configured percentile, in milliseconds; null while the window is empty.
    #[schema(value_type = Option<f64>, required)]
    pub percentile_ms: Option<Number>,
    /// The latency threshold, in whole milliseconds.
    pub threshold_ms: u32,
    /// Failed calls in percent of the window; null while it is empty.
    #[schema(value_type = Option<f64>, required)]
    pub failed_percent: Option<Number>,
    /// The share of failed calls at which it opens, in percent; null where failures open nothing.
    #[schema(value_type = Option<f64>, required)]
    pub failed_threshold_percent: Option<Number>,
    /// Memory in use, in percent; null where it is unknown.
    #[schema(value_type = Option<f64>, required)]
    pub memory_percent: Option<Number>,
    /// The share of memory at which it opens, in percent.
    #[schema(value_type = Option<f64>, required)]
    pub memory_threshold_percent: Option<Number>,
}

impl From<TripExplanation> for TripEvidence {
    fn from(why: TripExplanation) -> Self {
        Self {
            rule: why.reason.as_str(),
            drill: why.is_drill,
            text: why.to_string(),
            calls: why.calls,
            slow: why.slow,
            failed: why.failed,
            hanging: why.hanging,
            test: why.evidence.map(|evidence| evidence.test.as_str()),
            age_ms: why.evidence.map(|evidence| millis(evidence.age)),
            tolerance_ms: why.evidence.map(|evidence| millis(evidence.tolerance)),
            tolerance_source: why.evidence.map(|evidence| evidence.source.as_str()),
            percentile_ms: why.percentile_latency.and_then(|latency| tidy(latency.as_millis_f64())),
            threshold_ms: why.latency_threshold.as_millis(),
            failed_percent: why.failure_rate().and_then(rough_percent),
            failed_threshold_percent: why.failure_rate_threshold.and_then(percent),
            memory_percent: why.memory_ratio().and_then(rough_percent),
            memory_threshold_percent: percent(why.memory_threshold),
        }
    }
}
