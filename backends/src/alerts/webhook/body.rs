//! The request body of a webhook.

use serde_json::Value;
use tripline_runtime::{Alert, DeliveryError};

use super::fields::{FieldValue, value_of};
use super::message::Message;
use super::summary::Summary;
use super::{discord, pagerduty, slack, teams};
use crate::alerts::classify::misconfigured;
use crate::config::{BodyEscaping, Secret, Webhook, WebhookFormat};
use crate::text::Template;

/// The body for an alert, from the template or the format of `config`.
pub(super) fn of(config: &Webhook, alert: &Alert, message: &Message) -> Result<Vec<u8>, DeliveryError> {
    let summary = Summary::of(alert, message);
    if !config.body.is_empty() {
        return templated(config, alert, message, &summary);
    }
    let json = match config.format {
        WebhookFormat::Json => serde_json::to_vec(message),
        WebhookFormat::Slack => serde_json::to_vec(&slack::body(&summary)),
        WebhookFormat::Teams => serde_json::to_vec(&teams::body(&summary)),
        WebhookFormat::Discord => serde_json::to_vec(&discord::body(&summary, message)),
        WebhookFormat::PagerDuty => {
            let key = config.routing_key.as_ref().map(Secret::expose);
            let key = key.ok_or_else(|| misconfigured("webhook.routing_key is not set"))?;
            serde_json::to_vec(&pagerduty::body(&summary, message, key))
        }
    };
    json.map_err(|error| misconfigured(&error.to_string()))
}

fn templated(config: &Webhook, alert: &Alert, message: &Message, summary: &Summary) -> Result<Vec<u8>, DeliveryError> {
    let value = |name: &str| value_of(name, alert, message, summary);
    let template = Template::parse(&config.body, &|name| value(name).is_some());
    let template = template.map_err(|error| misconfigured(&format!("webhook.body: {error}")))?;
    let escaping = config.escaping();
    let written = |name: &str| match value(name) {
        Some(FieldValue::Text(text)) => escaped(&text, escaping),
        Some(FieldValue::Number(Some(number))) => number.to_string(),
        Some(FieldValue::Number(None)) => "null".to_owned(),
        None => String::new(),
    };
    Ok(template.render(&written).into_bytes())
}

fn escaped(text: &str, escaping: BodyEscaping) -> String {
    match escaping {
        BodyEscaping::Json => {
            let quoted = Value::from(text).to_string();
            quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or_default().to_owned()
        }
        BodyEscaping::Form => url::form_urlencoded::byte_serialize(text.as_bytes()).collect(),
        BodyEscaping::None => crate::text::escape_controls(text),
    }
}
