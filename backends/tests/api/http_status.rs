//! The status route, without a socket.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};
use tripline_backends::api::{ApiState, router};
use tripline_backends::circuit::{Circuit, Circuits};
use tripline_backends::config::Change;
use tripline_backends::reload::LoadedConfig;
use tripline_runtime::Breaker;
use tripline_runtime::core::{Latency, MemorySample, Outcome, Percentile, Policy, StateKind};
use tripline_runtime::test_util::World;

use crate::http_support::{Api, assert_rejection, send};

// ----- status

const STATUS_FIELDS: &str = "name enabled triggered state trip_reason trip decision drill retry_after_ms last_trip_time memory_ok \
    current_memory_usage_mb memory_threshold_percent total_memory_mb memory_usage_percent memory_exhausted_in_seconds latency_ok breach \
    current_percentile_ms latency_threshold_ms latency_percent_of_threshold percentile_value latency_window_size samples \
    wait_time_seconds recent_latencies_ms trend_analysis_enabled trend_analysis_min_sample_count has_positive_trend trend \
    in_flight stalled memory_source memory_level supervisor incident_ends_in_seconds alert_problem config_error mode would_reject \
    followed_log";

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
fn the_status_of_a_healthy_breaker_has_all_figures() {
    let api = Api::new();
    api.calls([100, 200]);
    api.world.request(api.breaker(), Duration::from_secs(50), Outcome::Ok);
    api.world.advance(Duration::from_millis(500));
    assert_eq!(
        api.get("/breaker/status").json(),
        json!({
            "name": "default", "enabled": true, "triggered": false, "state": "closed",
            "trip_reason": null, "trip": null, "drill": false, "mode": "enforce", "would_reject": 0, "followed_log": null,
            "decision": {
                "trip_confidence": 0, "trip_after_ms": null, "warm_up_seconds": 10, "tolerance_ms": null,
                "tolerance_source": null, "test": null, "age_ms": 0, "failed_percent": 0, "failed_threshold_percent": 50,
                "false_trips": 0,
            }, "retry_after_ms": null, "last_trip_time": null,
            "memory_ok": true, "current_memory_usage_mb": 512, "memory_threshold_percent": 80,
            "total_memory_mb": 1024, "memory_usage_percent": 50, "memory_exhausted_in_seconds": null,
            "latency_ok": false, "breach": false, "current_percentile_ms": 200, "latency_threshold_ms": 300,
            "latency_percent_of_threshold": 66.666_666_667, "percentile_value": 0.95,
            "latency_window_size": 64, "samples": 2, "wait_time_seconds": 10, "recent_latencies_ms": [100, 200],
            "trend_analysis_enabled": false, "trend_analysis_min_sample_count": 10,
            "has_positive_trend": false, "trend": "too_few", "in_flight": 1, "stalled": 1,
            "memory_source": "mock", "memory_level": null, "supervisor": "running",
            "incident_ends_in_seconds": null, "alert_problem": null, "config_error": null,
        })
    );
}

#[test]
fn the_status_names_the_level_of_its_memory_figures_while_they_are_known() {
    let api = Api::new();
    let level = |millis: u64| {
        api.world.advance(Duration::from_millis(millis));
        api.get("/breaker/status").json()["memory_level"].clone()
    };
    api.subject.memory.set_level(Some("memory.max of /kubepods/pod1"));
    assert_eq!(level(1_000), "memory.max of /kubepods/pod1");
    api.subject.memory.set_level(None);
    assert_eq!(level(1_000), Value::Null);
    api.subject.memory.set_level(Some("memory.high of /app"));
    api.subject.memory.set(None);
    assert_eq!(level(1_000), Value::Null);
}

#[test]
fn the_status_of_an_open_breaker_says_why_since_when_and_for_how_long() {
    let api = Api::new();
    api.calls(vec![400; 21]);
    api.world.advance(Duration::from_millis(1_500));
    let body = api.get("/breaker/status").json();
    assert_eq!(body["state"], "open");
    assert_eq!(body["triggered"], true);
    assert_eq!(body["trip_reason"], "latency");
    assert_eq!(
        (&body["drill"], &body["trip"]["drill"], &body["trip"]["rule"]),
        (&json!(false), &json!(false), &json!("latency"))
    );
    let text = "latency: 20 slow, 0 failed of 21 calls, 1 hanging; p95 400 ms, threshold 300 ms";
    assert_eq!(body["trip"]["text"], text);
    assert_eq!((&body["trip"]["hanging"], &body["trip"]["percentile_ms"]), (&json!(1), &json!(400)));
    assert_eq!(body["retry_after_ms"], 8_400);
    assert_eq!(body["latency_ok"], false);
    // The world starts at 1 s. After 20 calls of 400 ms another one had been in flight for longer than 300 ms.
    assert_eq!(body["last_trip_time"], "2026-01-01T00:00:09.300Z");

    api.world.advance(Duration::from_secs(9));
    assert_eq!(api.get("/breaker/status").json()["retry_after_ms"], 0);
    assert_eq!(api.kind(), StateKind::Open, "looking changes nothing");
}

