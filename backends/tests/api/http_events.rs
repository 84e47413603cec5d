//! The events, over real sockets.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::event_stream;
use crate::http_support;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use event_stream::{Reader, Server, eventually, run};
use http::Request;
use http_support::{Api, assert_rejection, send};
use serde_json::{Value, json};
use smol::stream::StreamExt as _;
use tower::ServiceExt as _;
use tripline_backends::api::{ApiState, Token, router};
use tripline_backends::circuit::{Circuit, Circuits};
use tripline_runtime::Breaker;
use tripline_runtime::core::{Confidence, Latency, MemorySample, Policy};
use tripline_runtime::test_util::ManualClock;

fn api() -> Api {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(300);
    policy.trend_analysis = false;
    policy.minimum_samples = Some(5);
    policy.trip_confidence = Confidence::ZERO;
    Api::with(policy)
}

fn server(api: &Api) -> Server {
    Server::start(api.router.clone())
}

/// Reads all initial events of a new reader.
async fn settled(reader: &mut Reader) -> [Value; 3] {
    let status = reader.find("status", |_| true).await.data;
    let settings = reader.find("settings", |_| true).await.data;
    let counts = reader.find("counts", |_| true).await.data;
    reader.find("transition", |data| data["from"] == Value::Null).await;
    [status, settings, counts]
}

#[test]
fn a_reader_gets_everything_when_it_comes() {
    run(async {
        let api = api();
        let server = server(&api);
        api.calls([100, 200]);
        let mut reader = server.reader("").await;
        assert!(reader.head.contains("\r\ncontent-type: text/event-stream\r\n"), "{}", reader.head);
        assert!(reader.head.contains("\r\ncache-control: no-store\r\n"), "{}", reader.head);
        let [status, settings, counts] = settled(&mut reader).await;
        let whole: Value = serde_json::from_str(&server.get("/breaker/status").await).unwrap();
        assert_eq!(status, whole);
        assert_eq!(status["recent_latencies_ms"], json!([100, 200]));
        let expected = json!({
            "enabled": true, "memory": 80, "latency": 300, "latency_window_size": status["latency_window_size"],
            "percentile": 0.95, "wait": status["wait_time_seconds"], "trend_analysis": false,
        });
        assert_eq!(settings, expected);
        assert_eq!((&counts["ok"], &counts["refused"], &counts["trips"]), (&json!(2), &json!(0), &json!(0)));
    });
}

#[test]
fn what_changes_is_reported_with_its_cause() {
    run(async {
        let api = api();
        let server = server(&api);
        let mut reader = server.reader("").await;
        settled(&mut reader).await;

        api.calls([900; 5]);
        let open = reader.transition("open").await.data;
        assert_eq!((&open["from"], &open["cause"], &open["steps"]), (&json!("closed"), &json!("latency"), &json!(1)));
        let began = reader.find("incident", |_| true).await.data;
        assert_eq!((&began["incident"], &began["phase"]), (&json!(1), &json!("began")));
        assert_eq!(began["cause"], "latency");
        let status = reader.find("status", |data| data["state"] == "open").await.data;
        assert_eq!(status["trip_reason"], "latency");
        reader.find("counts", |data| data["trips_by_reason"] == json!({"latency": 1})).await;

        api.world.advance(Duration::from_secs(3_600));
        api.calls([10]);
        assert_eq!(reader.transition("half_open").await.data["cause"], "wait_over");
        api.calls([10; 10]);
        assert_eq!(reader.transition("closed").await.data["cause"], "recovered");
        api.breaker().reset();
        assert_eq!(reader.find("incident", |_| true).await.data["cause"], "operator");

        for (act, to, cause) in [
            (Breaker::disable as fn(&Breaker), "disabled", "disable"),
            (Breaker::enable, "closed", "enable"),
            (|breaker: &Breaker| assert!(breaker.force_open()), "forced_open", "force_open"),
            (Breaker::reset, "closed", "reset"),
        ] {
            act(api.breaker());
            assert_eq!(reader.transition(to).await.data["cause"], cause);
        }
        let sample = MemorySample { used: 990, limit: Some(1_000) };
        api.breaker().handle_memory(api.world.now(), Some(sample));
        let memory = reader.find("memory", |_| true).await.data;
        assert_eq!((&memory["state"], &memory["usage_percent"]), (&json!("exhausted"), &json!(99)));
        assert_eq!(reader.transition("open").await.data["cause"], "memory");
    });
}

