//! The routes of the API, without a socket.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::json;
use tripline_backends::api::{ApiError, ApiJson, MAX_BODY_BYTES, Payload, router, router_with};
use tripline_runtime::core::{MemorySample, StateKind};

use crate::http_support::{Api, assert_rejection, send};

// ----- operations

#[test]
fn disabling_and_enabling_answer_with_what_get_gives() {
    let api = Api::new();
    let off = api.post_text("/breaker/disabled", None, "");
    assert_eq!(
        (off.status, &off.json()["enabled"], &off.json()["saved"]),
        (StatusCode::OK, &json!(false), &json!(false))
    );
    assert!(off.json()["reason"].is_string());
    assert_eq!(api.kind(), StateKind::Disabled);
    assert_eq!(api.get("/breaker/enabled").json(), json!({"enabled": false}));

    let on = api.post_text("/breaker/enabled", None, "");
    assert_eq!((on.status, &on.json()["enabled"]), (StatusCode::OK, &json!(true)));
    assert_eq!(api.kind(), StateKind::Closed);
    assert_eq!(api.get("/breaker/enabled").json(), json!({"enabled": true}));
}

#[test]
fn enabling_an_enabled_breaker_does_not_close_it() {
    let api = Api::new();
    api.breaker().simulate_latency();
    assert_eq!(api.post_text("/breaker/enabled", None, "").status, StatusCode::OK);
    assert_eq!(api.kind(), StateKind::Open);
}

#[test]
fn what_get_enabled_gave_can_be_sent_back() {
    let api = Api::new();
    api.breaker().disable();
    let answer = api.get("/breaker/enabled").json();
    assert_eq!(api.post("/breaker/enabled", &answer).json()["enabled"], false);
    assert_eq!(api.post("/breaker/enabled", &json!({"enabled": true})).json()["enabled"], true);
}

#[test]
fn enabling_rejects_what_it_does_not_understand() {
    let api = Api::new();
    assert_rejection(&api.post("/breaker/enabled", &json!({"enabled": "no"})), 422, Some("enabled"));
    assert_rejection(&api.post("/breaker/disabled", &json!({"enabled": true})), 400, Some("enabled"));
    assert_rejection(&api.post("/breaker/disabled", &json!({"enabled": 0})), 422, Some("enabled"));
    assert!(api.breaker().enabled());
}

#[test]
fn a_reset_closes_undoes_simulations_and_forgets() {
    let api = Api::new();
    api.calls([100]);
    api.breaker().simulate_memory();
    api.breaker().simulate_latency();
    let answer = api.post("/breaker/reset", &json!({"confirm": true}));
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"state": "closed", "triggered": false})));
    let body = api.get("/breaker/status").json();
    assert_eq!((&body["samples"], &body["memory_ok"], &body["latency_ok"]), (&json!(0), &json!(true), &json!(true)));
}

#[test]
fn an_unconfirmed_reset_says_what_is_missing_and_changes_nothing() {
    let api = Api::new();
    api.breaker().force_open();
    assert_rejection(&api.post("/breaker/reset", &json!({"confirm": false})), 400, Some("confirm"));
    assert_rejection(&api.post("/breaker/reset", &json!({})), 400, Some("confirm"));
    assert_rejection(&api.post_text("/breaker/reset", None, ""), 400, Some("confirm"));
    assert_rejection(&api.post("/breaker/reset", &json!({"confirm": "true"})), 422, Some("confirm"));
    assert_eq!(api.kind(), StateKind::ForcedOpen);
}

#[test]
fn nothing_changes_on_get() {
    let api = Api::new();
    for path in ["/breaker/disabled", "/breaker/reset"] {
        let answer = api.get(path);
        assert_rejection(&answer, 405, None);
        assert_eq!(answer.headers["allow"], "POST");
    }
    assert_eq!(api.kind(), StateKind::Closed);
}

// ----- figures

#[test]
fn memory_is_given_in_bytes() {
    let api = Api::new();
    assert_eq!(api.get("/breaker/memory-usage").json(), json!({"memory_usage": 1 << 29}));
    assert_eq!(api.get("/breaker/memory-limit").json(), json!({"memory_limit": 1 << 30}));
    api.subject.memory.set(Some(MemorySample { used: 7, limit: None }));
    api.world.advance(Duration::from_secs(1));
    assert_eq!(api.get("/breaker/memory-usage").json(), json!({"memory_usage": 7}));
    assert_eq!(api.get("/breaker/memory-limit").json(), json!({"memory_limit": null}));
    api.subject.memory.set(None);
    api.world.advance(Duration::from_secs(1));
    assert_eq!(api.get("/breaker/memory-usage").json(), json!({"memory_usage": null}));
}

