//! The Events API v2 of `PagerDuty`: `trigger` and `resolve` by `dedup_key`.
//!
//! A repeat with the same key is added to the open alert. An escalation is such a repeat, with a higher severity.

use serde_json::{Value, json};

use super::message::Message;
use super::summary::{Severity, Summary};
use crate::alerts::alias::fit;
use crate::text::shorten;

/// Maximum length of `dedup_key`, in characters.
const DEDUP_KEY_CHARS: usize = 255;
/// Maximum length of `payload.summary`, in characters.
const SUMMARY_CHARS: usize = 1_024;

pub(super) fn body(summary: &Summary, message: &Message, routing_key: &str) -> Value {
    let alias = message.alias.as_deref().unwrap_or(&message.breaker);
    let dedup_key = fit(alias, DEDUP_KEY_CHARS);
    if message.action == Some("close") {
        return json!({"routing_key": routing_key, "event_action": "resolve", "dedup_key": dedup_key});
    }
    let severity = match summary.severity {
        Severity::Critical => "critical",
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Info | Severity::Resolved => "info",
    };
    json!({
        "routing_key": routing_key,
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": "Tripline",
        "payload": {
            "summary": shorten(&format!("{}. {}", summary.headline, summary.sentence), SUMMARY_CHARS),
            "source": message.breaker,
            "severity": severity,
            "timestamp": message.at,
            "component": message.breaker,
            "class": message.kind,
            "custom_details": message,
        },
    })
}
