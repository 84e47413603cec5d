//! All live settings at once: POST accepts the output of GET, all or nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::http_support::Api;
use serde_json::{Value, json};
use tripline_backends::config::key_names;

/// Keys that cannot be read or set at run time: they need a restart, or are secrets.
const NOT_LIVE: [&str; 41] = [
    "proxy.listen",
    "proxy.mode",
    "proxy.threads",
    "proxy.trusted_proxies",
    "proxy.forwarded",
    "proxy.access_log",
    "proxy.drain_delay",
    "proxy.drain_timeout",
    "proxy.max_body",
    "proxy.header_timeout",
    "proxy.tunnel_idle_timeout",
    "proxy.max_connections",
    "proxy.max_connections_per_client",
    "proxy.response_header",
    "proxy.tls.certificate",
    "proxy.tls.key",
    "fleet.engine",
    "fleet.url",
    "fleet.namespace",
    "fleet.service",
    "fleet.page_at",
    "fleet.fallback_after",
    "fleet.fallback_close",
    "fleet.probe_share",
    "fleet.commands",
    "name",
    "stall_detection",
    "memory_source",
    "state_dir",
    "http.listen",
    "http.token_file",
    "log.level",
    "log.format",
    "memory_used",
    "http.allowed_hosts",
    "webhook.url",
    "webhook.routing_key",
    "webhook.headers",
    "webhook.proxy",
    "opsgenie.api_key",
    "opsgenie.proxy",
];

const SECRETS: [&str; 7] = [
    "fleet.url",
    "webhook.url",
    "webhook.routing_key",
    "webhook.headers",
    "webhook.proxy",
    "opsgenie.api_key",
    "opsgenie.proxy",
];

fn settings(api: &Api) -> Value {
    let answer = api.get("/breaker/settings");
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.json()
}

/// The response without the members that report whether the change is saved.
fn set(api: &Api, body: &Value) -> Value {
    let answer = api.post("/breaker/settings", body);
    assert_eq!(answer.status, 200, "{body}: {}", answer.text);
    let mut answer = answer.json();
    assert_eq!(answer["saved"], false);
    for besides in ["saved", "reason"] {
        assert!(answer.as_object_mut().unwrap().remove(besides).is_some(), "{answer}");
    }
    answer
}

#[test]
fn every_live_key_is_there_and_no_other() {
    let settings = settings(&Api::new());
    for name in key_names() {
        assert_eq!(settings.get(&name).is_none(), NOT_LIVE.contains(&name.as_str()), "{name}");
    }
    assert_eq!(settings["latency_threshold"], 300);
}

#[test]
fn what_get_gives_post_accepts_and_changes_nothing() {
    let api = Api::new();
    let before = settings(&api);
    assert_eq!(set(&api, &before), before);
    set(
        &api,
        &json!({"minimum_samples": 7, "max_wait_time": 400, "opsgenie.tags": ["a"], "opsgenie.api_custom_attributes": {"a": "b"}}),
    );
    let before = settings(&api);
    assert_eq!(
        (&before["minimum_samples"], &before["opsgenie.api_custom_attributes"]),
        (&json!(7), &json!({"a": "b"}))
    );
    assert_eq!(set(&api, &before), before);
    // POST returns the same as GET.
    let answer = api.post("/breaker/settings", &before).json();
    assert_eq!(set(&api, &answer), before);
}

#[test]
fn keys_that_no_other_route_has_are_set() {
    let api = Api::new();
    let new = json!({
        "trip_confidence": 0.99, "failure_rate_threshold": 0.5, "minimum_samples": 9, "half_open_max_calls": 7,
        "wait_time": 20, "max_wait_time": 90, "wait_backoff": 2, "wait_jitter": 0.25, "recovery_time": 90,
        "latency_max_age": 45, "memory_horizon_trips": true, "percentile": 99, "opsgenie.team": "shop",
    });
    let answer = set(&api, &new);
    for (key, value) in new.as_object().unwrap() {
        let expected = if key == "percentile" { json!(0.99) } else { value.clone() };
        assert_eq!(answer[key], expected, "{key}");
    }
    let policy = api.breaker().read(|core| core.policy().clone());
    assert_eq!(policy.minimum_samples, Some(9));
    assert_eq!((policy.half_open_max_calls, policy.recovery_time.as_secs()), (7, 90));
    assert_eq!(set(&api, &json!({"minimum_samples": null}))["minimum_samples"], Value::Null);
    assert_eq!(api.breaker().read(|core| core.policy().minimum_samples), None);
}

