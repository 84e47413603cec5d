//! The routes of the API, without a socket.
#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use futures_lite::future::block_on;
use http::{HeaderMap, Request, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;
use tripline_backends::http::{ApiJson, ApiState, MAX_BODY_BYTES, router, router_with};
use tripline_runtime::core::{Latency, MemorySample, Outcome, Percentile, Policy, StateKind};
use tripline_runtime::test_util::{Subject, World};
use tripline_runtime::{Breaker, Registry};

struct Api {
    world: World,
    subject: Subject,
    state: ApiState,
    router: Router,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }
}

impl Api {
    fn new() -> Self {
        let mut policy = Policy::default();
        policy.latency_threshold = Latency::from_millis(300);
        Self::with(policy)
    }

    fn with(policy: Policy) -> Self {
        let world = World::new(1);
        let subject = world.breaker(policy).unwrap();
        let registry = Registry::new();
        registry.add(subject.breaker.clone()).unwrap();
        let state = ApiState::new(registry, ([127, 0, 0, 1], 8080).into()).memory_source("mock");
        Self { world, subject, router: router(state.clone()), state }
    }

    fn breaker(&self) -> &Breaker {
        &self.subject.breaker
    }

    fn kind(&self) -> StateKind {
        self.breaker().read(|core| core.state().kind())
    }

    /// Calls that end one after the other.
    fn calls(&self, latencies_ms: impl IntoIterator<Item = u64>) {
        for latency in latencies_ms.into_iter().map(Duration::from_millis) {
            self.world.request(self.breaker(), latency, Outcome::Ok);
            self.world.advance(latency);
        }
    }

    fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request)
    }

    fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
    }

    fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, Some("application/json"), &body.to_string())
    }

    fn post_text(&self, path: &str, media: Option<&str>, body: &str) -> Answer {
        let mut request = Request::post(path).header("host", "localhost:8080");
        if let Some(media) = media {
            request = request.header("content-type", media);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
    }
}

fn send(router: &Router, request: Request<Body>) -> Answer {
    block_on(async {
        let response = router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    })
}

/// A refusal: its status, and a body that says what is wrong, and where.
fn assert_refused(answer: &Answer, status: u16, field: Option<&str>) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json");
    let body = answer.json();
    assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{body}");
    assert_eq!(body.get("field").and_then(Value::as_str), field, "{body}");
    assert_eq!(body.get("allowed").is_some(), field.is_some(), "{body}");
}

// ----- status

const STATUS_FIELDS: &str = "name enabled triggered state trip_reason retry_after_ms last_trip_time memory_ok \
    current_memory_usage_mb memory_threshold_percent total_memory_mb memory_usage_percent latency_ok breach \
    current_percentile_ms latency_threshold_ms latency_percent_of_threshold percentile_value latency_window_size samples \
    wait_time_seconds recent_latencies_ms trend_analysis_enabled trend_analysis_min_sample_count has_positive_trend trend \
    in_flight stalled memory_source supervisor config_error";

#[test]
fn the_status_has_exactly_the_documented_fields() {
    let api = Api::new();
    let body = api.get("/breaker/status").json();
    let mut names: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    let mut documented: Vec<&str> = STATUS_FIELDS.split_whitespace().collect();
    names.sort_unstable();
    documented.sort_unstable();
    assert_eq!(names, documented);
}

