//! The `[webhook]` section, and each entry of `[[webhooks]]`.

use std::collections::BTreeMap;

use super::secret::Secret;
use super::string_enum::words;
use crate::suggest::closest;
use crate::text::{Template, TemplateError};

words! {
    /// The formats that a webhook's receiver reads.
    pub enum WebhookFormat {
        /// One JSON object with every field of the alert.
        #[default]
        Json = "json",
        /// An incoming webhook of Slack, also read by Mattermost and Rocket.Chat.
        Slack = "slack",
        /// A workflow of Microsoft Teams that takes adaptive cards.
        Teams = "teams",
        /// A webhook of Discord.
        Discord = "discord",
        /// The Events API v2 of `PagerDuty`.
        PagerDuty = "pagerduty",
    }
}

/// Alerts to one address, `[webhook]` or an entry of `[[webhooks]]`. An empty text is one that is not set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Webhook {
    /// Default: false in `[webhook]`, true in `[[webhooks]]`. One that is enabled must set `url`.
    pub enabled: bool,
    /// Its name in logs, metrics and state. Default: its number.
    pub name: String,
    /// An http or https address; may hold `${VARIABLE}`. A [`Secret`], because the address of many such services is all
    /// that protects them.
    pub url: Option<Secret>,
    /// Default: json.
    pub format: WebhookFormat,
    /// The integration key of `format = "pagerduty"`.
    pub routing_key: Option<Secret>,
    /// A template for the body, in place of `format`; see [`WEBHOOK_FIELDS`].
    pub body: String,
    /// More headers; values may hold `${VARIABLE}`.
    pub headers: BTreeMap<String, Secret>,
    /// `none`, or the address of a proxy. Not set: as the environment says.
    pub proxy: Option<Secret>,
}

/// A field of a body template, as in `{{headline}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebhookField {
    /// Its name.
    pub name: &'static str,
    /// Its meaning.
    pub about: &'static str,
    /// A number, or `null` where there is none. Other fields are texts, empty where there is none.
    pub is_number: bool,
}

/// Every field of a body template.
pub const WEBHOOK_FIELDS: &[WebhookField] = &[
    text("headline", "One line: what happened, to which breaker"),
    text("summary", "One sentence with the evidence: percentile, threshold, memory"),
    text("breaker", "Name of the breaker"),
    text("key", "Key of the member of a family, where each has incidents of its own"),
    number("incident", "Number of the incident, from 1"),
    text("kind", "circuit-open, memory-threshold or latency-threshold"),
    text("stage", "single, initial, escalated, resolved or taken_over"),
    text("action", "create, escalate, close or note"),
    text("priority", "P1 (most urgent) to P5"),
    text("alias", "The same for all stages of one alert"),
    text("delivery_id", "The same for all attempts of one stage"),
    text("cause", "Cause of the incident"),
    text("ended_by", "On resolved: healthy or operator"),
    text("state", "State of the breaker"),
    text("trip_reason", "Why the breaker opened last"),
    text("why", "Why the breaker is open, with the evidence, on one line"),
    text("drill", "drill if operators simulated the trip, otherwise empty"),
    number("passed_after_seconds", "On resolved after a false trip: how long the trip lasted, in seconds"),
    number("stalled_at_trip", "Number of stalled calls when the breaker opened last"),
    number("percentile_ms", "The percentile of the window, in milliseconds"),
    number("threshold_ms", "The latency threshold, in milliseconds"),
    text("trend", "too_few, rising, falling, oscillating or steady"),
    number("memory_percent", "Used part of the memory limit, in percent"),
    number("lasted_seconds", "Time since the incident began, in seconds"),
    text("started_at", "When the incident began, RFC 3339 in UTC"),
    text("at", "When the incident reached this stage, RFC 3339 in UTC"),
];

const fn text(name: &'static str, about: &'static str) -> WebhookField {
    WebhookField { name, about, is_number: false }
}

const fn number(name: &'static str, about: &'static str) -> WebhookField {
    WebhookField { name, about, is_number: true }
}

/// How a template's values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyEscaping {
    /// Inside a JSON text.
    Json,
    /// Percent-encoded.
    Form,
    /// As they are.
    None,
}

impl Webhook {
    /// Where `PagerDuty` takes events.
    pub const PAGERDUTY_URL: &'static str = "https://events.pagerduty.com/v2/enqueue";

    /// Whether the receiver keeps alerts that a close ends; a chat does not.
    #[cfg(feature = "webhook")]
    pub(crate) const fn keeps_alerts(&self) -> bool {
        matches!(self.format, WebhookFormat::Json | WebhookFormat::PagerDuty)
    }

    /// An entry of `[[webhooks]]` that sets nothing.
    pub(crate) fn entry() -> Self {
        Self { enabled: true, ..Self::default() }
    }

    /// The address: `url`, for `PagerDuty` else its own.
    pub fn address(&self) -> Option<&str> {
        let own = (self.format == WebhookFormat::PagerDuty).then_some(Self::PAGERDUTY_URL);
        self.url.as_ref().map(Secret::expose).or(own)
    }

    /// By the header `Content-Type`, which is JSON where it is not set.
    pub(crate) fn escaping(&self) -> BodyEscaping {
        let is_type = |name: &&String| name.eq_ignore_ascii_case("content-type");
        let kind = self.headers.keys().find(is_type).and_then(|name| self.headers.get(name));
        match kind.map(|kind| kind.expose().to_ascii_lowercase()) {
            Some(kind) if kind.contains("x-www-form-urlencoded") => BodyEscaping::Form,
            Some(kind) if !kind.contains("json") => BodyEscaping::None,
            _ => BodyEscaping::Json,
        }
    }

