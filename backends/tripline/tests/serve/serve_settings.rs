//! Every setting of the running server: read, changed and rejected over HTTP, and kept over a restart.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fs;

use serde_json::{Value, json};
use support::{Launch, QUICK, Response, Server, get, post};
use tripline_backends::config::load;

#[track_caller]
fn assert_rejection(answer: &Response, status: u16, field: &str) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["field"], field, "{body}");
    assert!(body["allowed"].as_str().is_some_and(|allowed| !allowed.is_empty()), "{body}");
}

/// Posts, and returns the response without the members that report the save.
#[track_caller]
fn set(server: &Server, path: &str, body: &Value) -> Value {
    let answer = server.post(path, &body.to_string());
    assert_eq!(answer.status, 200, "{path} {body}: {answer:?}");
    let mut answer = answer.json();
    let saved = answer.as_object_mut().unwrap().remove("saved");
    assert_eq!((saved, &answer["reason"]), (Some(json!(true)), &Value::Null), "{path} {body}");
    answer
}

#[test]
fn every_setting_is_in_force_when_it_is_answered_and_stands_in_the_file() {
    let server = Server::start(&format!("# of the user\n{QUICK}"));
    for (path, given, read) in [
        ("/breaker/memory", json!({"threshold": 80.5}), json!({"memory": 80.5})),
        ("/breaker/memory", json!({"threshold": 90}), json!({"memory": 90})),
        ("/breaker/latency", json!({"threshold": 1}), json!({"latency": 1})),
        ("/breaker/latency", json!({"threshold": 4_294_967}), json!({"latency": 4_294_967})),
        ("/breaker/latency", json!({"threshold": 300.0}), json!({"latency": 300})),
        ("/breaker/latency-window-size", json!({"size": 1024}), json!({"latency_window_size": 1024, "latency": 1024})),
        ("/breaker/latency-window-size", json!({"size": 1}), json!({"latency_window_size": 1, "latency": 1})),
        ("/breaker/percentile", json!({"percentile": 95}), json!({"percentile": 0.95})),
        ("/breaker/percentile", json!({"percentile": 0.57}), json!({"percentile": 0.57})),
        ("/breaker/percentile", json!({"percentile": 1}), json!({"percentile": 1})),
        ("/breaker/percentile", json!({"percentile": 99.9}), json!({"percentile": 0.999})),
        ("/breaker/wait", json!({"wait_time": 3600}), json!({"wait": 3600})),
        ("/breaker/wait", json!({"wait_time": 1}), json!({"wait": 1})),
        ("/breaker/wait", json!({"wait_time": 12.5}), json!({"wait": 12.5})),
        ("/breaker/trend-analysis", json!({"enabled": true}), json!({"trend_analysis": true})),
        ("/breaker/trend-analysis", json!({"enabled": false}), json!({"trend_analysis": false})),
        ("/breaker/enabled", json!({"enabled": false}), json!({"enabled": false})),
        ("/breaker/enabled", json!({}), json!({"enabled": true})),
    ] {
        assert_eq!(set(&server, path, &given), read, "{path} {given}");
        assert_eq!(server.get(path).json(), read, "{path} {given}");
    }
    let path = server.folder().join("settings.toml");
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("# of the user\n"), "{text}");
    let (config, _) = load(&path).unwrap();
    assert_eq!(config.breaker.policy.latency_threshold.as_millis(), 300, "{text}");
    assert_eq!(config.breaker.policy.wait_time.as_secs_f64().to_string(), "12.5", "{text}");
    assert_eq!(config.breaker.policy.percentile.get().to_string(), "0.999", "{text}");
    let status = server.status();
    for (field, value) in [
        ("memory_threshold_percent", json!(90)),
        ("latency_threshold_ms", json!(300)),
        ("latency_window_size", json!(1)),
        ("percentile_value", json!(0.999)),
        ("wait_time_seconds", json!(12.5)),
        ("config_error", json!(null)),
    ] {
        assert_eq!(status[field], value, "{field}");
    }
}

#[test]
fn a_percentile_that_get_gave_can_be_sent_back() {
    let server = Server::start(QUICK);
    set(&server, "/breaker/percentile", &json!({"percentile": 99}));
    let given = server.get("/breaker/percentile").json();
    assert_eq!(set(&server, "/breaker/percentile", &given), given);
}

