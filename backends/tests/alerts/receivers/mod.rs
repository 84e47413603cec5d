//! Receivers of webhooks that validate their documented schema, and respond as documented.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::alert_service::{Reply, Request, Server};

/// The emulated service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Service {
    Slack,
    Teams,
    Discord,
    PagerDuty,
}

/// The routing key of the emulated `PagerDuty`.
pub(crate) const ROUTING_KEY: &str = "0123456789abcdef0123456789abcdef";

/// A receiver. It stops when it is dropped.
pub(crate) struct Receiver {
    pub(crate) server: Server,
    open: Arc<Mutex<BTreeMap<String, String>>>,
}

impl Receiver {
    pub(crate) fn of(service: Service) -> Self {
        let open = Arc::new(Mutex::new(BTreeMap::new()));
        let incidents = open.clone();
        let server = Server::start(
            move |request: &Request| {
                let body = request.json();
                let problems = match service {
                    Service::Slack => slack(&body),
                    Service::Teams => teams(&body, request.body.len()),
                    Service::Discord => discord(&body),
                    Service::PagerDuty => pagerduty(&body),
                };
                if request.header("content-type") != Some("application/json") || !problems.is_empty() {
                    return rejection(service, &problems);
                }
                if service == Service::PagerDuty {
                    record(&body, &mut incidents.lock().unwrap());
                }
                success(service, &body)
            },
            None,
        );
        Self { server, open }
    }

    /// Severity of each open incident, by key.
    pub(crate) fn open(&self) -> Vec<(String, String)> {
        self.open.lock().unwrap().clone().into_iter().collect()
    }
}

fn record(event: &Value, open: &mut BTreeMap<String, String>) {
    let key = event["dedup_key"].as_str().unwrap().to_owned();
    if event["event_action"] == "resolve" {
        open.remove(&key);
    } else {
        open.insert(key, event["payload"]["severity"].as_str().unwrap().to_owned());
    }
}

fn success(service: Service, body: &Value) -> Reply {
    match service {
        Service::Slack => Reply::new(200, "ok"),
        Service::Teams => Reply::new(202, ""),
        Service::Discord => Reply::new(204, ""),
        Service::PagerDuty => {
            let words = json!({"status": "success", "message": "Event processed", "dedup_key": body["dedup_key"]});
            Reply::new(202, &words.to_string())
        }
    }
}

fn rejection(service: Service, problems: &[String]) -> Reply {
    let words = problems.join(", ");
    match service {
        Service::Slack => Reply::new(400, "invalid_payload"),
        Service::Teams => Reply::new(400, &json!({"error": {"code": "BadRequest", "message": words}}).to_string()),
        Service::Discord => Reply::new(400, &json!({"message": "Invalid Form Body", "code": 50_035}).to_string()),
        Service::PagerDuty => {
            let words = json!({"status": "invalid event", "message": "Event object is invalid", "errors": problems});
            Reply::new(400, &words.to_string())
        }
    }
}

/// The violations in an object: unknown members, and texts that are missing, empty or too long.
fn members(place: &str, object: &Value, known: &[&str], texts: &[(&str, usize)], found: &mut Vec<String>) {
    let Some(object) = object.as_object() else {
        found.push(format!("{place} is no object"));
        return;
    };
    found.extend(object.keys().filter(|key| !known.contains(&key.as_str())).map(|key| format!("{place}.{key}")));
    for (name, max) in texts {
        let length = object.get(*name).and_then(Value::as_str).map_or(0, |text| text.chars().count());
        if length == 0 || length > *max {
            found.push(format!("{place}.{name} has {length} characters"));
        }
    }
}

fn list<'a>(place: &str, value: &'a Value, max: usize, found: &mut Vec<String>) -> &'a [Value] {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    if items.is_empty() || items.len() > max {
        found.push(format!("{place} has {} entries", items.len()));
    }
    items
}

