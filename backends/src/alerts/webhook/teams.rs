//! A Microsoft Teams workflow: a message with one adaptive card.

use serde_json::{Value, json};

use super::summary::{Severity, Summary};
use crate::text::shorten;

/// Maximum length of a text, in characters: far below the 28 KB limit of a message.
const TEXT_CHARS: usize = 2_000;

pub(super) fn body(summary: &Summary) -> Value {
    let color = match summary.severity {
        Severity::Critical | Severity::Error => "Attention",
        Severity::Warning => "Warning",
        Severity::Info => "Accent",
        Severity::Resolved => "Good",
    };
    let fact = |(name, value): &(&str, String)| json!({"title": name, "value": shorten(value, TEXT_CHARS)});
    let facts: Vec<Value> = summary.facts.iter().map(fact).collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": [
                    {
                        "type": "TextBlock",
                        "text": shorten(&summary.headline, TEXT_CHARS),
                        "size": "Large",
                        "weight": "Bolder",
                        "color": color,
                        "wrap": true,
                    },
                    {"type": "TextBlock", "text": shorten(&summary.sentence, TEXT_CHARS), "wrap": true},
                    {"type": "FactSet", "facts": facts},
                ],
            },
        }],
    })
}