#[test]
fn memory_that_is_forecast_to_run_out_is_reported() {
    run(async {
        let api = api();
        let server = server(&api);
        let mut reader = server.reader("").await;
        settled(&mut reader).await;
        let mut policy = api.breaker().read(|core| core.policy().clone());
        policy.memory_horizon = Duration::from_secs(60);
        api.breaker().set_policy(&policy).unwrap();
        for reading in 0..440_u64 {
            // After 150 s at a constant level, half a percentage point per second.
            let used = 4_000 + 25 * reading.saturating_sub(300);
            api.subject.memory.set(Some(MemorySample { used, limit: Some(10_000) }));
            api.world.advance(Duration::from_millis(500));
        }
        let memory = reader.find("memory", |data| data["state"] == "running_out").await.data;
        assert!(memory["usage_percent"].as_f64().unwrap() > 69.0, "{memory}");
        reader.find("status", |data| data["memory_exhausted_in_seconds"].is_number()).await;
        api.subject.memory.set_percent(40);
        api.world.advance(Duration::from_secs(20));
        reader.find("memory", |data| data["state"] == "ok").await;
    });
}

#[test]
fn a_changed_setting_is_reported() {
    run(async {
        let api = api();
        let server = server(&api);
        let mut reader = server.reader("").await;
        settled(&mut reader).await;
        let mut policy = api.breaker().read(|core| core.policy().clone());
        policy.latency_threshold = Latency::from_millis(70);
        api.breaker().set_policy(&policy).unwrap();
        reader.find("settings", |data| data["latency"] == 70).await;
    });
}

#[test]
fn a_newcomer_sees_what_happened_before_the_first_reader() {
    run(async {
        let api = api();
        let server = server(&api);
        let mut first = server.reader("").await;
        settled(&mut first).await;
        drop(first);
        assert!(api.breaker().force_open());
        let mut second = server.reader("").await;
        let status = second.find("status", |_| true).await.data;
        assert_eq!(status["state"], "forced_open", "no figures of an earlier reader");
        assert_eq!(second.transition("closed").await.data["from"], Value::Null);
        assert_eq!(second.transition("forced_open").await.data["from"], "closed");
    });
}

#[test]
fn recording_can_begin_before_anybody_reads() {
    run(async {
        let api = api();
        let server = Server::start(router(api.state.clone().record_events()).unwrap());
        eventually(async || format!("{:?}", api.circuit.events()).contains("transition")).await;
        assert!(api.breaker().force_open());
        let mut reader = server.reader("").await;
        assert_eq!(reader.transition("forced_open").await.data["from"], "closed");
    });
}

#[test]
fn a_reader_that_comes_back_gets_what_it_missed() {
    run(async {
        let api = api();
        let server = server(&api);
        let mut reader = server.reader("").await;
        assert!(api.breaker().force_open());
        let last = reader.transition("forced_open").await.id.unwrap();
        drop(reader);
        api.breaker().reset();
        let mut back = server.reader(&format!("Last-Event-ID: {last}\r\n")).await;
        let missed = back.find("transition", |_| true).await;
        assert_eq!((&missed.data["from"], &missed.data["to"]), (&json!("forced_open"), &json!("closed")));
        // An id of another process is ignored.
        let mut other = server.reader("Last-Event-ID: 1-2\r\n").await;
        assert_eq!(other.find("transition", |_| true).await.data["from"], Value::Null);
    });
}

#[test]
fn whatever_happens_a_reader_is_sent_at_most_ten_pieces_a_second() {
    run(async {
        let api = api();
        let server = server(&api);
        let started = Instant::now();
        let mut reader = server.reader("").await;
        for _ in 0..20 {
            assert!(api.breaker().force_open());
            reader.transition("forced_open").await;
            api.breaker().reset();
            reader.transition("closed").await;
        }
        let most = started.elapsed().as_millis() / 100 + 1;
        // A late timer makes fewer chunks, never more.
        assert!(reader.chunks as u128 <= most, "{} pieces in {most} tenths of a second", reader.chunks);
    });
}

