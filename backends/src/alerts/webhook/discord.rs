//! A Discord webhook: one embed, each part with its own maximum length. It mentions no one.

use serde_json::{Value, json};

use super::message::Message;
use super::summary::{Severity, Summary};
use crate::text::shorten;

const CONTENT_CHARS: usize = 2_000;
const TITLE_CHARS: usize = 256;
const DESCRIPTION_CHARS: usize = 4_096;
const FIELD_NAME_CHARS: usize = 256;
const FIELD_VALUE_CHARS: usize = 1_024;
const MAX_FIELDS: usize = 25;

pub(super) fn body(summary: &Summary, message: &Message) -> Value {
    let color: u32 = match summary.severity {
        Severity::Critical | Severity::Error => 0xd3_2f_2f,
        Severity::Warning => 0xf9_a8_25,
        Severity::Info => 0x19_76_d2,
        Severity::Resolved => 0x38_8e_3c,
    };
    let field = |(name, value): &(&str, String)| json!({"name": shorten(name, FIELD_NAME_CHARS), "value": shorten(value, FIELD_VALUE_CHARS), "inline": true});
    let shown = summary.facts.iter().filter(|(_, value)| !value.is_empty());
    let fields: Vec<Value> = shown.take(MAX_FIELDS).map(field).collect();
    json!({
        "content": shorten(&summary.headline, CONTENT_CHARS),
        "embeds": [{
            "title": shorten(&summary.headline, TITLE_CHARS),
            "description": shorten(&summary.sentence, DESCRIPTION_CHARS),
            "color": color,
            "timestamp": message.at,
            "fields": fields,
        }],
        "allowed_mentions": {"parse": []},
    })
}
