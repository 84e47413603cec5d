//! Every route of the API of the running server, with valid and invalid requests.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use serde_json::{Value, json};
use support::{Launch, QUICK, Response, Server, at_once, eventually, exchange, get, post};

/// Each route with its methods.
const ROUTES: [(&str, &[&str]); 36] = [
    ("/breaker/status", &["GET"]),
    ("/breaker/enabled", &["GET", "POST"]),
    ("/breaker/disabled", &["POST"]),
    ("/breaker/reset", &["POST"]),
    ("/breaker/memory", &["GET", "POST"]),
    ("/breaker/latency", &["GET", "POST"]),
    ("/breaker/latency-window-size", &["GET", "POST"]),
    ("/breaker/percentile", &["GET", "POST"]),
    ("/breaker/wait", &["GET", "POST"]),
    ("/breaker/trend-analysis", &["GET", "POST"]),
    ("/breaker/fleet-command", &["POST"]),
    ("/breaker/force-open", &["POST"]),
    ("/breaker/trigger-by-memory", &["POST"]),
    ("/breaker/trigger-by-latency", &["POST"]),
    ("/breaker/restore-memory-check", &["POST"]),
    ("/breaker/staged-alerts", &["GET"]),
    ("/breaker/alerts/test", &["POST"]),
    ("/breaker/opsgenie/status", &["GET"]),
    ("/breaker/opsgenie/toggle", &["POST"]),
    ("/breaker/opsgenie/priority", &["POST"]),
    ("/breaker/opsgenie/triggers", &["POST"]),
    ("/breaker/opsgenie/tags", &["POST"]),
    ("/breaker/opsgenie/cooldown", &["POST"]),
    ("/openapi.json", &["GET"]),
    ("/breaker/memory-usage", &["GET"]),
    ("/breaker/memory-limit", &["GET"]),
    ("/breaker/latencies-above-threshold", &["GET"]),
    ("/metrics", &["GET"]),
    ("/health", &["GET"]),
    ("/ready", &["GET"]),
    ("/breaker/history", &["GET"]),
    ("/breaker/settings", &["GET", "POST"]),
    ("/test", &["GET"]),
    ("/test/scenarios", &["GET"]),
    ("/test/delay", &["POST"]),
    ("/test/trigger", &["POST"]),
];

const JSON: &str = "content-type: application/json\r\n";

fn posts() -> impl Iterator<Item = &'static str> {
    ROUTES.iter().filter(|(_, methods)| methods.contains(&"POST")).map(|(path, _)| *path)
}

/// Checks an error of this status: its body names the problem, and for a field also the allowed values.
#[track_caller]
fn assert_error(answer: &Response, status: u16, field: Option<&str>) {
    assert_eq!(answer.status, status, "{answer:?}");
    let body = answer.json();
    assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{body}");
    if let Some(field) = field {
        assert_eq!(body["field"], field, "{body}");
        assert!(body["allowed"].as_str().is_some_and(|allowed| !allowed.is_empty()), "{body}");
    }
}

#[test]
fn the_status_has_exactly_the_documented_fields_with_the_configured_values() {
    const FIELDS: &str = "name mode would_reject followed_log enabled triggered state trip_reason trip decision drill retry_after_ms last_trip_time memory_ok \
        current_memory_usage_mb memory_threshold_percent total_memory_mb memory_usage_percent memory_exhausted_in_seconds latency_ok breach \
        current_percentile_ms latency_threshold_ms latency_percent_of_threshold percentile_value latency_window_size \
        samples wait_time_seconds recent_latencies_ms trend_analysis_enabled trend_analysis_min_sample_count \
        has_positive_trend trend in_flight stalled memory_source memory_level supervisor incident_ends_in_seconds
        alert_problem config_error";
    let server = Server::start(&format!("name = \"orders\"\nmemory_threshold = 72.5\n{QUICK}"));
    eventually("memory is known", || (server.status()["memory_ok"] == true).then_some(()));
    server.get("/test");
    let status = server.status();
    let mut found: Vec<&str> = status.as_object().unwrap().keys().map(String::as_str).collect();
    let mut documented: Vec<&str> = FIELDS.split_whitespace().collect();
    found.sort_unstable();
    documented.sort_unstable();
    assert_eq!(found, documented);

    for (field, value) in [
        ("name", json!("orders")),
        ("enabled", json!(true)),
        ("triggered", json!(false)),
        ("state", json!("closed")),
        ("trip_reason", json!(null)),
        ("retry_after_ms", json!(null)),
        ("last_trip_time", json!(null)),
        ("memory_threshold_percent", json!(72.5)),
        ("memory_usage_percent", json!(50)),
        ("latency_threshold_ms", json!(250)),
        ("percentile_value", json!(0.5)),
        ("latency_window_size", json!(20)),
        ("samples", json!(1)),
        ("wait_time_seconds", json!(1)),
        ("trend_analysis_enabled", json!(false)),
        ("trend", json!("too_few")),
        ("in_flight", json!(0)),
        ("stalled", json!(0)),
        ("memory_source", json!("mock")),
        ("supervisor", json!("running")),
        ("incident_ends_in_seconds", json!(null)),
        ("alert_problem", json!(null)),
        ("config_error", json!(null)),
    ] {
        assert_eq!(status[field], value, "{field}");
    }
    assert!(status["current_percentile_ms"].as_f64().is_some_and(|millis| millis >= 20.0), "{status}");
    assert_eq!(status["recent_latencies_ms"].as_array().map(Vec::len), Some(1), "{status}");
}

