//! The breaker in the running server: it opens, explains why, and closes again.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use support::{Client, QUICK, Response, Server, all_the_while, at_once, eventually, get};

/// Checks a 503 with a complete explanation.
#[track_caller]
fn assert_rejection(answer: &Response, reason: &str) {
    assert_eq!(answer.status, 503, "{answer:?}");
    let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
    assert!(seconds >= 1, "{answer:?}");
    let body = answer.json();
    let mut fields: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["breaker", "drill", "error", "reason", "retry_after_ms", "why"]);
    let why = body["why"].as_str().unwrap_or_default();
    if body["drill"] == true {
        assert!(why.starts_with("drill: "), "{body}");
    } else if !["forced_open", "probing"].contains(&reason) {
        assert!(why.contains(", threshold ") && why.starts_with(&reason.replace('_', " ")), "{body}");
    }
    assert_eq!(body["breaker"], "default");
    assert!(body["error"].as_str().is_some_and(|error| error.contains("rejected")), "{body}");
    assert_eq!(body["reason"], reason, "{body}");
    if let Some(millis) = body["retry_after_ms"].as_u64() {
        assert_eq!(seconds, millis.div_ceil(1_000).max(1), "{answer:?}");
    }
}

/// Checks a rejection that names the field and the allowed values.
#[track_caller]
fn assert_field_rejected(answer: &Response, status: u16, field: &str, allowed: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert!(body["error"].as_str().is_some_and(|error| error.starts_with(field)), "{body}");
    assert_eq!(body["field"], field, "{body}");
    assert!(body["allowed"].as_str().is_some_and(|text| text.ends_with(allowed)), "{body}");
}

#[test]
fn the_breaker_opens_when_the_endpoint_becomes_slow_and_closes_when_it_is_well() {
    let server = Server::start(&QUICK.replace("wait_time = 1", "wait_time = 3"));
    let answer = server.get("/test");
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({ "status": "ok", "delay_ms": 20 }));
    assert_eq!(server.state(), "closed");

    assert_eq!(server.trigger("high_latency")["scenario"], "high_latency");
    let answers = at_once(12, || get(server.address, "/test").status);
    assert!(answers.iter().all(|status| [200, 503].contains(status)), "{answers:?}");
    let status = eventually("the breaker is open", || Some(server.status()).filter(|s| s["state"] == "open"));
    assert_eq!(status["triggered"], true);
    assert_eq!(status["trip_reason"], "latency");
    assert!(status["retry_after_ms"].as_u64().is_some_and(|millis| millis <= 3_000), "{status}");
    assert!(status["last_trip_time"].as_str().is_some_and(|time| time.ends_with('Z')), "{status}");
    let refusal = server.rejected();
    let reason = refusal.json()["reason"].as_str().unwrap().to_owned();
    // On a very busy machine the wait has passed, and the first probe was slow.
    assert!(["latency", "probe_slow"].contains(&reason.as_str()), "{reason}");
    assert_rejection(&refusal, &reason);
    assert!(rejected_calls(&server) >= 1.0);

    server.trigger("reset_normal");
    server.recovers();
    assert_eq!(server.get("/test").status, 200);
    let status = server.status();
    assert_eq!((&status["triggered"], &status["retry_after_ms"]), (&json!(false), &json!(null)));
    assert_eq!(status["trip_reason"], json!(null), "{status}");
    assert!(status["last_trip_time"].is_string(), "{status}");
    // Slow calls before the trip no longer count.
    assert_eq!(status["latency_ok"], true, "{status}");
}