#[test]
fn the_status_of_a_healthy_breaker_tells_all_figures() {
    let api = Api::new();
    api.calls([100, 200]);
    api.world.request(api.breaker(), Duration::from_secs(50), Outcome::Ok);
    api.world.advance(Duration::from_millis(500));
    assert_eq!(
        api.get("/breaker/status").json(),
        json!({
            "name": "default", "enabled": true, "triggered": false, "state": "closed",
            "trip_reason": null, "retry_after_ms": null, "last_trip_time": null,
            "memory_ok": true, "current_memory_usage_mb": 512, "memory_threshold_percent": 80,
            "total_memory_mb": 1024, "memory_usage_percent": 50,
            "latency_ok": false, "breach": true, "current_percentile_ms": 200, "latency_threshold_ms": 300,
            "latency_percent_of_threshold": 66.666_666_667, "percentile_value": 0.95,
            "latency_window_size": 64, "samples": 2, "wait_time_seconds": 10, "recent_latencies_ms": [100, 200],
            "trend_analysis_enabled": false, "trend_analysis_min_sample_count": 10,
            "has_positive_trend": false, "trend": "too_few", "in_flight": 1, "stalled": 1,
            "memory_source": "mock", "supervisor": "running", "config_error": null,
        })
    );
}

#[test]
fn the_status_of_an_open_breaker_tells_why_since_when_and_for_how_long() {
    let api = Api::new();
    api.calls(vec![400; 21]);
    api.world.advance(Duration::from_millis(1_500));
    let body = api.get("/breaker/status").json();
    assert_eq!(body["state"], "open");
    assert_eq!(body["triggered"], true);
    assert_eq!(body["trip_reason"], "latency");
    assert_eq!(body["retry_after_ms"], 8_400);
    assert_eq!(body["latency_ok"], false);
    // The world starts at 1 s; after 20 calls of 400 ms another one was out for longer than 300 ms.
    assert_eq!(body["last_trip_time"], "2026-01-01T00:00:09.300Z");

    api.world.advance(Duration::from_secs(9));
    assert_eq!(api.get("/breaker/status").json()["retry_after_ms"], 0);
    assert_eq!(api.kind(), StateKind::Open, "looking changes nothing");
}

#[test]
fn no_time_is_told_while_memory_or_an_operator_holds_the_breaker_open() {
    let api = Api::new();
    api.subject.memory.set_percent(90);
    api.world.advance(Duration::from_secs(30));
    let body = api.get("/breaker/status").json();
    assert_eq!((&body["state"], &body["trip_reason"]), (&json!("open"), &json!("memory")));
    assert_eq!((&body["memory_ok"], &body["retry_after_ms"]), (&json!(false), &Value::Null));

    api.subject.memory.set_percent(10);
    api.world.advance(Duration::from_secs(1));
    api.breaker().simulate_memory();
    let body = api.get("/breaker/status").json();
    assert_eq!((&body["memory_ok"], &body["retry_after_ms"]), (&json!(false), &Value::Null));

    api.breaker().force_open();
    let body = api.get("/breaker/status").json();
    assert_eq!((&body["state"], &body["triggered"]), (&json!("forced_open"), &json!(true)));
    assert_eq!(body["retry_after_ms"], Value::Null);
}

#[test]
fn unknown_memory_is_null_and_never_fine() {
    let api = Api::new();
    for sample in [None, Some(MemorySample { used: 1 << 20, limit: None })] {
        api.subject.memory.set(sample);
        api.world.advance(Duration::from_secs(1));
        let body = api.get("/breaker/status").json();
        for field in ["memory_ok", "current_memory_usage_mb", "total_memory_mb", "memory_usage_percent"] {
            assert_eq!(body[field], Value::Null, "{field} for {sample:?}");
        }
    }
}

#[test]
fn a_threshold_of_zero_does_not_break_the_status() {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::ZERO;
    policy.minimum_samples = Some(64);
    let api = Api::with(policy);
    api.calls([5]);
    let body = api.get("/breaker/status").json();
    assert_eq!((&body["current_percentile_ms"], &body["latency_percent_of_threshold"]), (&json!(5), &Value::Null));
}

#[test]
fn the_configured_percentile_decides_what_is_ok() {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(300);
    policy.percentile = Percentile::new(0.5).unwrap();
    policy.minimum_samples = Some(64);
    let api = Api::with(policy);
    api.calls([100, 100, 100, 300, 300, 900]);
    let body = api.get("/breaker/status").json();
    assert_eq!(body["current_percentile_ms"], 300);
    assert_eq!(body["latency_ok"], true, "at the threshold is not above it");
    assert_eq!(body["percentile_value"], 0.5);
}