#[test]
fn a_breaker_can_be_disabled_and_enabled_again() {
    let server = Server::start(QUICK);
    let enabled = || server.get("/breaker/enabled").json();
    assert_eq!(enabled(), json!({ "enabled": true }));

    let answer = post(server.address, "/breaker/disabled");
    assert_eq!(answer.status, 200);
    assert_eq!((&answer.json()["enabled"], &answer.json()["saved"]), (&json!(false), &json!(true)));
    assert_eq!(enabled(), json!({ "enabled": false }));
    assert_eq!(server.state(), "disabled");
    // It records nothing and rejects nothing.
    server.trigger("high_latency");
    let answers = at_once(12, || get(server.address, "/test").status);
    assert_eq!(answers, [200; 12]);
    assert_eq!((server.state().as_str(), &server.status()["samples"]), ("disabled", &json!(0)));
    // The output of GET can be posted.
    assert_eq!(server.post("/breaker/enabled", &enabled().to_string()).json()["enabled"], false);

    server.trigger("reset_normal");
    let answer = post(server.address, "/breaker/enabled");
    assert_eq!((answer.status, &answer.json()["enabled"]), (200, &json!(true)));
    assert_eq!(server.state(), "closed");
    server.get("/test");
    assert_eq!(post(server.address, "/breaker/enabled").status, 200);
    assert_eq!(server.status()["samples"], 1, "enabling an enabled breaker changes nothing");

    assert_error(&server.post("/breaker/enabled", r#"{"enabled":"yes"}"#), 422, Some("enabled"));
    assert_error(&server.post("/breaker/disabled", r#"{"enabled":true}"#), 400, Some("enabled"));
    assert_eq!(enabled(), json!({ "enabled": true }));
}

#[test]
fn a_reset_needs_to_be_confirmed() {
    let server = Server::start(&QUICK.replace("wait_time = 1", "wait_time = 3600"));
    server.trigger("high_latency");
    at_once(12, || get(server.address, "/test"));
    eventually("the breaker is open", || (server.state() == "open").then_some(()));
    assert_error(&post(server.address, "/breaker/reset"), 400, Some("confirm"));
    assert_error(&server.post("/breaker/reset", "{}"), 400, Some("confirm"));
    assert_error(&server.post("/breaker/reset", r#"{"confirm":false}"#), 400, Some("confirm"));
    assert_error(&server.post("/breaker/reset", r#"{"confirm":"yes"}"#), 422, Some("confirm"));
    assert_error(&server.post("/breaker/reset", r#"{"confirm":1}"#), 422, Some("confirm"));
    assert_eq!(server.state(), "open");

    server.trigger("reset_normal");
    let answer = server.post("/breaker/reset", r#"{"confirm":true}"#);
    assert_eq!((answer.status, &answer.json()["state"]), (200, &json!("closed")));
    let status = server.status();
    assert_eq!((&status["state"], &status["samples"]), (&json!("closed"), &json!(0)), "{status}");
    assert_eq!(server.get("/test").status, 200);
}

#[test]
fn mock_memory_is_half_used() {
    let server = Server::start(QUICK);
    let bytes = |path: &str, field: &str| {
        eventually("memory is known", || {
            let body = server.get(path).json();
            assert_eq!(body.as_object().unwrap().len(), 1, "{body}");
            body[field].as_u64()
        })
    };
    let (usage, limit) =
        (bytes("/breaker/memory-usage", "memory_usage"), bytes("/breaker/memory-limit", "memory_limit"));
    assert!(limit > 0);
    assert_eq!(usage * 2, limit);
    let status = server.status();
    assert_eq!(status["current_memory_usage_mb"], usage >> 20);
    assert_eq!(status["total_memory_mb"], limit >> 20);
}

#[test]
fn latencies_above_a_threshold_are_listed() {
    let server = Server::start(QUICK);
    for _ in 0..3 {
        assert_eq!(server.get("/test").status, 200);
    }
    let above = |query: &str| server.get(&format!("/breaker/latencies-above-threshold{query}")).json();
    assert_eq!(above("?threshold=0"), json!({ "latencies": server.status()["recent_latencies_ms"] }));
    assert_eq!(above("?threshold=0")["latencies"].as_array().map(Vec::len), Some(3));
    assert_eq!(above("?threshold=4294967"), json!({ "latencies": [] }));
    let slow: Vec<Value> = server.status()["recent_latencies_ms"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|latency| latency.as_u64().is_some_and(|millis| millis >= 250))
        .cloned()
        .collect();
    assert_eq!(above(""), json!({ "latencies": slow }), "the configured threshold");
    for bad in ["-1", "abc", "1.5", "4294968", "99999999999999999999", "", "NaN", "%ff", "%zz", "1%00", "1;2"] {
        let answer = server.get(&format!("/breaker/latencies-above-threshold?threshold={bad}"));
        assert_error(&answer, 400, Some("threshold"));
    }
}

#[test]
fn the_document_describes_every_route_and_no_other() {
    let server = Server::start(QUICK);
    let document = server.get("/openapi.json").json();
    let paths = document["paths"].as_object().unwrap();
    let described: Vec<(String, Vec<String>)> = paths
        .iter()
        .map(|(path, item)| (path.clone(), item.as_object().unwrap().keys().map(|key| key.to_uppercase()).collect()))
        .collect();
    // These do not respond with JSON, so they are not in the table.
    let others: [(&str, &[&str]); 2] = [("/", &["GET"]), ("/breaker/events", &["GET"])];
    let mut routes: Vec<(String, Vec<String>)> = ROUTES
        .iter()
        .chain(&others)
        .map(|(path, methods)| ((*path).to_owned(), methods.iter().map(ToString::to_string).collect()))
        .collect();
    // Every route of the first breaker exists for each breaker by name.
    let of_first = routes.iter().filter_map(|(path, methods)| Some((path.strip_prefix("/breaker/")?, methods.clone())));
    let named: Vec<_> = of_first.map(|(rest, methods)| (format!("/breakers/{{name}}/{rest}"), methods)).collect();
    routes.extend(named);
    let of_many: [(&str, &str); 10] = [
        ("/breakers", "GET"),
        ("/breakers/disable", "POST"),
        ("/breakers/enable", "POST"),
        ("/breakers/events", "GET"),
        ("/breakers/reset", "POST"),
        ("/breakers/{name}/keys", "GET"),
        ("/fleet", "GET"),
        ("/fleet/command", "GET"),
        ("/test/{name}", "GET"),
        ("/test/{name}/keys/{key}", "GET"),
    ];
    routes.extend(of_many.map(|(path, method)| (path.to_owned(), vec![method.to_owned()])));
    routes.sort_unstable();
    assert_eq!(described, routes);
}

#[test]
fn health_is_ok_whatever_the_breaker_does() {
    let server = Server::start(QUICK);
    let healthy = || {
        let answer = server.get("/health");
        assert_eq!((answer.status, answer.json()), (200, json!({ "status": "ok" })));
    };
    healthy();
    server.trigger("memory_overload");
    server.rejected();
    healthy();
    post(server.address, "/breaker/disabled");
    healthy();
}

#[test]
fn metrics_are_prometheus_text() {
    let server = Server::start(QUICK);
    server.get("/test");
    let answer = server.get("/metrics");
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").is_some_and(|media| media.starts_with("text/plain; version=0.0.4")));
    assert!(answer.body.ends_with('\n'));
    let mut families = Vec::new();
    for line in answer.body.lines() {
        if let Some(help) = line.strip_prefix("# TYPE ") {
            families.push(help.split(' ').next().unwrap());
        } else if !line.starts_with('#') {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let (name, family) = (series.split('{').next().unwrap(), families.last().copied().unwrap_or_default());
            let parts = ["", "_bucket", "_sum", "_count"];
            assert!(parts.iter().any(|part| name.strip_suffix(part) == Some(family)), "{line}");
        }
    }
    let states = ["closed", "open", "half_open", "disabled", "forced_open"];
    let holds =
        states.map(|state| server.metric(&format!("tripline_state{{breaker=\"default\",state=\"{state}\"}}")) > 0.5);
    assert_eq!(holds, [true, false, false, false, false]);
    assert!(server.metric("tripline_latency_percentile_seconds{breaker=\"default\"}") >= 0.02);
    assert!(server.metric("tripline_supervised{breaker=\"default\"}") > 0.5);
    if cfg!(target_os = "linux") {
        assert!(server.metric("process_resident_memory_bytes") > 100_000.0);
    }
}

#[test]
fn a_method_that_a_route_does_not_take_is_rejected_as_json() {
    let server = Server::start(QUICK);
    for (path, methods) in ROUTES {
        for method in ["GET", "POST", "PUT", "DELETE", "PATCH"] {
            if methods.contains(&method) {
                continue;
            }
            let answer = exchange(server.address, method, path, "", "");
            assert_error(&answer, 405, None);
            let allow = answer.header("allow").unwrap_or_default();
            assert!(methods.iter().all(|method| allow.contains(method)), "{method} {path}: {answer:?}");
        }
    }
}

#[test]
fn an_unknown_route_is_rejected_as_json() {
    let server = Server::start(QUICK);
    for path in
        ["/nothing", "/breaker", "/breaker/", "/breaker/statuss", "/test/", "/breaker/status/x", "/%00", "//health"]
    {
        assert_error(&get(server.address, path), 404, None);
        assert_error(&post(server.address, path), 404, None);
    }
    let answer = get(server.address, &format!("/{}", "x".repeat(5_000)));
    assert_error(&answer, 404, None);
    assert!((100..300).contains(&answer.body.len()), "{answer:?}");
}

#[test]
fn bodies_that_are_no_json_object_of_moderate_size_are_rejected_as_json() {
    let server = Server::start(QUICK);
    for path in posts() {
        let send = |headers: &str, body: &str| exchange(server.address, "POST", path, headers, body);
        assert_error(&send("", r#"{"confirm":true}"#), 415, Some("Content-Type"));
        assert_error(&send("content-type: text/plain\r\n", r#"{"confirm":true}"#), 415, Some("Content-Type"));
        assert_error(&send(JSON, "{"), 400, None);
        assert_error(&send(JSON, "confirm"), 400, None);
        assert_error(&send(JSON, &"[".repeat(10_000)), 400, None);
        for other in ["[]", "1", "null", "\"x\""] {
            assert_error(&send(JSON, other), 422, None);
        }
        let large = format!(r#"{{"confirm":true,"x":"{}"}}"#, "x".repeat(64 * 1024));
        assert_error(&send(JSON, &large), 413, Some("body"));
    }
    assert_eq!(server.state(), "closed");
    assert_eq!(server.get("/test").json()["delay_ms"], 20);
}

#[test]
fn what_a_foreign_page_posts_is_rejected() {
    let server = Server::start(QUICK);
    for path in posts() {
        let send = |headers: &str| exchange(server.address, "POST", path, headers, "");
        assert_error(&send("origin: https://example.org\r\n"), 403, Some("Origin"));
        assert_error(&send("origin: null\r\n"), 403, Some("Origin"));
        assert_error(&send("host: rebound.example.org\r\n"), 403, Some("Host"));
    }
    assert_eq!(server.state(), "closed");
    let own = format!("origin: http://{}\r\n", server.address);
    assert_eq!(exchange(server.address, "POST", "/breaker/disabled", &own, "").status, 200);
}

#[test]
fn many_requests_go_over_one_connection_also_after_errors() {
    let server = Server::start(QUICK);
    let mut client = server.client();
    for _ in 0..3 {
        for (path, status) in [("/health", 200), ("/nothing", 404), ("/test", 200), ("/breaker/disabled", 405)] {
            assert_eq!(client.exchange("GET", path, "", "").unwrap().status, status, "{path}");
        }
        assert_eq!(client.exchange("POST", "/breaker/reset", "", "").unwrap().status, 400);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn real_memory_is_that_of_this_machine_or_less() {
    let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")).unwrap();
    let total = total.parse::<u64>().unwrap() * 1_024;
    let server = Launch::new("memory_source = \"auto\"\nmemory_threshold = 99.9\nsample_interval_ms = 100\n").start();
    let limit =
        eventually("the limit is known", || server.get("/breaker/memory-limit").json()["memory_limit"].as_u64());
    assert!((1..=total).contains(&limit), "{limit} of {total}");
    let usage = server.get("/breaker/memory-usage").json()["memory_usage"].as_u64().unwrap();
    assert!((1..=limit).contains(&usage), "{usage} of {limit}");
    let status = server.status();
    assert!(
        ["cgroup", "sysinfo"].iter().any(|name| status["memory_source"].as_str().unwrap().starts_with(name)),
        "{status}"
    );
    assert_eq!(status["memory_ok"], true, "{status}");
    assert_eq!(status["total_memory_mb"], limit >> 20);
    server.log_with("memory is sampled");
}
