//! Formats the figures of an alert in units and words for people.

use tripline_runtime::core::{IncidentEnd, Latency, MemorySample};
use tripline_runtime::{Alert, Snapshot, Stage};

/// Rounds to two decimals.
pub(crate) fn two_decimals(value: f64) -> f64 {
    (value * 100.0).round() / 100.0
}

pub(crate) fn percentile_ms(snapshot: &Snapshot) -> Option<f64> {
    snapshot.percentile.map(Latency::as_millis_f64)
}

pub(crate) fn memory_percent(sample: MemorySample) -> Option<f64> {
    sample.ratio().map(|ratio| two_decimals(ratio * 100.0))
}

/// How the incident ended; `None` while it goes on.
pub(crate) fn ended_by(stage: Stage) -> Option<&'static str> {
    match stage {
        Stage::Resolved(IncidentEnd::Healthy) => Some("healthy"),
        Stage::Resolved(IncidentEnd::Operator) => Some("operator"),
        _ => None,
    }
}

/// The sentence about a false trip in the closing message.
#[cfg(any(feature = "opsgenie", feature = "webhook"))]
pub(crate) fn passed(alert: &Alert) -> Option<String> {
    let seconds = two_decimals(alert.passed_after?.as_secs_f64());
    Some(format!("False trip: its first probes all succeeded; it lasted {seconds} s."))
}

/// A value of the API, such as `half_open`, as words.
#[cfg(any(feature = "opsgenie", feature = "webhook"))]
pub(crate) fn words(value: &str) -> String {
    value.replace('_', " ")
}

/// The state of the breaker and the cause of the incident as one sentence each. The breaker may be closed: an alert about a
/// condition comes before it opens.
#[cfg(any(feature = "opsgenie", feature = "webhook"))]
pub(crate) fn state_and_cause(alert: &Alert) -> String {
    let (state, cause) = (alert.snapshot.state.as_str(), alert.cause.as_str());
    format!("The breaker is {}. Cause: {}.", words(state), words(cause))
}

/// Time since the incident began, in whole seconds.
pub(crate) fn lasted_seconds(alert: &Alert) -> u64 {
    alert.at.duration_since(alert.started_at).unwrap_or_default().as_secs()
}