#[test]
fn requests_that_hang_open_the_breaker_before_they_return() {
    let server = Server::start(&QUICK.replace("wait_time = 1", "wait_time = 3600"));
    assert_eq!(server.post("/test/delay", r#"{"delay":"50s"}"#).status, 200);
    let mut hanging: Vec<Client> = (0..5).map(|_| server.client()).collect();
    for client in &mut hanging {
        client.send("GET", "/test", "", "").unwrap();
    }
    let status = eventually("the breaker is open", || Some(server.status()).filter(|s| s["state"] == "open"));
    assert_eq!(status["in_flight"], 5, "{status}");
    assert!(hanging.iter().all(|client| !client.has_answer()));
    assert_rejection(&server.get("/test"), "latency");
}

#[test]
fn callers_that_hang_up_leave_no_call_in_flight() {
    let server = Server::start(QUICK);
    assert_eq!(server.post("/test/delay", r#"{"delay":"50s"}"#).status, 200);
    let mut client = server.client();
    client.send("GET", "/test", "", "").unwrap();
    eventually("the call is in flight", || (server.status()["in_flight"] == 1).then_some(()));
    drop(client);
    eventually("no call is in flight", || (server.status()["in_flight"] == 0).then_some(()));
}

#[test]
fn a_latency_spike_opens_the_breaker_and_passes() {
    let server = Server::start(QUICK);
    server.trigger("latency_spike");
    at_once(10, || get(server.address, "/test"));
    eventually("the breaker is open", || (server.state() == "open").then_some(()));
    server.trigger("reset_normal");
    server.recovers();
    assert_eq!(server.get("/test").json()["delay_ms"], 20);
}

#[test]
fn full_mock_memory_opens_the_breaker_and_holds_it_open() {
    let server = Server::start(QUICK);
    server.trigger("memory_overload");
    assert_rejection(&server.rejected(), "memory");
    // Longer than the wait.
    all_the_while("the breaker is open", Duration::from_millis(1_500), || server.get("/test").status == 503);
    let status = server.status();
    assert_eq!(status["state"], "open");
    assert_eq!(status["memory_ok"], false);
    assert!(status["memory_usage_percent"].as_f64().is_some_and(|percent| (percent - 99.0).abs() < 0.001), "{status}");
    assert_eq!(status["trip_reason"], "memory");
    assert!((server.metric("tripline_trips_total{breaker=\"default\",reason=\"memory\"}") - 1.0).abs() < 1e-9);
    assert!((server.metric("tripline_state{breaker=\"default\",state=\"open\"}") - 1.0).abs() < 1e-9);

    server.trigger("reset_normal");
    server.recovers();
    assert_eq!(server.status()["memory_ok"], true);
}

#[test]
fn on_real_memory_the_overload_is_simulated() {
    let config = QUICK.replace("\"mock\"", "\"sysinfo\"") + "memory_threshold = 99.9\n";
    let server = Server::start(&config);
    assert_eq!(server.status()["memory_source"], "sysinfo");
    eventually("memory is known", || (server.status()["memory_ok"] == true).then_some(()));
    server.trigger("memory_overload");
    assert_rejection(&server.rejected(), "memory");
    all_the_while("the breaker is open", Duration::from_millis(1_500), || server.get("/test").status == 503);
    assert_eq!(server.status()["memory_ok"], false);
    server.trigger("reset_normal");
    server.recovers();
}

#[test]
fn a_delay_that_is_set_is_the_delay_of_the_endpoint() {
    let server = Server::start(QUICK);
    let answer = server.post("/test/delay", r#"{"delay":"30ms"}"#);
    assert_eq!((answer.status, answer.json()), (200, json!({ "delay": "30ms" })));
    for (body, status) in [
        (r#"{"delay":"soon"}"#, 400),
        (r#"{"delay":"-1s"}"#, 400),
        (r#"{"delay":""}"#, 400),
        (r#"{"delay":"61s"}"#, 400),
        (r#"{"delay":"99999999999999999999s"}"#, 400),
        (r#"{"delay":500}"#, 422),
        (r#"{"delay":null}"#, 422),
        ("{}", 422),
        ("", 422),
    ] {
        assert_field_rejected(&server.post("/test/delay", body), status, "delay", "at most 60s");
    }
    assert_eq!(server.post("/test/delay", "30ms").status, 400);
    // Unknown fields are ignored, as everywhere.
    assert_eq!(server.post("/test/delay", r#"{"delay":"30ms","for":1}"#).status, 200);
    assert_eq!(server.get("/test").json()["delay_ms"], 30);
}

#[test]
fn every_scenario_that_is_listed_can_be_started_and_no_other() {
    let server = Server::start(QUICK);
    let listed = server.get("/test/scenarios").json();
    let mut names: Vec<&str> = listed["scenarios"].as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["high_latency", "latency_spike", "memory_overload", "reset_normal"]);
    for name in names {
        assert_eq!(server.trigger(name)["scenario"], name);
    }
    let all = "high_latency, latency_spike, memory_overload, reset_normal";
    for (body, status) in [
        (r#"{"scenario":"fire"}"#, 400),
        (r#"{"scenario":""}"#, 400),
        (r#"{"scenario":7}"#, 422),
        (r#"{"scenario":null}"#, 422),
        ("{}", 422),
    ] {
        assert_field_rejected(&server.post("/test/trigger", body), status, "scenario", all);
    }
}

/// The results of 50 connections.
#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    refused: AtomicU64,
}

impl Seen {
    /// Calls the endpoint on one connection until `done`.
    fn hammer(&self, server: &Server, done: &AtomicBool) {
        let mut client = server.client();
        while !done.load(Ordering::Relaxed) {
            let answer = client.exchange("GET", "/test", "", "").unwrap();
            match answer.status {
                200 => self.answered.fetch_add(1, Ordering::Relaxed),
                503 => self.refused.fetch_add(1, Ordering::Relaxed),
                _ => panic!("{answer:?}"),
            };
        }
    }
}

/// The number of rejected calls, over all reasons.
fn rejected_calls(server: &Server) -> f64 {
    let text = server.get("/metrics").body;
    let series = text.lines().filter(|line| line.starts_with("tripline_refused_calls_total{"));
    series.map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap()).sum()
}

struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn fifty_connections_see_nothing_but_answers_and_rejections_and_all_are_counted() {
    let server = Server::start(QUICK);
    let (seen, done) = (Seen::default(), AtomicBool::new(false));
    thread::scope(|scope| {
        let _done = SetAtEnd(&done);
        for _ in 0..50 {
            scope.spawn(|| seen.hammer(&server, &done));
        }
        for _ in 0..2 {
            server.trigger("high_latency");
            eventually("the breaker is open", || (server.state() == "open").then_some(()));
            server.trigger("reset_normal");
            eventually("the breaker is closed", || (server.state() == "closed").then_some(()));
        }
    });
    let answered = seen.answered.into_inner() as f64;
    let refused = seen.refused.into_inner() as f64;
    assert!(answered > 0.0 && refused > 0.0);
    let counted = || {
        ["ok", "failed", "ignored", "stale", "dropped"]
            .map(|outcome| server.metric(&format!("tripline_calls_total{{breaker=\"default\",outcome=\"{outcome}\"}}")))
    };
    let [ok, failed, ignored, stale, dropped] = counted();
    assert!((ok + stale - answered).abs() < 0.5, "{answered} answers, counted {:?}", counted());
    assert!(failed + ignored + dropped < 0.5, "{:?}", counted());
    assert!((rejected_calls(&server) - refused).abs() < 0.5);
    assert!((server.metric("tripline_call_duration_seconds_count{breaker=\"default\"}") - answered).abs() < 0.5);
    assert!(server.metric("tripline_calls_in_flight{breaker=\"default\"}") < 0.5);
    assert!(server.metric("tripline_trips_total{breaker=\"default\",reason=\"latency\"}") >= 2.0);
}