#[test]
fn latencies_above_a_threshold_default_to_the_configured_one() {
    let api = Api::new();
    api.calls([100, 301, 250, 400]);
    assert_eq!(api.get("/breaker/latencies-above-threshold").json(), json!({"latencies": [301, 400]}));
    assert_eq!(api.get("/breaker/latencies-above-threshold?threshold=250").json(), json!({"latencies": [301, 400]}));
    assert_eq!(
        api.get("/breaker/latencies-above-threshold?threshold=0").json()["latencies"].as_array().unwrap().len(),
        4
    );
    assert_eq!(api.get("/breaker/latencies-above-threshold?threshold=4294967").json(), json!({"latencies": []}));
}

#[test]
fn a_bad_threshold_is_rejected_with_what_is_allowed() {
    let api = Api::new();
    for bad in ["", "x", "-1", "1.5", "4294968", "99999999999999999999", "%ff", "NaN"] {
        let answer = api.get(&format!("/breaker/latencies-above-threshold?threshold={bad}"));
        assert_rejection(&answer, 400, Some("threshold"));
        assert_eq!(answer.json()["allowed"], "0 to 4294967 (milliseconds, whole)");
    }
}

#[test]
fn health_is_well_whatever_the_breaker_does() {
    let api = Api::new();
    api.breaker().force_open();
    let answer = api.get("/health");
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"status": "ok"})));
}

#[test]
fn metrics_are_prometheus_text() {
    let api = Api::new();
    let with_resident = router(api.state.clone().resident_memory(std::sync::Arc::new(|| Some(123)))).unwrap();
    let answer = send(&with_resident, Request::get("/metrics").body(Body::empty()).unwrap());
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.text.contains("tripline_state{breaker=\"default\",state=\"closed\"} 1\n"), "{}", answer.text);
    assert!(answer.text.contains("process_resident_memory_bytes 123\n"));
    assert!(!api.get("/metrics").text.contains("process_resident_memory_bytes"));
}

// ----- common to all routes

#[test]
fn unknown_routes_and_methods_are_answered_in_json() {
    let api = Api::new();
    assert_rejection(&api.get("/breaker/nothing"), 404, None);
    assert_rejection(&api.get("/nothing"), 404, None);
    let long = "x".repeat(150);
    assert_eq!(api.get(&format!("/{long}")).json()["error"], format!("there is no /{}…", &long[..99]));
    assert_eq!(api.get(&format!("/{}", &long[..99])).json()["error"], format!("there is no /{}", &long[..99]));
    let answer = api.post_text("/breaker/status", None, "");
    assert_rejection(&answer, 405, None);
    assert_eq!(answer.headers["allow"], "GET,HEAD");
    let delete = Request::delete("/breaker/enabled").header("host", "localhost").body(Body::empty()).unwrap();
    let answer = api.send(delete);
    assert_rejection(&answer, 405, None);
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
}

#[test]
fn head_works_wherever_get_does() {
    let api = Api::new();
    for path in ["/breaker/status", "/breaker/enabled", "/health", "/metrics"] {
        let answer = api.send(Request::head(path).body(Body::empty()).unwrap());
        assert_eq!((answer.status, answer.text.as_str()), (StatusCode::OK, ""), "{path}");
        assert!(answer.headers.contains_key("content-type"));
    }
}