/// `docs.slack.dev`: incoming webhooks, Block Kit's section.
pub(crate) fn slack(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    members("", body, &["text", "blocks"], &[("text", 40_000)], &mut found);
    for block in list("blocks", &body["blocks"], 50, &mut found) {
        members("block", block, &["type", "text", "fields"], &[("type", 20)], &mut found);
        if !block["text"].is_null() {
            members("text", &block["text"], &["type", "text"], &[("type", 20), ("text", 3_000)], &mut found);
        }
        if !block["fields"].is_null() {
            for field in list("fields", &block["fields"], 10, &mut found) {
                members("field", field, &["type", "text"], &[("type", 20), ("text", 2_000)], &mut found);
            }
        }
    }
    // `<` begins a command, so texts must escape it.
    let text = body.to_string();
    found.extend(["<!", "<@"].iter().filter(|command| text.contains(**command)).map(|command| (*command).to_owned()));
    found
}

/// `learn.microsoft.com`: a message with an adaptive card, at most 28 KB.
pub(crate) fn teams(body: &Value, bytes: usize) -> Vec<String> {
    let mut found = Vec::new();
    if bytes > 28 * 1_024 {
        found.push(format!("{bytes} bytes"));
    }
    members("", body, &["type", "attachments"], &[("type", 7)], &mut found);
    for attachment in list("attachments", &body["attachments"], 1, &mut found) {
        let known = ["contentType", "contentUrl", "content"];
        members("attachment", attachment, &known, &[("contentType", 100)], &mut found);
        if attachment["contentType"] != "application/vnd.microsoft.card.adaptive" {
            found.push("contentType".to_owned());
        }
        let card = &attachment["content"];
        members("card", card, &["$schema", "type", "version", "body"], &[("type", 12), ("version", 3)], &mut found);
        for element in list("card.body", &card["body"], 100, &mut found) {
            match element["type"].as_str() {
                Some("TextBlock") => {
                    let known = ["type", "text", "size", "weight", "color", "wrap"];
                    members("TextBlock", element, &known, &[("text", 28_000)], &mut found);
                }
                Some("FactSet") => {
                    for fact in list("facts", &element["facts"], 100, &mut found) {
                        members("fact", fact, &["title", "value"], &[("title", 100), ("value", 28_000)], &mut found);
                    }
                }
                other => found.push(format!("{other:?}")),
            }
        }
    }
    found
}

/// `discord.com/developers`: execute webhook, embed limits.
pub(crate) fn discord(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    members("", body, &["content", "embeds", "allowed_mentions"], &[("content", 2_000)], &mut found);
    for embed in list("embeds", &body["embeds"], 10, &mut found) {
        let known = ["title", "description", "color", "timestamp", "fields"];
        members("embed", embed, &known, &[("title", 256), ("description", 4_096), ("timestamp", 40)], &mut found);
        if embed["color"].as_u64().is_none_or(|color| color > 0xff_ff_ff) {
            found.push("color".to_owned());
        }
        for field in list("fields", &embed["fields"], 25, &mut found) {
            members("field", field, &["name", "value", "inline"], &[("name", 256), ("value", 1_024)], &mut found);
        }
    }
    if body["allowed_mentions"] != json!({"parse": []}) {
        found.push("allowed_mentions".to_owned());
    }
    found
}

/// `developer.pagerduty.com`: Events API v2.
pub(crate) fn pagerduty(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let known = ["routing_key", "event_action", "dedup_key", "payload", "client", "client_url", "links", "images"];
    members("", body, &known, &[("routing_key", 32), ("event_action", 11), ("dedup_key", 255)], &mut found);
    if body["routing_key"] != ROUTING_KEY {
        found.push("'routing_key' is not known".to_owned());
    }
    match body["event_action"].as_str() {
        Some("resolve" | "acknowledge") => {}
        Some("trigger") => {
            let payload = &body["payload"];
            let known = ["summary", "source", "severity", "timestamp", "component", "group", "class", "custom_details"];
            members("payload", payload, &known, &[("summary", 1_024), ("source", 1_000), ("severity", 8)], &mut found);
            if !["critical", "error", "warning", "info"].contains(&payload["severity"].as_str().unwrap_or_default()) {
                found.push("'severity' is unknown".to_owned());
            }
        }
        other => found.push(format!("'event_action' {other:?}")),
    }
    found
}