#[test]
fn a_reader_that_is_slow_gets_the_newest_figures_and_not_those_in_between() {
    run(async {
        let api = api();
        let request = || Request::get("/breaker/events").body(Body::empty()).unwrap();
        let open = async || api.router.clone().oneshot(request()).await.unwrap().into_body().into_data_stream();
        let text = |piece: Option<Result<axum::body::Bytes, axum::Error>>| {
            String::from_utf8(piece.unwrap().unwrap().to_vec()).unwrap()
        };
        let (mut slow, mut quick) = (open().await, open().await);
        assert!(text(slow.next().await).contains("event: status\n"));
        for calls in 1..=5 {
            api.calls([10]);
            let samples = format!("\"samples\":{calls},");
            eventually(async || text(quick.next().await).contains(&samples)).await;
        }
        let newest = text(slow.next().await);
        assert_eq!(newest.matches("event: status\n").count(), 1, "{newest}");
        assert!(newest.contains("\"samples\":5,"), "{newest}");
    });
}

#[test]
fn no_more_than_32_read_at_a_time() {
    run(async {
        let api = api();
        let server = server(&api);
        let mut readers = Vec::new();
        for _ in 0..32 {
            readers.push(server.reader("").await);
        }
        let refused = server.request("/breaker/events", "").await;
        assert!(refused.head.starts_with("HTTP/1.1 429 "), "{}", refused.head);
        assert!(refused.head.contains("\r\nretry-after: 10\r\n"), "{}", refused.head);
        readers.pop();
        eventually(async || server.request("/breaker/events", "").await.head.starts_with("HTTP/1.1 200 ")).await;
        settled(&mut readers[0]).await;
    });
}

#[test]
fn a_draining_server_ends_the_streams_at_once() {
    run(async {
        let api = api();
        let server = server(&api);
        let mut readers = [server.reader("").await, server.reader("").await];
        settled(&mut readers[0]).await;
        server.stop.send(()).await.unwrap();
        for mut reader in readers {
            while reader.next().await.is_some() {}
        }
        assert_eq!(server.task.await.cut_off, 0);
    });
}

#[test]
fn the_token_is_needed() {
    run(async {
        let api = api();
        let state = api.state.clone().token(Token::new("0123456789abcdef").unwrap());
        let server = Server::start(router(state).unwrap());
        for headers in ["", "Authorization: Bearer 0123456789abcdeX\r\n"] {
            let answer = server.request("/breaker/events", headers).await;
            assert!(answer.head.starts_with("HTTP/1.1 401 "), "{}", answer.head);
        }
        let answer = server.request("/breaker/events?token=0123456789abcdef", "").await;
        assert!(answer.head.starts_with("HTTP/1.1 401 "), "{}", answer.head);
        let mut reader = server.reader("Authorization: Bearer 0123456789abcdef\r\n").await;
        settled(&mut reader).await;
    });
}

#[test]
fn without_a_breaker_there_are_no_events() {
    let router = router(ApiState::new(Circuits::new(), ([127, 0, 0, 1], 0).into()).record_events()).unwrap();
    let answer = send(&router, Request::get("/breaker/events").body(Body::empty()).unwrap());
    assert_rejection(&answer, 404, None);
}

#[test]
fn nothing_is_recorded_any_more_when_the_router_is_gone() {
    run(async {
        let clock = Arc::new(ManualClock::default());
        let alive = Arc::downgrade(&clock);
        let circuit = Circuit::new(Breaker::builder(clock).build().unwrap());
        let app: Router = router(ApiState::new(circuit, ([127, 0, 0, 1], 0).into()).record_events()).unwrap();
        let request = Request::get("/breaker/events").body(Body::empty()).unwrap();
        let mut events = app.oneshot(request).await.unwrap().into_body().into_data_stream();
        assert!(events.next().await.is_some());
        drop(events);
        eventually(async || alive.upgrade().is_none()).await;
    });
}