#[test]
fn a_body_must_be_said_to_be_json() {
    let api = Api::new();
    for media in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonp")] {
        assert_rejection(&api.post_text("/breaker/reset", media, r#"{"confirm":true}"#), 415, Some("Content-Type"));
    }
    for media in ["application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(api.post_text("/breaker/reset", Some(media), r#"{"confirm":true}"#).status, StatusCode::OK);
    }
}

#[test]
fn a_body_must_be_a_json_object() {
    let api = Api::new();
    let deep = "[".repeat(10_000);
    for bad in ["{", "confirm=true", "\u{0}", &deep] {
        assert_rejection(&api.post_text("/breaker/reset", Some("application/json"), bad), 400, None);
    }
    for other in ["[true]", "true", "null", "\"confirm\""] {
        assert_rejection(&api.post_text("/breaker/reset", Some("application/json"), other), 422, None);
    }
}

#[test]
fn a_body_that_is_too_large_is_rejected() {
    let api = Api::new();
    let fits = format!("{{\"confirm\":true{}}}", " ".repeat(MAX_BODY_BYTES - 16));
    assert_eq!(fits.len(), MAX_BODY_BYTES);
    assert_eq!(api.post_text("/breaker/reset", Some("application/json"), &fits).status, StatusCode::OK);
    let answer = api.post_text("/breaker/reset", Some("application/json"), &format!("{fits} "));
    assert_rejection(&answer, 413, Some("body"));
}

#[test]
fn foreign_pages_cannot_operate_the_breaker() {
    let api = Api::new();
    let post = |path: &str, host: &str, origin: Option<&str>| {
        let mut request = Request::post(path).header("host", host);
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        api.send(request.body(Body::empty()).unwrap())
    };
    assert_rejection(&post("/breaker/disabled", "localhost:8080", Some("https://example.org")), 403, Some("Origin"));
    assert_rejection(&post("/breaker/disabled", "rebound.example.org", None), 403, Some("Host"));
    assert_rejection(&post("/no/such/route", "rebound.example.org", None), 403, Some("Host"));
    assert!(api.breaker().enabled());
    assert_eq!(post("/breaker/disabled", "localhost:8080", Some("http://localhost:8080")).status, StatusCode::OK);
    assert!(!api.breaker().enabled());

    for method in ["GET", "HEAD", "OPTIONS", "PUT"] {
        for path in ["/breaker/status", "/", "/metrics", "/openapi.json", "/no/such/route"] {
            let request = Request::builder().method(method).uri(path).header("host", "rebound.example.org");
            assert_eq!(api.send(request.body(Body::empty()).unwrap()).status, 403, "{method} {path}");
        }
    }
    for path in ["/health", "/ready"] {
        let read = Request::get(path).header("host", "elsewhere.example.org").body(Body::empty()).unwrap();
        assert_eq!(api.send(read).status, StatusCode::OK, "{path}");
    }
    assert!(!api.get("/breaker/status").headers.contains_key("access-control-allow-origin"));
}

#[test]
fn own_routes_take_bodies_in_the_same_way_with_the_same_errors() {
    let api = Api::new();
    let twice = |payload: Payload| async move {
        let text = payload.text("text", "any text")?;
        Ok::<_, ApiError>(ApiJson(json!({ "twice": format!("{text}{text}"), "flag": payload.flag("flag")? })))
    };
    let own = Router::new().route("/twice", axum::routing::post(twice));
    let api = Api { router: router_with(api.state.clone(), own).unwrap(), ..api };
    let answer = api.post("/twice", &json!({"text": "a", "flag": true, "unknown": 1}));
    assert_eq!(answer.json(), json!({"twice": "aa", "flag": true}));
    assert_eq!(api.post("/twice", &json!({"text": "b"})).json(), json!({"twice": "bb", "flag": null}));
    for bad in [json!({"text": 1}), json!({"text": null}), json!({})] {
        let answer = api.post("/twice", &bad);
        assert_rejection(&answer, 422, Some("text"));
        assert_eq!(answer.json()["allowed"], "any text");
    }
    assert_rejection(&api.post_text("/twice", None, ""), 422, Some("text"));
    assert_rejection(&api.post("/twice", &json!({"text": "a", "flag": 1})), 422, Some("flag"));
    assert_rejection(&api.post("/twice", &json!([1])), 422, None);
    assert_rejection(&api.post_text("/twice", Some("application/json"), "{"), 400, None);
    assert_rejection(&api.post_text("/twice", None, "{}"), 415, Some("Content-Type"));
}

#[test]
fn own_routes_stand_under_the_same_guard() {
    let api = Api::new();
    let own = Router::new().route("/own", axum::routing::post(|| async { "done" }));
    let router = router_with(api.state.clone(), own).unwrap();
    let post = |host: &str| send(&router, Request::post("/own").header("host", host).body(Body::empty()).unwrap());
    assert_eq!(post("localhost").text, "done");
    assert_rejection(&post("rebound.example.org"), 403, Some("Host"));
    let get = send(&router, Request::get("/own").body(Body::empty()).unwrap());
    assert_rejection(&get, 405, None);
}

#[test]
fn every_answer_forbids_guessing_its_media_type() {
    let api = Api::new();
    for path in ["/", "/health", "/breaker/status", "/metrics", "/openapi.json", "/nowhere"] {
        assert_eq!(api.get(path).headers["x-content-type-options"], "nosniff", "{path}");
    }
}

#[test]
fn readiness_ends_when_the_server_drains() {
    let api = Api::new();
    assert_eq!((api.get("/ready").status, api.get("/ready").json()), (StatusCode::OK, json!({"status": "ready"})));
    api.state.drain_flag().set();
    let draining = api.get("/ready");
    assert_eq!((draining.status, draining.json()), (StatusCode::SERVICE_UNAVAILABLE, json!({"status": "draining"})));
    assert_eq!(api.get("/health").status, StatusCode::OK);
}
