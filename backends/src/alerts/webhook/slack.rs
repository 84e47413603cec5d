//! A Slack incoming webhook: `text`, and blocks of at most 3,000 characters each. Mattermost and Rocket.Chat read `text`.

use serde_json::{Value, json};

use super::summary::{Severity, Summary};
use crate::text::shorten;

/// Maximum length of the text of a section, in characters.
const TEXT_CHARS: usize = 3_000;
/// Maximum length of a field of a section, in characters.
const FIELD_CHARS: usize = 2_000;
/// Maximum number of fields of a section.
const MAX_FIELDS: usize = 10;

pub(super) fn body(summary: &Summary) -> Value {
    let mark = match summary.severity {
        Severity::Resolved => ":white_check_mark:",
        Severity::Critical | Severity::Error => ":rotating_light:",
        Severity::Warning => ":warning:",
        Severity::Info => ":information_source:",
    };
    let text = shorten(&format!("{mark} *{}*\n{}", escaped(&summary.headline), escaped(&summary.sentence)), TEXT_CHARS);
    let field = |(name, value): &(&str, String)| json!({"type": "mrkdwn", "text": shorten(&format!("*{name}*\n{}", escaped(value)), FIELD_CHARS)});
    let fields: Vec<Value> = summary.facts.iter().take(MAX_FIELDS).map(field).collect();
    json!({
        "text": text,
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": text}},
            {"type": "section", "fields": fields},
        ],
    })
}

/// Escapes `&`, `<` and `>`, which begin commands, such as one that notifies a whole channel.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