#[test]
fn settings_that_change_while_it_runs_show_in_the_status() {
    let api = Api::new();
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(77);
    policy.trend_analysis = true;
    api.breaker().set_policy(&policy).unwrap();
    api.state.config_error().set(Some("breakers.toml:3: wait_time = 0".to_owned()));
    let body = api.get("/breaker/status").json();
    assert_eq!(body["latency_threshold_ms"], 77);
    assert_eq!(body["trend_analysis_enabled"], true);
    assert_eq!(body["config_error"], "breakers.toml:3: wait_time = 0");
}

#[test]
fn without_a_supervisor_or_tracking_the_status_says_so() {
    let world = World::new(1);
    let registry = Registry::new();
    registry.add(Breaker::builder(world.clock()).stall_detection(false).build().unwrap()).unwrap();
    let router = router(ApiState::new(registry, ([127, 0, 0, 1], 8080).into()));
    let body = send(&router, Request::get("/breaker/status").body(Body::empty()).unwrap()).json();
    assert_eq!(body["supervisor"], "not running: memory and alerts do not work");
    for field in ["in_flight", "stalled", "memory_source", "memory_ok", "current_percentile_ms"] {
        assert_eq!(body[field], Value::Null, "{field}");
    }
}

#[test]
fn a_process_without_breakers_says_so() {
    let router = router(ApiState::new(Registry::new(), ([127, 0, 0, 1], 8080).into()));
    for path in ["/breaker/status", "/breaker/enabled", "/breaker/memory-usage", "/breaker/latencies-above-threshold"] {
        assert_refused(&send(&router, Request::get(path).body(Body::empty()).unwrap()), 404, None);
    }
}

// ----- operating

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
fn enabling_refuses_what_it_does_not_understand() {
    let api = Api::new();
    assert_refused(&api.post("/breaker/enabled", &json!({"enabled": "no"})), 422, Some("enabled"));
    assert_refused(&api.post("/breaker/disabled", &json!({"enabled": true})), 400, Some("enabled"));
    assert_refused(&api.post("/breaker/disabled", &json!({"enabled": 0})), 422, Some("enabled"));
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
    assert_refused(&api.post("/breaker/reset", &json!({"confirm": false})), 400, Some("confirm"));
    assert_refused(&api.post("/breaker/reset", &json!({})), 400, Some("confirm"));
    assert_refused(&api.post_text("/breaker/reset", None, ""), 400, Some("confirm"));
    assert_refused(&api.post("/breaker/reset", &json!({"confirm": "true"})), 422, Some("confirm"));
    assert_eq!(api.kind(), StateKind::ForcedOpen);
}

#[test]
fn nothing_changes_on_get() {
    let api = Api::new();
    for path in ["/breaker/disabled", "/breaker/reset"] {
        let answer = api.get(path);
        assert_refused(&answer, 405, None);
        assert_eq!(answer.headers["allow"], "POST");
    }
    assert_eq!(api.kind(), StateKind::Closed);
}

// ----- figures