#[test]
fn the_reason_is_reported_while_it_is_open_and_the_time_also_afterwards() {
    let api = Api::new();
    api.calls(vec![400; 21]);
    let open = api.get("/breaker/status").json();
    assert_eq!((&open["state"], &open["trip_reason"]), (&json!("open"), &json!("latency")));

    api.breaker().force_open();
    assert_eq!(api.get("/breaker/status").json()["trip_reason"], open["trip_reason"]);

    api.breaker().reset();
    let closed = api.get("/breaker/status").json();
    assert_eq!((&closed["state"], &closed["trip_reason"]), (&json!("closed"), &Value::Null));
    assert_eq!(closed["last_trip_time"], open["last_trip_time"]);

    api.breaker().disable();
    assert_eq!(api.get("/breaker/status").json()["trip_reason"], Value::Null);
}

#[test]
fn measured_memory_has_two_decimals() {
    let api = Api::new();
    api.subject.memory.set(Some(MemorySample { used: 1, limit: Some(3) }));
    api.world.advance(Duration::from_secs(1));
    assert_eq!(api.get("/breaker/status").json()["memory_usage_percent"], json!(33.33));
}

#[test]
fn the_seconds_until_memory_is_exhausted_are_given_while_there_is_a_forecast() {
    let mut policy = Policy::default();
    policy.memory_horizon = Duration::from_secs(60);
    let api = Api::with(policy);
    let read = |used: u64| {
        api.subject.memory.set(Some(MemorySample { used, limit: Some(1_000) }));
        api.world.advance(Duration::from_millis(500));
        api.get("/breaker/status").json()["memory_exhausted_in_seconds"].clone()
    };
    assert!((0..300).all(|_| read(400).is_null()));
    // Memory is full after 120 s; the forecast starts when 60 s are left.
    let told: Vec<Value> = (1..240).map(|reading| read(400 + reading * 5 / 2)).collect();
    let began = told.iter().position(|seconds| !seconds.is_null()).unwrap();
    assert!((118..124).contains(&began), "{began}: {}", told[began]);
    let seconds = told[began].as_f64().unwrap();
    assert!((57.0..=60.0).contains(&seconds), "{seconds}");
    assert!(told[began + 40].as_f64().unwrap() < seconds - 15.0, "it comes nearer");
    api.breaker().set_policy(&Policy::default()).unwrap();
    assert_eq!(api.get("/breaker/status").json()["memory_exhausted_in_seconds"], Value::Null);
}

#[test]
fn no_time_is_reported_while_memory_or_an_operator_holds_the_breaker_open() {
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
    let config = LoadedConfig::text("", "breakers.toml", Box::new(|_| None)).unwrap();
    let live = config.start(vec![Box::new(api.circuit.clone())]).unwrap();
    let change = Change::set("wait_time", 7.0).unwrap();
    assert!(!futures_lite::future::block_on(live.change(change, "a test")).unwrap().saved);
    api.breaker().set_policy(&policy).unwrap();
    let router = router(api.state.clone().live(live)).unwrap();
    let body = send(&router, Request::get("/breaker/status").body(Body::empty()).unwrap()).json();
    assert_eq!(body["latency_threshold_ms"], 77);
    assert_eq!(body["trend_analysis_enabled"], true);
    assert_eq!(body["config_error"], "changed and not saved: wait_time: there is no configuration file");
}

#[test]
fn without_a_supervisor_or_tracking_the_status_says_so() {
    let world = World::new(1);
    let circuit = Circuit::new(Breaker::builder(world.clock()).stall_detection(false).build().unwrap());
    let router = router(ApiState::new(circuit, ([127, 0, 0, 1], 8080).into())).unwrap();
    let body = send(&router, Request::get("/breaker/status").body(Body::empty()).unwrap()).json();
    assert_eq!(body["supervisor"], "not running: memory and alerts do not work");
    for field in ["in_flight", "stalled", "memory_source", "memory_ok", "current_percentile_ms"] {
        assert_eq!(body[field], Value::Null, "{field}");
    }
}

#[test]
fn a_process_without_breakers_says_so() {
    let router = router(ApiState::new(Circuits::new(), ([127, 0, 0, 1], 8080).into())).unwrap();
    for path in ["/breaker/status", "/breaker/enabled", "/breaker/memory-usage", "/breaker/latencies-above-threshold"] {
        assert_rejection(&send(&router, Request::get(path).body(Body::empty()).unwrap()), 404, None);
    }
}
