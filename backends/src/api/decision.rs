//! The basis of the breaker's decisions at this moment, as JSON.

use serde::Serialize;
use serde_json::Number;
use tripline_runtime::core::{Breaker as Core, EvidenceTest, SampleStore, TripAfter};
use utoipa::ToSchema;

use crate::text::{percent, rough_percent, tidy};

/// The basis of the breaker's decisions at this moment: the settings in force, the evidence, and how long it must last.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct DecisionStatus {
    /// How sure the breaker must be, as a ratio; 0 where being above the threshold is enough.
    #[schema(value_type = f64)]
    pub trip_confidence: Option<Number>,
    /// `trip_after` in milliseconds; null where it is learned (`auto`).
    #[schema(required)]
    pub trip_after_ms: Option<u16>,
    /// `warm_up` in seconds.
    #[schema(value_type = f64)]
    pub warm_up_seconds: Option<Number>,
    /// How long evidence must last now, in milliseconds, without the 3 s more of the patient test; null where no evidence is asked
    /// for.
    #[schema(required)]
    pub tolerance_ms: Option<u32>,
    /// Where it comes from: `start`, `learned`, `warm_up` or `fixed` (by `trip_after`); null where no evidence is asked for.
    #[schema(required)]
    pub tolerance_source: Option<&'static str>,
    /// The test whose evidence is the oldest: `quick`, `patient` or `failures`; null where there is none.
    #[schema(required)]
    pub test: Option<&'static str>,
    /// The age of that evidence, in milliseconds; 0 where there is none.
    pub age_ms: u32,
    /// Failed calls in percent of the window; null while it is empty.
    #[schema(value_type = Option<f64>, required)]
    pub failed_percent: Option<Number>,
    /// The share of failed calls at which it opens, in percent; null where failures open nothing.
    #[schema(value_type = Option<f64>, required)]
    pub failed_threshold_percent: Option<Number>,
    /// Trips that their first probes contradicted, since the start.
    pub false_trips: u32,
}

impl DecisionStatus {
    pub(super) fn of<const N: usize, S: SampleStore>(core: &Core<N, S>) -> Self {
        let policy = core.policy();
        let evidence = core.evidence();
        let limit = policy.failure_rate_threshold.get();
        Self {
            trip_confidence: tidy(policy.trip_confidence.get()),
            trip_after_ms: match policy.trip_after {
                TripAfter::Auto => None,
                TripAfter::Millis(millis) => Some(millis),
            },
            warm_up_seconds: tidy(policy.warm_up.as_secs_f64()),
            tolerance_ms: evidence.tolerance.map(|tolerance| tolerance.millis),
            tolerance_source: evidence.tolerance.map(|tolerance| tolerance.source.as_str()),
            test: evidence.test.map(EvidenceTest::as_str),
            age_ms: evidence.age_ms,
            failed_percent: (evidence.calls > 0).then(|| rough_percent(evidence.failure_rate())).flatten(),
            failed_threshold_percent: (limit > 0.0).then(|| percent(limit)).flatten(),
            false_trips: core.counts().false_trips,
        }
    }
}
