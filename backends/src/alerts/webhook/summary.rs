//! A short summary of an alert, for people.

use tripline_runtime::core::{IncidentEnd, Latency};
use tripline_runtime::{Alert, AlertKind, FleetPart, Stage};

use super::message::Message;
use crate::alerts::format::{lasted_seconds, passed, state_and_cause, two_decimals, words};

/// A short summary of an alert.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Summary {
    /// One line: the event and the breaker.
    pub(super) headline: String,
    /// One sentence with the evidence.
    pub(super) sentence: String,
    /// Names and values, for receivers that show a table.
    pub(super) facts: Vec<(&'static str, String)>,
    pub(super) severity: Severity,
}

/// The colour of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    Critical,
    Error,
    Warning,
    Info,
    Resolved,
}

impl Summary {
    pub(super) fn of(alert: &Alert, message: &Message) -> Self {
        if alert.is_test {
            let what = if alert.stage.is_end() { "Test page closed" } else { "Test page" };
            return Self {
                headline: format!("{what}, no incident - {}", message.breaker),
                sentence: "This page tests the delivery of alerts. It is closed at once.".to_owned(),
                facts: vec![("Breaker", message.breaker.clone())],
                severity: severity(message),
            };
        }
        let what = match alert.kind {
            AlertKind::MemoryThreshold => "memory threshold exceeded",
            AlertKind::LatencyThreshold => "high latency",
            _ => "circuit breaker open",
        };
        let subject = subject(message);
        let is_note = alert.fleet.as_ref().is_some_and(FleetPart::is_note);
        let headline = match alert.stage {
            _ if is_note => format!("More replicas affected: {what} - {subject}"),
            Stage::Resolved(_) => format!("Resolved: {what} - {subject}"),
            Stage::Superseded => format!("Continued under another alert: {what} - {subject}"),
            Stage::Escalated => format!("Ongoing: {what} - {subject}"),
            _ => format!(
                "{}{} - {}",
                what.get(..1).unwrap_or_default().to_uppercase(),
                what.get(1..).unwrap_or_default(),
                subject
            ),
        };
        let headline = if message.drill { format!("Drill: {headline}") } else { headline };
        Self { headline, sentence: sentence(alert, message), facts: facts(alert, message), severity: severity(message) }
    }
}

/// The breaker, with the key of a member that has incidents of its own.
fn subject(message: &Message) -> String {
    message.key.as_ref().map_or_else(|| message.breaker.clone(), |key| format!("{}/{key}", message.breaker))
}

fn sentence(alert: &Alert, message: &Message) -> String {
    let lasted = lasted_seconds(alert);
    let mut parts: Vec<String> = alert.fleet.iter().map(|fleet| format!("{fleet}.")).collect();
    parts.push(match alert.stage {
        Stage::Resolved(IncidentEnd::Operator) => format!("Ended by an operator after {lasted} s."),
        Stage::Resolved(_) => format!("Healthy again; the incident lasted {lasted} s."),
        _ => state_and_cause(alert),
    });
    parts.extend(passed(alert));
    parts.extend(alert.family.as_ref().map(|family| format!("{family}.")));
    parts.extend(message.why.as_ref().map(|why| format!("It opened on {why}.")));
    if let Some(percentile) = alert.snapshot.percentile.map(Latency::as_millis_f64) {
        parts.push(format!(
            "Latency percentile {} ms, threshold {} ms, trend {}.",
            two_decimals(percentile),
            two_decimals(message.threshold_ms),
            words(message.trend)
        ));
    }
    if message.stalled_at_trip > 0 {
        parts.push(format!("Stalled calls: {}.", message.stalled_at_trip));
    }
    if let Some(percent) = message.memory.as_ref().and_then(|memory| memory.percent) {
        parts.push(format!("Memory at {percent} % of its limit."));
    }
    parts.join(" ")
}

fn facts(alert: &Alert, message: &Message) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("Breaker", subject(message)),
        ("State", message.state.to_owned()),
        ("Cause", message.cause.to_owned()),
        ("Priority", message.priority.unwrap_or("none").to_owned()),
        ("Incident", message.incident.to_string()),
        ("Started", message.started_at.clone()),
    ];
    if message.drill {
        facts.push(("Drill", "simulated by an operator".to_owned()));
    }
    let lasted = lasted_seconds(alert);
    if lasted > 0 {
        facts.push(("Lasted", format!("{lasted} s")));
    }
    facts
}

fn severity(message: &Message) -> Severity {
    match (message.action, message.priority) {
        (Some("close"), _) => Severity::Resolved,
        (_, Some("P1")) => Severity::Critical,
        (_, Some("P2")) => Severity::Error,
        (_, Some("P4" | "P5")) => Severity::Info,
        _ => Severity::Warning,
    }
}