    /// The reasons why it cannot be used, by key.
    pub(crate) fn problems(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        if self.enabled && self.address().is_none() {
            found.push(("enabled", "needs webhook.url, which is not set".to_owned()));
        }
        if self.enabled && self.format == WebhookFormat::PagerDuty && self.body.is_empty() && self.routing_key.is_none()
        {
            found.push(("format", "needs routing_key, the integration key of PagerDuty, which is not set".to_owned()));
        }
        if !self.body.is_empty() && self.format != WebhookFormat::Json {
            found.push(("body", format!("cannot be set beside format = \"{}\"; remove one of them", self.format)));
        } else if let Some(words) = self.template_problem() {
            found.push(("body", words));
        }
        for (name, value) in &self.headers {
            if let Some(words) = header_problem(name, value.expose()) {
                found.push(("headers", words));
            }
        }
        found
    }

    fn template_problem(&self) -> Option<String> {
        if self.body.is_empty() {
            return None;
        }
        let names = || WEBHOOK_FIELDS.iter().map(|field| field.name);
        let template = match Template::parse(&self.body, &|name| names().any(|known| known == name)) {
            Ok(template) => template,
            Err(error) => {
                let TemplateError::UnknownField { name } = &error else { return Some(error.to_string()) };
                let meant = closest(name, names()).map_or_else(String::new, |near| format!("; did you mean {near}?"));
                return Some(format!("{error}{meant}; fields: {}", names().collect::<Vec<_>>().join(", ")));
            }
        };
        if self.escaping() != BodyEscaping::Json {
            return None;
        }
        // With and without values: a number that is not known is null.
        let is_number = |name: &str| WEBHOOK_FIELDS.iter().any(|field| field.name == name && field.is_number);
        let sample = |name: &str| if is_number(name) { "null".to_owned() } else { "x".to_owned() };
        let error = serde_json::from_str::<serde::de::IgnoredAny>(&template.render(&sample)).err()?;
        Some(format!(
            "not valid JSON once its fields are filled in: {error}; for another type set the header Content-Type"
        ))
    }

    /// Fills in `${VARIABLE}` in the address, the key and the headers.
    ///
    /// # Errors
    /// The key and the variable that is not set.
    pub(crate) fn expand(&mut self, variable: &dyn Fn(&str) -> Option<String>) -> Result<(), (&'static str, String)> {
        for (key, secret) in [("url", &mut self.url), ("routing_key", &mut self.routing_key)] {
            if let Some(secret) = secret {
                *secret = Secret::new(expanded(secret.expose(), variable).map_err(|name| (key, name))?);
            }
        }
        for value in self.headers.values_mut() {
            *value = Secret::new(expanded(value.expose(), variable).map_err(|name| ("headers", name))?);
        }
        Ok(())
    }

    /// The variables of the environment that it needs.
    pub(crate) fn variables(&self) -> Vec<String> {
        let secrets = self.url.iter().chain(&self.routing_key).chain(self.headers.values());
        let mut names = Vec::new();
        for secret in secrets {
            let _ = expanded(secret.expose(), |name: &str| {
                names.push(name.to_owned());
                Some(String::new())
            });
        }
        names
    }
}

/// `text` with the values of its variables; or the first that is not set.
fn expanded(text: &str, mut variable: impl FnMut(&str) -> Option<String>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let named = after.split_once('}').filter(|(name, _)| is_variable(name));
        let Some((name, after)) = named else {
            out.push_str(before);
            out.push_str("${");
            rest = after;
            continue;
        };
        out.push_str(before);
        out.push_str(&variable(name).filter(|value| !value.is_empty()).ok_or(name)?);
        rest = after;
    }
    Ok(out + rest)
}

fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A text in which each variable is replaced by a letter, to look at the rest of it.
pub(crate) fn without_variables(text: &str) -> String {
    expanded(text, |_: &str| Some("x".to_owned())).unwrap_or_default()
}

/// Why a header cannot be sent; its value is never shown.
fn header_problem(name: &str, value: &str) -> Option<String> {
    const OF_THE_CONNECTION: [&str; 5] =
        ["host", "content-length", "connection", "transfer-encoding", "idempotency-key"];
    let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    if name.is_empty() || !name.chars().all(is_token) {
        return Some("a name is no header's: allowed: letters, digits and - _".to_owned());
    }
    if OF_THE_CONNECTION.contains(&name.to_ascii_lowercase().as_str()) {
        return Some(format!("{name} is set by the client"));
    }
    let is_value = |c: char| c == '\t' || (' '..='~').contains(&c);
    (!value.chars().all(is_value)).then(|| format!("the value of {name} has characters that no header takes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_in_and_everything_else_stays() {
        let variable = |name: &str| (name == "A_1").then(|| "a".to_owned());
        for (text, expected) in [
            ("Bearer ${A_1}", Ok("Bearer a")),
            ("${A_1}${A_1}", Ok("aa")),
            ("$A_1 ${} ${1} ${a b} ${A_1", Ok("$A_1 ${} ${1} ${a b} ${A_1")),
            ("${B}", Err("B")),
        ] {
            assert_eq!(expanded(text, variable), expected.map(str::to_owned).map_err(str::to_owned), "{text}");
        }
    }
}
