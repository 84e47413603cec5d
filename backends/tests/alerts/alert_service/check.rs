//! The schema of the API: allowed requests with their fields, types and lengths.

use serde_json::Value;

use super::http::Request;
use super::store::decoded;
use super::swagger;

/// The violations of the API in a request.
pub(super) fn violations(request: &Request) -> Vec<String> {
    let mut found = Vec::new();
    let mut must = |holds: bool, what: &str| {
        if !holds {
            found.push(format!("{} {}: {what}", request.method, request.target));
        }
    };
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    let path = path.strip_prefix("/jsm/ops/integration").unwrap_or(path);
    let parts: Vec<String> = path.trim_start_matches('/').split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    must(request.header("authorization").is_some_and(|value| value.starts_with("GenieKey ")), "no GenieKey");
    must(request.header("host").is_some(), "no host");
    if request.method != "GET" {
        must(request.header("content-type") == Some("application/json"), "the body is not said to be JSON");
        must(request.json().is_object(), "the body is no object");
    }
    let mut of_alias = |alias: &str| {
        must((1..=512).contains(&alias.chars().count()), "length of the alias in the path");
        must(query == "identifierType=alias", "the identifier is not said to be an alias");
    };
    let body = request.json();
    let wrong = match (request.method.as_str(), parts.as_slice()) {
        ("GET", ["v2", "alerts"]) if query == "limit=1" => Vec::new(),
        ("GET", ["v2", "alerts", "requests", id]) if query.is_empty() && !id.is_empty() => Vec::new(),
        ("POST", ["v2", "alerts"]) if query.is_empty() => create(&body),
        ("POST", ["v2", "alerts", alias, "close"]) => {
            of_alias(alias);
            noted(&body, false)
        }
        ("POST", ["v2", "alerts", alias, "notes"]) => {
            of_alias(alias);
            noted(&body, true)
        }
        ("PUT", ["v2", "alerts", alias, "priority"]) => {
            of_alias(alias);
            let mut wrong = fields(&body, &["priority"]);
            wrong.extend(priority(&body["priority"]));
            wrong
        }
        _ => vec!["no such request".to_owned()],
    };
    found.extend(wrong.into_iter().map(|what| format!("{} {}: {what}", request.method, request.target)));
    found.extend(swagger::violations(&request.method, path, &body));
    found
}

fn create(body: &Value) -> Vec<String> {
    let known = ["message", "alias", "description", "responders", "tags", "details", "entity", "source", "priority"];
    let mut wrong = fields(body, &known);
    wrong.extend(text(body, "message", 130, true));
    wrong.extend(text(body, "alias", 512, true));
    wrong.extend(text(body, "description", 15_000, false));
    wrong.extend(text(body, "entity", 512, false));
    wrong.extend(text(body, "source", 100, false));
    wrong.extend(priority(&body["priority"]));
    let tags = body["tags"].as_array().cloned().unwrap_or_default();
    if tags.len() > 20 || tags.iter().any(|tag| !tag.as_str().is_some_and(|tag| fits(tag, 50))) {
        wrong.push(format!("tags {tags:?}"));
    }
    let details = body["details"].as_object().cloned().unwrap_or_default();
    let length = |text: &str| text.chars().count();
    let total: usize = details.iter().map(|(name, value)| length(name) + length(value.as_str().unwrap_or(""))).sum();
    if total > 8_000 || details.values().any(|value| !value.is_string()) {
        wrong.push(format!("details of {total} characters"));
    }
    for responder in body["responders"].as_array().into_iter().flatten() {
        wrong.extend(fields(responder, &["type", "name"]));
        if responder["type"] != "team" || !responder["name"].is_string() {
            wrong.push(format!("responder {responder}"));
        }
    }
    wrong
}

fn noted(body: &Value, required: bool) -> Vec<String> {
    let mut wrong = fields(body, &["note", "source", "user"]);
    wrong.extend(text(body, "note", 25_000, required));
    wrong.extend(text(body, "source", 100, false));
    wrong
}

fn fields(body: &Value, known: &[&str]) -> Vec<String> {
    let fields = body.as_object().into_iter().flatten();
    fields
        .filter(|(name, _)| !known.contains(&name.as_str()))
        .map(|(name, _)| format!("unknown field {name}"))
        .collect()
}

fn text(body: &Value, name: &str, most: usize, required: bool) -> Option<String> {
    let fine = match &body[name] {
        Value::Null => !required,
        Value::String(text) => fits(text, most),
        _ => false,
    };
    (!fine).then(|| format!("{name}: {}", body[name]))
}

fn fits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.chars().count())
}

fn priority(value: &Value) -> Option<String> {
    let fine = ["P1", "P2", "P3", "P4", "P5"].iter().any(|priority| value == priority);
    (!fine).then(|| format!("priority {value}"))
}

#[test]
fn the_checks_find_what_the_api_does_not_take() {
    let request = |method: &str, target: &str, body: &Value| Request {
        method: method.into(),
        target: target.into(),
        headers: vec![
            ("Authorization".into(), "GenieKey k".into()),
            ("Host".into(), "h".into()),
            ("Content-Type".into(), "application/json".into()),
        ],
        body: body.to_string().into_bytes(),
    };
    let good = serde_json::json!({"message": "m", "alias": "a", "priority": "P1"});
    assert_eq!(violations(&request("POST", "/v2/alerts", &good)), [""; 0]);
    for (field, value) in [
        ("message", Value::Null),
        ("message", "x".repeat(131).into()),
        ("alias", "".into()),
        ("priority", "P6".into()),
        ("tags", vec!["x".repeat(51)].into()),
        ("details", serde_json::json!({"a": 1})),
        ("details", serde_json::json!({"a": "x".repeat(8_000)})),
        ("colour", "red".into()),
        ("responders", serde_json::json!([{"type": "team", "name": "t", "colour": "red"}])),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert_ne!(violations(&request("POST", "/v2/alerts", &bad)), [""; 0], "{bad}");
    }
    let note = serde_json::json!({"note": "n"});
    assert_eq!(violations(&request("POST", "/v2/alerts/a%2Fb/close?identifierType=alias", &note)), [""; 0]);
    assert_ne!(violations(&request("POST", "/v2/alerts/a/b/close?identifierType=alias", &note)), [""; 0]);
    assert_ne!(violations(&request("POST", "/v2/alerts/a/close", &note)), [""; 0]);
    assert_ne!(violations(&request("DELETE", "/v2/alerts/a", &note)), [""; 0]);
}