#[test]
fn every_alert_setting_is_in_force_when_it_is_answered_also_without_a_section() {
    let server = Server::start(QUICK);
    let triggers =
        "trigger_on_breaker_open trigger_on_breaker_reset trigger_on_memory_threshold trigger_on_latency_threshold";
    let all = |on: [bool; 4]| -> Value {
        triggers
            .split(' ')
            .zip(on)
            .map(|(key, on)| (key.to_owned(), json!(on)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    for (path, given, read) in [
        ("toggle", json!({"enabled": true}), json!({"enabled": true})),
        ("toggle", json!({"enabled": false}), json!({"enabled": false})),
        ("priority", json!({"priority": "P1"}), json!({"priority": "P1"})),
        ("triggers", json!({"trigger_on_breaker_open": false}), all([false, false, true, true])),
        ("triggers", all([true, true, false, false]), all([true, true, false, false])),
        ("tags", json!({"tags": ["Team:shop", "\"ü\\"]}), json!({"tags": ["Team:shop", "\"ü\\"]})),
        ("cooldown", json!({"cooldown_seconds": 0}), json!({"cooldown_seconds": 0})),
    ] {
        assert_eq!(set(&server, &format!("/breaker/opsgenie/{path}"), &given), read, "{path} {given}");
        let status = server.get("/breaker/opsgenie/status").json();
        for (key, value) in read.as_object().unwrap() {
            assert_eq!(&status[key], value, "{key}");
        }
    }
    assert_eq!(set(&server, "/breaker/opsgenie/tags", &json!({"tags": []})), json!({"tags": []}));
    let status = server.get("/breaker/opsgenie/status").json();
    assert_eq!((&status["api_key"], &status["initialized"]), (&json!(null), &json!(false)));
    assert_eq!(status["validation"]["valid"], false);
    assert!(status["validation"]["missing"].as_array().unwrap().contains(&json!("api_key")), "{status}");
    let staged = server.get("/breaker/staged-alerts").json();
    assert_eq!(
        staged,
        json!({"enabled": false, "time_before_alert": 0, "initial_priority": "P3", "escalated_priority": "P1",
            "last_error": null, "rejections": [], "pending_alerts_count": 0, "pending_alerts": []})
    );
}

#[test]
fn the_key_is_masked_and_never_written() {
    let key = "11111111-aaaa-bbbb-cccc-222222222222";
    let server = Launch::new(QUICK).variable("OPSGENIE_API_KEY", key).start();
    set(&server, "/breaker/opsgenie/toggle", &json!({"enabled": true}));
    let answer = server.get("/breaker/opsgenie/status");
    assert_eq!(answer.json()["api_key"], "***");
    let file = fs::read_to_string(server.folder().join("settings.toml")).unwrap();
    for text in [answer.body, file, server.log()] {
        assert!(!text.contains(key) && !text.contains("222222222222"), "{text}");
    }
}

#[test]
fn what_is_not_allowed_is_rejected_with_what_is_and_changes_nothing() {
    let server = Server::start(QUICK);
    let before = server.status();
    let file = fs::read_to_string(server.folder().join("settings.toml")).unwrap();
    for (path, field, bad) in [
        ("/breaker/memory", "threshold", vec![json!(0), json!(100), json!(-1), json!(1e300)]),
        ("/breaker/latency", "threshold", vec![json!(0), json!(-1), json!(4_294_968), json!(1.5), json!(1e300)]),
        ("/breaker/latency-window-size", "size", vec![json!(0), json!(1025), json!(-1), json!(2.5)]),
        ("/breaker/percentile", "percentile", vec![json!(0), json!(1.5), json!(49.9), json!(100.1), json!(-95)]),
        ("/breaker/wait", "wait_time", vec![json!(0), json!(0.9), json!(3601), json!(-1)]),
        ("/breaker/opsgenie/priority", "priority", vec![json!("P0"), json!("P6"), json!("p1"), json!("")]),
        ("/breaker/opsgenie/tags", "tags", vec![json!([""]), json!(vec!["x"; 101]), json!(["x".repeat(1_001)])]),
        ("/breaker/opsgenie/cooldown", "cooldown_seconds", vec![json!(-1), json!(604_801), json!(0.5)]),
    ] {
        for value in bad {
            assert_rejection(&server.post(path, &json!({ field: value }).to_string()), 400, field);
        }
        for wrong in [json!(null), json!(true), json!({}), json!([[1]])] {
            assert_rejection(&server.post(path, &json!({ field: wrong }).to_string()), 422, field);
        }
        assert_rejection(&server.post(path, "{}"), 422, field);
        assert_rejection(&post(server.address, path), 422, field);
    }
    for path in ["/breaker/trend-analysis", "/breaker/opsgenie/toggle"] {
        for wrong in [json!(null), json!("true"), json!(1)] {
            assert_rejection(&server.post(path, &json!({ "enabled": wrong }).to_string()), 422, "enabled");
        }
        assert_rejection(&server.post(path, "{}"), 422, "enabled");
    }
    assert_rejection(&server.post("/breaker/opsgenie/triggers", "{}"), 422, "trigger_on_breaker_open");
    let wrong = server.post("/breaker/opsgenie/triggers", r#"{"trigger_on_memory_threshold":"no"}"#);
    assert_rejection(&wrong, 422, "trigger_on_memory_threshold");
    let deep = format!(r#"{{"threshold":{}}}"#, "[".repeat(5_000));
    assert_eq!(server.post("/breaker/latency", &deep).status, 400);
    assert_eq!(server.post("/breaker/latency", r#"{"threshold":1e999}"#).status, 400);

    let after = server.status();
    for key in ["memory_threshold_percent", "latency_threshold_ms", "latency_window_size", "percentile_value"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(fs::read_to_string(server.folder().join("settings.toml")).unwrap(), file);
    assert_eq!(server.get("/breaker/wait").json(), json!({"wait": 1}));
}

#[test]
fn a_wait_above_the_longest_wait_is_a_conflict_that_names_it() {
    let server = Server::start(&format!("max_wait_time = 60\n{QUICK}"));
    let answer = server.post("/breaker/wait", r#"{"wait_time":61}"#);
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.json()["error"].as_str().unwrap().contains("max_wait_time"), "{answer:?}");
    assert_eq!(server.get("/breaker/wait").json(), json!({"wait": 1}));
}

#[test]
fn a_change_is_logged_with_old_and_new_value_and_the_address() {
    let server = Server::start(QUICK);
    set(&server, "/breaker/latency", &json!({"threshold": 333}));
    let log = support::eventually("it is logged", || Some(server.log()).filter(|log| log.contains("setting changed")));
    let line = log.lines().find(|line| line.contains("setting changed")).unwrap();
    for part in ["latency_threshold", "old=250", "new=333", "127.0.0.1:"] {
        assert!(line.contains(part), "{part}: {line}");
    }
}

#[test]
fn simulations_open_the_breaker_and_are_undone_together() {
    let server = Server::start(
        &QUICK
            .replace("wait_time = 1", "wait_time = 1\nhalf_open_max_calls = 1")
            .replace("half_open_max_calls = 3", ""),
    );
    for path in ["/breaker/trigger-by-memory", "/breaker/trigger-by-latency"] {
        let answer = post(server.address, path);
        assert_eq!((answer.status, answer.json()), (200, json!({"state": "open", "triggered": true})), "{path}");
    }
    assert_eq!(get(server.address, "/test").status, 503);
    let answer = post(server.address, "/breaker/restore-memory-check");
    assert_eq!((answer.status, &answer.json()["triggered"]), (200, &json!(true)), "it recovers by itself");
    server.recovers();

    let answer = post(server.address, "/breaker/force-open");
    assert_eq!((answer.status, answer.json()), (200, json!({"state": "forced_open", "triggered": true})));
    assert_eq!(post(server.address, "/breaker/trigger-by-memory").status, 409);
    assert_eq!(server.post("/breaker/reset", r#"{"confirm":true}"#).json()["state"], "closed");
    post(server.address, "/breaker/disabled");
    for path in ["/breaker/force-open", "/breaker/trigger-by-memory", "/breaker/trigger-by-latency"] {
        let answer = post(server.address, path);
        assert_eq!(answer.status, 409, "{answer:?}");
        assert!(answer.json()["error"].as_str().is_some_and(|error| error.contains("disabled")), "{answer:?}");
    }
}