#[test]
fn memory_is_told_in_bytes() {
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
fn a_bad_threshold_is_refused_with_what_is_allowed() {
    let api = Api::new();
    for bad in ["", "x", "-1", "1.5", "4294968", "99999999999999999999", "%ff", "NaN"] {
        let answer = api.get(&format!("/breaker/latencies-above-threshold?threshold={bad}"));
        assert_refused(&answer, 400, Some("threshold"));
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
    let with_resident = router(api.state.clone().resident_memory(std::sync::Arc::new(|| Some(123))));
    let answer = send(&with_resident, Request::get("/metrics").body(Body::empty()).unwrap());
    assert_eq!(answer.headers["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert!(answer.text.contains("tripline_state{breaker=\"default\",state=\"closed\"} 1\n"), "{}", answer.text);
    assert!(answer.text.contains("process_resident_memory_bytes 123\n"));
    assert!(!api.get("/metrics").text.contains("process_resident_memory_bytes"));
}

// ----- what every route has in common

#[test]
fn unknown_routes_and_methods_are_answered_in_json() {
    let api = Api::new();
    assert_refused(&api.get("/breaker/nothing"), 404, None);
    assert_refused(&api.get("/"), 404, None);
    let answer = api.post_text("/breaker/status", None, "");
    assert_refused(&answer, 405, None);
    assert_eq!(answer.headers["allow"], "GET,HEAD");
    let delete = Request::delete("/breaker/enabled").header("host", "localhost").body(Body::empty()).unwrap();
    let answer = api.send(delete);
    assert_refused(&answer, 405, None);
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
        assert_refused(&api.post_text("/breaker/reset", media, r#"{"confirm":true}"#), 415, Some("Content-Type"));
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
        assert_refused(&api.post_text("/breaker/reset", Some("application/json"), bad), 400, None);
    }
    for other in ["[true]", "true", "null", "\"confirm\""] {
        assert_refused(&api.post_text("/breaker/reset", Some("application/json"), other), 422, None);
    }
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    let api = Api::new();
    let fits = format!("{{\"confirm\":true{}}}", " ".repeat(MAX_BODY_BYTES - 16));
    assert_eq!(fits.len(), MAX_BODY_BYTES);
    assert_eq!(api.post_text("/breaker/reset", Some("application/json"), &fits).status, StatusCode::OK);
    let answer = api.post_text("/breaker/reset", Some("application/json"), &format!("{fits} "));
    assert_refused(&answer, 413, Some("body"));
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
    assert_refused(&post("/breaker/disabled", "localhost:8080", Some("https://example.org")), 403, Some("Origin"));
    assert_refused(&post("/breaker/disabled", "rebound.example.org", None), 403, Some("Host"));
    assert_refused(&post("/no/such/route", "rebound.example.org", None), 403, Some("Host"));
    assert!(api.breaker().enabled());
    assert_eq!(post("/breaker/disabled", "localhost:8080", Some("http://localhost:8080")).status, StatusCode::OK);
    assert!(!api.breaker().enabled());

    let read = Request::get("/health").header("host", "elsewhere.example.org").body(Body::empty()).unwrap();
    assert_eq!(api.send(read).status, StatusCode::OK);
    assert!(!api.get("/breaker/status").headers.contains_key("access-control-allow-origin"));
}

#[test]
fn own_routes_take_bodies_of_any_shape_with_the_same_errors() {
    let api = Api::new();
    let double = |ApiJson(body): ApiJson<BTreeMap<String, u32>>| async move {
        ApiJson(body.into_iter().map(|(key, n)| (key, 2 * n)).collect::<BTreeMap<_, _>>())
    };
    let own = Router::new().route("/double", axum::routing::post(double));
    let api = Api { router: router_with(api.state.clone(), own), ..api };
    assert_eq!(api.post("/double", &json!({"a": 1})).json(), json!({"a": 2}));
    assert_eq!(api.post_text("/double", None, "").json(), json!({}));
    assert_refused(&api.post("/double", &json!({"a": "one"})), 422, None);
    assert_refused(&api.post("/double", &json!([1])), 422, None);
    assert_refused(&api.post_text("/double", Some("application/json"), "{"), 400, None);
    assert_refused(&api.post_text("/double", None, "{}"), 415, Some("Content-Type"));
}

#[test]
fn own_routes_stand_under_the_same_guard() {
    let api = Api::new();
    let own = Router::new().route("/own", axum::routing::post(|| async { "done" }));
    let router = router_with(api.state.clone(), own);
    let post = |host: &str| send(&router, Request::post("/own").header("host", host).body(Body::empty()).unwrap());
    assert_eq!(post("localhost").text, "done");
    assert_refused(&post("rebound.example.org"), 403, Some("Host"));
    let get = send(&router, Request::get("/own").body(Body::empty()).unwrap());
    assert_refused(&get, 405, None);
}
