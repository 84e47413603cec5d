//! The fields of body templates and their values.

use tripline_runtime::Alert;

use super::message::Message;
use super::summary::Summary;
use crate::alerts::format::lasted_seconds;

/// A value in the form that a template inserts.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FieldValue {
    /// Empty if there is no value.
    Text(String),
    /// `null` if there is no value.
    Number(Option<f64>),
}

/// The value of one of [`WEBHOOK_FIELDS`](crate::config::WEBHOOK_FIELDS); `None` for any other name.
pub(super) fn value_of(name: &str, alert: &Alert, message: &Message, summary: &Summary) -> Option<FieldValue> {
    let text = |text: &str| FieldValue::Text(text.to_owned());
    let optional = |value: Option<&str>| FieldValue::Text(value.unwrap_or_default().to_owned());
    let number = |value: f64| FieldValue::Number(Some(value));
    Some(match name {
        "headline" => text(&summary.headline),
        "summary" => text(&summary.sentence),
        "breaker" => text(&message.breaker),
        "key" => optional(message.key.as_deref()),
        "incident" => number(message.incident as f64),
        "kind" => text(message.kind),
        "stage" => text(message.stage),
        "action" => optional(message.action),
        "priority" => optional(message.priority),
        "alias" => optional(message.alias.as_deref()),
        "delivery_id" => text(&message.delivery_id),
        "cause" => text(message.cause),
        "ended_by" => optional(message.ended_by),
        "state" => text(message.state),
        "trip_reason" => optional(message.trip_reason),
        "why" => optional(message.why.as_deref()),
        "drill" => text(if message.drill { "drill" } else { "" }),
        "passed_after_seconds" => FieldValue::Number(message.passed_after_seconds),
        "stalled_at_trip" => number(f64::from(message.stalled_at_trip)),
        "percentile_ms" => FieldValue::Number(message.percentile_ms),
        "threshold_ms" => number(message.threshold_ms),
        "trend" => text(message.trend),
        "memory_percent" => FieldValue::Number(message.memory.as_ref().and_then(|memory| memory.percent)),
        "lasted_seconds" => number(lasted_seconds(alert) as f64),
        "started_at" => text(&message.started_at),
        "at" => text(&message.at),
        _ => return None,
    })
}
