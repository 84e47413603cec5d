//! Settings of a breaker without a configuration file, and alert settings in a process that sends no alerts.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::http_support;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::Request;
use http_support::{Api, send};
use serde_json::json;
use tripline_backends::api::{AlertsView, ApiState, PendingAlert, router};
use tripline_backends::circuit::Circuit;
use tripline_runtime::core::StateKind;

#[test]
fn without_a_configuration_changes_apply_and_are_said_not_to_be_saved() {
    let api = Api::new();
    api.calls([100, 200, 250]);
    let answer = api.post("/breaker/latency", &json!({"threshold": 220})).json();
    assert_eq!(answer, json!({"latency": 220, "saved": false, "reason": "there is no configuration file"}));
    assert_eq!(api.get("/breaker/latencies-above-threshold").json(), json!({"latencies": [250]}), "the window is kept");
    // A later change reverts neither earlier changes nor those of others.
    api.post("/breaker/opsgenie/priority", &json!({"priority": "P1"}));
    let mut policy = api.breaker().read(|core| core.policy().clone());
    policy.recovery_time = Duration::from_secs(7);
    api.breaker().set_policy(&policy).unwrap();
    api.post("/breaker/wait", &json!({"wait_time": 900}));
    let policy = api.breaker().read(|core| core.policy().clone());
    assert_eq!((policy.latency_threshold.as_millis(), policy.recovery_time), (220, Duration::from_secs(7)));
    assert_eq!(policy.max_wait_time, Duration::from_secs(900), "the longest wait is no less");
    assert_eq!(api.get("/breaker/opsgenie/status").json()["priority"], "P1");
}

#[test]
fn a_smaller_window_keeps_the_newest_samples() {
    let api = Api::new();
    api.calls([10, 20, 30, 40]);
    api.post("/breaker/latency-window-size", &json!({"size": 2}));
    assert_eq!(api.get("/breaker/status").json()["recent_latencies_ms"], json!([30, 40]));
}

#[test]
fn a_changed_setting_opens_no_breaker_and_closes_none() {
    let api = Api::new();
    api.breaker().force_open();
    api.post("/breaker/latency", &json!({"threshold": 220}));
    assert_eq!(api.kind(), StateKind::ForcedOpen);
    api.breaker().reset();
    api.breaker().disable();
    api.post("/breaker/latency", &json!({"threshold": 230}));
    assert_eq!(api.kind(), StateKind::Disabled);
}

struct Pending;

impl AlertsView for Pending {
    fn initialized(&self) -> bool {
        true
    }

    fn pending(&self) -> Vec<PendingAlert> {
        vec![PendingAlert {
            key: None,
            incident: 3,
            kind: "circuit-open".into(),
            cause: "latency".into(),
            stage: Some("initial".into()),
            started_at: "2026-01-01T00:00:00.000Z".into(),
            due_at: None,
        }]
    }
}

#[test]
fn alerts_that_are_pending_are_shown() {
    let api = Api::new();
    let circuit = Circuit::builder(api.breaker().clone()).alerts(Arc::new(Pending)).build();
    let with_alerts = router(ApiState::new(circuit, ([127, 0, 0, 1], 8080).into())).unwrap();
    let get = |path: &str| send(&with_alerts, Request::get(path).body(Body::empty()).unwrap()).json();
    let staged = get("/breaker/staged-alerts");
    assert_eq!(staged["pending_alerts_count"], 1);
    assert_eq!(
        staged["pending_alerts"],
        json!([{"incident": 3, "kind": "circuit-open", "cause": "latency", "stage": "initial",
            "started_at": "2026-01-01T00:00:00.000Z", "due_at": null}])
    );
    assert_eq!(get("/breaker/opsgenie/status")["initialized"], true);
}
