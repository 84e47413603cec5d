//! `tripline observe` with several breakers, on real files.

use std::path::Path;

use serde_json::Value;

use super::observe::{append, now_ms};
use super::support::{Launch, QUICK, Server, eventually};

/// Two breakers with routes, and a route without one.
const ROUTES: &str = "
[upstreams.shop]
url = \"http://127.0.0.1:9\"
[[routes]]
path = \"/health\"
upstream = \"shop\"
breaker = \"off\"
[[routes]]
path = \"/checkout\"
methods = [\"POST\"]
upstream = \"shop\"
breaker = \"checkout\"
[[routes]]
path = \"/search\"
upstream = \"shop\"
breaker = \"search\"
[breakers.checkout]
[breakers.search]
";

fn config(more: &str) -> String {
    format!("{}warm_up = 0\n{more}", QUICK.replace("memory_source = \"mock\"\n", ""))
}

/// A line of a call that ended at `end_ms` since 1970.
fn line(end_ms: u128, request: &str, latency_ms: u128) -> String {
    format!(
        "10.0.0.1 - - [{}.{:03}] \"{request} HTTP/1.1\" 200 5 rt={}.{:03}\n",
        end_ms / 1_000,
        end_ms % 1_000,
        latency_ms / 1_000,
        latency_ms % 1_000
    )
}

fn status(server: &Server, breaker: &str) -> Value {
    server.get(&format!("/breakers/{breaker}/status")).json()
}

fn write(log: &Path, request: &str, latency: u128) {
    append(log, &(0..5).map(|_| line(now_ms(), request, latency)).collect::<String>());
}

#[test]
fn each_route_has_a_breaker_of_its_own_in_a_log_that_is_written_now() {
    let launch = Launch::observe(&config(ROUTES));
    let log = launch.file().parent().unwrap().join("access.log");
    let server = launch.start();
    eventually("the breaker of the slow route opens", || {
        write(&log, "POST /checkout/pay", 700);
        write(&log, "GET /search?q=/checkout", 5);
        write(&log, "GET /health", 900);
        write(&log, "GET /checkout", 900);
        (status(&server, "checkout")["state"] == "open").then_some(())
    });
    eventually("calls would have been rejected", || {
        write(&log, "POST /checkout/pay", 700);
        write(&log, "GET /search", 5);
        (status(&server, "checkout")["would_reject"].as_u64() > Some(0)).then_some(())
    });
    let search = status(&server, "search");
    assert_eq!((search["state"].as_str(), search["would_reject"].as_u64()), (Some("closed"), Some(0)), "{search}");
    let unrouted = eventually("other calls are counted", || {
        let unrouted = status(&server, "search")["followed_log"]["unrouted"].clone();
        (unrouted["no_route"].as_u64() > Some(0)).then_some(unrouted)
    });
    assert_eq!(unrouted["no_route"], unrouted["not_guarded"], "{unrouted}");
    assert!(server.metric("tripline_log_unrouted_calls_total{breaker=\"search\",reason=\"no_route\"}") > 0.5);
    assert!(server.metric("tripline_would_reject_total{breaker=\"checkout\",reason=\"latency\"}") > 0.5);
    assert!(server.metric("tripline_would_reject_total{breaker=\"search\",reason=\"latency\"}") < 0.5);
    eventually("the breaker closes again", || {
        write(&log, "POST /checkout/pay", 5);
        (status(&server, "checkout")["state"] == "closed").then_some(())
    });
}