#[test]
fn one_bad_value_changes_nothing_and_every_bad_value_is_named_with_what_is_allowed() {
    let api = Api::new();
    let before = settings(&api);
    let text = "text of at most 100 characters";
    for (key, bad, status, allowed) in [
        ("wait_jitter", json!(1.5), 400, "0 to 1 (ratio)"),
        ("wait_jitter", json!("0.5"), 422, "0 to 1 (ratio)"),
        ("wait_jitter", json!(null), 422, "0 to 1 (ratio)"),
        ("percentile", json!(0), 400, "a ratio 0 < x <= 1, or 50 to 100 (percent)"),
        ("latency_window_size", json!(1.5), 400, "1 to 1024 (samples, whole)"),
        ("memory_horizon_trips", json!(1), 422, "true or false"),
        ("opsgenie.team", json!("x".repeat(101)), 400, text),
        ("opsgenie.team", json!(["x"]), 422, text),
        ("opsgenie.tags", json!([1]), 422, "up to 100 texts, each 1 to 1000 characters"),
        ("opsgenie.tags", json!([""]), 400, "up to 100 texts, each 1 to 1000 characters"),
    ] {
        let answer = api.post("/breaker/settings", &json!({"wait_time": 33, key: bad}));
        assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
        let body = answer.json();
        assert_eq!((&body["field"], &body["allowed"]), (&json!(key), &json!(allowed)), "{body}");
        assert_eq!(settings(&api), before, "{key}");
    }
    let answer = api.post("/breaker/settings", &json!({"wait_jitter": 1.5, "wait_time": 0})).json();
    let error = answer["error"].as_str().unwrap();
    for part in ["wait_jitter cannot be 1.5", "0 to 1 (ratio)", "wait_time cannot be 0", "1 to 3600 (seconds)"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert_eq!(api.post("/breaker/settings", &json!({})).status, 422);
}

#[test]
fn unknown_keys_secrets_and_keys_that_need_a_restart_are_rejected() {
    let api = Api::new();
    let unknown = api.post("/breaker/settings", &json!({"trip_confidense": 0.99}));
    assert_eq!(unknown.status, 400);
    assert!(unknown.text.contains("did you mean trip_confidence?"), "{}", unknown.text);
    for key in NOT_LIVE {
        let answer = api.post("/breaker/settings", &json!({key: "hush-hush"}));
        assert_eq!((answer.status.as_u16(), &answer.json()["field"]), (400, &json!(key)), "{}", answer.text);
        let is_secret = SECRETS.contains(&key);
        assert_eq!(answer.text.contains("hush"), !is_secret, "{}", answer.text);
    }
}

#[test]
fn each_key_is_described_and_no_secret_is() {
    let api = Api::new();
    let described = api.get("/breaker/settings?describe=1").json();
    for name in key_names() {
        let secret = SECRETS.contains(&name.as_str());
        let description = &described[&name];
        assert_eq!(description.is_null(), secret, "{name}");
        if !secret {
            assert_eq!(description["restart_required"], NOT_LIVE.contains(&name.as_str()), "{name}");
            assert!(description["about"].as_str().is_some_and(|about| !about.is_empty()), "{name}");
            assert!(description["allowed"].as_str().is_some_and(|allowed| !allowed.is_empty()), "{name}");
        }
    }
    assert_eq!(
        described["wait_time"],
        json!({"value": 10, "default": 10, "type": "number", "allowed": "1 to 3600 (seconds)", "unit": "seconds",
            "restart_required": false, "about": described["wait_time"]["about"]})
    );
    assert_eq!(api.get("/breaker/settings?describe=yes").status, 400);
}

#[test]
fn each_old_route_accepts_what_its_get_gives() {
    let api = Api::new();
    for path in ["memory", "latency", "latency-window-size", "percentile", "wait", "trend-analysis", "enabled"] {
        let path = format!("/breaker/{path}");
        let given = api.get(&path).json();
        let answer = api.post(&path, &given);
        assert_eq!(answer.status, 200, "{path} {given}: {}", answer.text);
        assert_eq!(api.get(&path).json(), given, "{path}");
    }
    // The original name of the field takes precedence.
    assert_eq!(api.post("/breaker/latency", &json!({"threshold": 220, "latency": 500})).json()["latency"], 220);
    assert_eq!(api.post("/breaker/latency", &json!({"latency": 0})).json()["field"], "latency");
    let status = api.get("/breaker/opsgenie/status").json();
    for path in ["toggle", "priority", "triggers", "tags", "cooldown"] {
        let answer = api.post(&format!("/breaker/opsgenie/{path}"), &status);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}
