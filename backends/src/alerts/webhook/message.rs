//! The fields of an alert, as `format = "json"` posts them and templates name them.

use std::time::{Duration, SystemTime};

use serde::Serialize;
use tripline_runtime::core::TripReason;
use tripline_runtime::{Alert, FleetPart, PageAction};

use crate::alerts::alias::digits;
use crate::alerts::format::{ended_by, memory_percent, percentile_ms, two_decimals};
use crate::text::rfc3339;

/// The body of `format = "json"`. Fields without a value are `null`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Message {
    /// Version of the format: 1.
    pub version: u32,
    /// Identifier of the alert's stage: the same for all attempts, and never reused. Letters, digits and `. _ - :`.
    pub delivery_id: String,
    /// True in a test page; left out in every other alert.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub test: bool,
    /// The affected replicas, if the process is in a fleet: `37 of 1,000 replicas open, first: web-17`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
    /// Name of the breaker.
    pub breaker: String,
    /// Key of the member of a family whose own incident it is; left out in every other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// Number of the incident, from 1.
    pub incident: u64,
    /// `circuit-open`, `memory-threshold` or `latency-threshold`.
    pub kind: &'static str,
    /// `single`, `initial`, `escalated`, `resolved`, or `taken_over` if the incident goes on under an alert of another
    /// kind.
    pub stage: &'static str,
    /// On `resolved`: `healthy` or `operator`.
    pub ended_by: Option<&'static str>,
    /// Whether receivers should announce the reset of the breaker.
    pub announce_reset: bool,
    /// The cause of the incident, as in the breaker's status.
    pub cause: &'static str,
    /// When the incident began: RFC 3339, UTC.
    pub started_at: String,
    /// When the incident reached this stage.
    pub at: String,
    /// The alias, which is the same for all stages of one alert.
    pub alias: Option<String>,
    /// `P1` (most urgent) to `P5`.
    pub priority: Option<&'static str>,
    /// The action for the people on call: `create`, `escalate`, `close` or `note`.
    pub action: Option<&'static str>,
    /// State of the breaker, as in its status.
    pub state: &'static str,
    /// Why the breaker opened last.
    pub trip_reason: Option<&'static str>,
    /// Why the breaker is open, with the evidence, on one line; `null` while it is not open.
    pub why: Option<String>,
    /// Whether operators simulated everything that opened the breaker. The service was healthy then.
    pub drill: bool,
    /// On `resolved` after a false trip: how long the trip lasted, in seconds.
    pub passed_after_seconds: Option<f64>,
    /// Number of stalled calls when the breaker opened last.
    pub stalled_at_trip: u16,
    /// The exact latency percentile of the window, in milliseconds.
    pub percentile_ms: Option<f64>,
    /// The latency threshold, in milliseconds.
    pub threshold_ms: f64,
    /// `too_few`, `rising`, `falling`, `oscillating` or `steady`.
    pub trend: &'static str,
    /// The last memory reading.
    pub memory: Option<Memory>,
}

/// Memory in a [`Message`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Memory {
    /// Used memory, in bytes.
    pub used_bytes: u64,
    /// The limit, in bytes; `null` without a limit.
    pub limit_bytes: Option<u64>,
    /// Used share of the limit, in percent.
    pub percent: Option<f64>,
    /// Name of the limit, e.g. `memory.max of /kubepods/pod1`; left out if the source gives none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
}

impl Message {
    /// The message of `alert`.
    pub fn of(alert: &Alert) -> Self {
        let (seen, page) = (&alert.snapshot, alert.page.as_ref());
        Self {
            version: 1,
            delivery_id: delivery_id(alert),
            test: alert.is_test,
            fleet: alert.fleet.as_ref().map(ToString::to_string),
            breaker: alert.breaker.as_str().to_owned(),
            key: alert.key.clone(),
            incident: alert.incident,
            kind: alert.kind.as_str(),
            stage: alert.stage.as_str(),
            ended_by: ended_by(alert.stage),
            announce_reset: alert.announce_reset,
            cause: alert.cause.as_str(),
            started_at: rfc3339(alert.started_at),
            at: rfc3339(alert.at),
            alias: page.map(|page| page.alias.clone()),
            priority: page.map(|page| page.priority.as_str()),
            action: page.map(|page| action(page.action)),
            state: seen.state.as_str(),
            trip_reason: seen.trip_reason.map(TripReason::as_str),
            why: seen.explanation.map(|why| why.to_string()),
            drill: alert.is_drill,
            passed_after_seconds: alert.passed_after.map(|after| two_decimals(after.as_secs_f64())),
            stalled_at_trip: seen.stalled_at_trip,
            percentile_ms: percentile_ms(seen),
            threshold_ms: seen.threshold.as_millis_f64(),
            trend: seen.trend.as_str(),
            memory: seen.memory.map(|memory| Memory {
                used_bytes: memory.used,
                limit_bytes: memory.limit,
                percent: memory_percent(memory),
                level: seen.memory_level.clone(),
            }),
        }
    }
}

/// Includes the start time, because incident numbers restart from 1 if no state is kept over a restart.
fn delivery_id(alert: &Alert) -> String {
    let since = alert.started_at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (breaker, kind, stage) = (alert.breaker.as_str(), alert.kind.as_str(), alert.stage.as_str());
    // The identifier is the same on every replica, so it contains no local time.
    match alert.fleet {
        Some(FleetPart::All { epoch, has_doubled: true, open, .. }) => {
            return format!("{breaker}:fleet:{epoch}:{kind}:note-{open}");
        }
        Some(FleetPart::All { epoch, .. }) => return format!("{breaker}:fleet:{epoch}:{kind}:{stage}"),
        _ => {}
    }
    // A key may have any characters.
    let breaker = alert.key.as_deref().map_or_else(|| breaker.to_owned(), |key| format!("{breaker}:{}", digits(key)));
    format!("{breaker}:{}:{}:{kind}:{stage}", alert.incident, since.as_millis())
}

const fn action(action: PageAction) -> &'static str {
    match action {
        PageAction::Create => "create",
        PageAction::Escalate => "escalate",
        PageAction::Close => "close",
        PageAction::Note => "note",
        _ => "other",
    }
}
