//! Tags: those of the configuration, and those of every alert.

use super::context::AlertContext;
use super::limits::{TAG, TAGS};
use crate::text::shorten;

/// The tags of an alert, at most as many as the API keeps. If there are too many, the last ones of the configuration
/// are dropped, because people route by the others.
pub(super) fn tags(content: &AlertContext<'_>) -> Vec<String> {
    let (config, required) = (content.config, &content.required);
    let own = [
        ("Environment", required.environment.as_str()),
        ("BookmakerId", &required.bookmaker_id),
        ("Host", &required.host),
        ("Business", &required.business),
        ("Team", &required.team),
        ("AlertType", content.alert.kind.as_str()),
        ("Service", if config.api_name.is_empty() { content.alert.breaker.as_str() } else { &config.api_name }),
        ("Tier", &config.service_tier),
        ("Context", &config.additional_context),
    ];
    let own = own.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| format!("{key}:{value}"));
    let own: Vec<String> = own.map(|tag| shorten(&tag, TAG)).collect();
    let mut tags: Vec<String> = Vec::new();
    for tag in config.tags.iter().map(|tag| tag.trim()).filter(|tag| !tag.is_empty()) {
        let tag = shorten(&with_key(tag), TAG);
        if tags.len() + own.len() < TAGS && !tags.contains(&tag) && !own.contains(&tag) {
            tags.push(tag);
        }
    }
    tags.extend(own);
    tags
}

/// Marks a tag without a key, so that it is noticed and corrected.
fn with_key(tag: &str) -> String {
    match tag.split_once(':') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => tag.to_owned(),
        _ => format!("**TAG_KEY_UNDEFINED**:{tag}"),
    }
}
