//! `tripline observe` with several breakers, on real files.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::Path;

use serde_json::{Value, json};

use super::observe::{append, now_ms, write_rotated};
use super::support::{Launch, QUICK, Server, eventually, run};

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
    // Each is written as often as the other, and the figures may be published between the two.
    eventually("other calls are counted", || {
        let unrouted = status(&server, "search")["followed_log"]["unrouted"].clone();
        (unrouted["no_route"].as_u64() > Some(0) && unrouted["no_route"] == unrouted["not_guarded"]).then_some(())
    });
    assert!(server.metric("tripline_log_unrouted_calls_total{breaker=\"search\",reason=\"no_route\"}") > 0.5);
    assert!(server.metric("tripline_would_reject_total{breaker=\"checkout\",reason=\"latency\"}") > 0.5);
    assert!(server.metric("tripline_would_reject_total{breaker=\"search\",reason=\"latency\"}") < 0.5);
    eventually("the breaker closes again", || {
        write(&log, "POST /checkout/pay", 5);
        (status(&server, "checkout")["state"] == "closed").then_some(())
    });
}

/// A minute of two routes, of which one is slow for ten seconds, in parts of 20 seconds.
fn parts(begin_ms: u128) -> [String; 3] {
    let mut parts = [String::new(), String::new(), String::new()];
    for n in 0..1_200_u128 {
        let slow = if (500..700).contains(&n) { 600 } else { 20 };
        let at = begin_ms + n * 50;
        let lines = [line(at, "POST /checkout/pay", slow), line(at, "GET /search", 20), line(at, "GET /health", 900)];
        let _ = write!(parts[usize::try_from(n / 400).unwrap()], "{}", lines.concat());
    }
    parts
}

#[test]
fn the_history_of_each_breaker_is_what_its_replay_decides_and_all_are_listed() {
    let launch = Launch::observe(&config(ROUTES));
    let folder = launch.file().parent().unwrap().to_owned();
    write_rotated(&folder, &parts(now_ms() - 120_000));
    let server = launch.start();
    for (breaker, path) in [("checkout", "/checkout*"), ("search", "/search*")] {
        let arguments = ["replay", "--config", "settings.toml", "--breaker", breaker, "--include", path, "whole.log"];
        let replayed = run(&folder, &arguments);
        let replayed: Value = serde_json::from_str(&replayed.stdout).unwrap_or_else(|_| panic!("{replayed:?}"));
        let (rejected, trips) = (replayed["rejected"].as_u64(), replayed["trips"].as_array().map(Vec::len));
        assert_eq!(rejected > Some(0), breaker == "checkout", "{replayed}");
        assert_eq!(status(&server, breaker)["would_reject"].as_u64(), rejected, "{breaker}");
        let series = format!("tripline_trips_total{{breaker=\"{breaker}\",reason=\"latency\"}}");
        assert_eq!(Some(server.metric(&series) as usize), trips, "{breaker}");
    }
    let log = eventually("the log's figures", || {
        let log = status(&server, "search")["followed_log"].clone();
        (log["lines"] == 3_600).then_some(log)
    });
    assert_eq!(log["unrouted"], json!({"not_guarded": 1_200}), "{log}");
    let listed = run(&folder, &["ctl", "--url", &format!("http://{}", server.address), "list"]);
    assert!(listed.stdout.contains("checkout") && listed.stdout.contains("search"), "{listed:?}");
    assert!(!server.log().contains("state changed"), "the past is no news: {}", server.log());
}

#[test]
fn rotation_and_truncation_lose_no_call_of_any_breaker() {
    let launch = Launch::observe(&config(&format!("{TENANTS}{UPSTREAM}")));
    let log = launch.file().parent().unwrap().join("access.log");
    let server = launch.start();
    let calls = |tenant: &str| format!("tripline_key_calls_total{{breaker=\"tenants\",key=\"{tenant}\"}}");
    write(&log, "GET /acme/a", 5);
    write(&log, "GET /globex/a", 5);
    eventually("both tenants have calls", || {
        let metrics = server.get("/metrics").body;
        ["acme", "globex"].iter().all(|tenant| metrics.contains(&format!("{} 5", calls(tenant)))).then_some(())
    });
    fs::rename(&log, log.with_extension("log.1")).unwrap();
    write(&log.with_extension("log.1"), "GET /acme/a", 5);
    write(&log, "GET /globex/a", 5);
    eventually("both files are read", || {
        let metrics = server.get("/metrics").body;
        ["acme", "globex"].iter().all(|tenant| metrics.contains(&format!("{} 10", calls(tenant)))).then_some(())
    });
    File::create(&log).unwrap();
    eventually("it was truncated", || server.log().contains("was truncated").then_some(()));
    write(&log, "GET /acme/a", 5);
    eventually("what follows is read", || {
        server.get("/metrics").body.contains(&format!("{} 15", calls("acme"))).then_some(())
    });
    let keys = server.get("/breakers/tenants/keys").json();
    assert!(keys.to_string().contains("globex"), "{keys}");
}

/// A family by path.
const TENANTS: &str = "[breakers.tenants]\nkey = \"path:1\"\n";
const UPSTREAM: &str = "[upstreams.tenants]\nurl = \"http://127.0.0.1:9\"\n[[routes]]\nupstream = \"tenants\"\n";

#[test]
fn a_reload_changes_routes_and_breakers() {
    let launch = Launch::observe(&config(ROUTES));
    let file = launch.file().to_owned();
    let log = file.parent().unwrap().join("access.log");
    let server = launch.start();
    write(&log, "GET /search", 5);
    eventually("a call is played", || (status(&server, "search")["samples"] == 5).then_some(()));
    // `checkout` goes, `slow` comes, `search` stays with another threshold.
    let text = fs::read_to_string(&file).unwrap();
    let text = text.replace("\"checkout\"", "\"slow\"").replace("[breakers.checkout]", "[breakers.slow]");
    fs::write(&file, text.replace("[breakers.search]", "[breakers.search]\nlatency_threshold = 900")).unwrap();
    server.signal("HUP");
    eventually("the new breaker follows the log", || {
        write(&log, "POST /checkout", 700);
        write(&log, "GET /search", 700);
        (server.get("/breakers/slow/status").status == 200 && status(&server, "slow")["state"] == "open").then_some(())
    });
    assert_eq!(server.get("/breakers/checkout/status").status, 404);
    let search = status(&server, "search");
    assert_eq!(
        (search["state"].as_str(), search["latency_threshold_ms"].as_u64()),
        (Some("closed"), Some(900)),
        "{search}"
    );
    // Routes without their breaker's key: the previous ones stay in force.
    let text = fs::read_to_string(&file).unwrap();
    fs::write(
        &file,
        text.replace("[breakers.search]", "[breakers.more]\nkey = \"header:x\"\n[breakers.search]")
            .replace("\"search\"", "\"more\""),
    )
    .unwrap();
    server.signal("HUP");
    server.log_with("the changed routes are not used");
    // No call so far was slower than the threshold in force.
    let slow = || server.metric("tripline_slow_calls_total{breaker=\"search\"}");
    let before = slow();
    eventually("calls of the previous routes count", || {
        write(&log, "GET /search", 1_000);
        (slow() > before).then_some(())
    });
    let problem = |breaker: &str| status(&server, breaker)["followed_log"]["problem"].clone();
    for breaker in ["search", "more"] {
        let shown = eventually("why the routes are not used", || problem(breaker).as_str().map(str::to_owned));
        assert!(shown.starts_with("the changed routes are not used: breakers.more.key"), "{breaker}: {shown}");
    }
    // Routes that leave a breaker out, which stays.
    let (kept, rest) = text.split_once("[[routes]]\npath = \"/search\"").unwrap();
    let (_, breakers) = rest.split_once("breaker = \"search\"\n").unwrap();
    assert!(!server.log().contains("no route leads to the breaker"));
    fs::write(&file, format!("{kept}{breakers}")).unwrap();
    server.signal("HUP");
    server.log_with("no route leads to the breaker");
    eventually("it follows no log", || status(&server, "search")["followed_log"].is_null().then_some(()));
    assert_eq!(problem("slow"), Value::Null);
}

#[test]
fn what_the_log_lacks_is_warned_of_once_and_what_no_log_has_is_an_error() {
    let host = "[upstreams.up]\nurl = \"http://127.0.0.1:9\"\n[[routes]]\nhost = \"shop.example\"\nupstream = \"up\"\n";
    let launch = Launch::observe(&config(host));
    let log = launch.file().parent().unwrap().join("access.log");
    append(&log, &(0..30).map(|n| line(now_ms() + n, "GET /", 5)).collect::<String>());
    let server = launch.start();
    eventually("calls without a host are counted", || {
        (status(&server, "up")["followed_log"]["unrouted"] == json!({"no_host": 30})).then_some(())
    });
    let text = server.log_with("--field host=FIELD names the field that has it");
    assert_eq!(text.matches("--field host=FIELD").count(), 1, "{text}");
    assert!(text.contains("30 of 30 lines of the log are for no breaker"), "{text}");
    drop(server);

    let launch = Launch::observe(&config(host)).argument("--field").argument("host=1");
    let log = launch.file().parent().unwrap().join("access.log");
    let with_host = |n: u128| line(now_ms() + n, "GET /", 5).replace("10.0.0.1", "Shop.example:443");
    append(&log, &(0..30).map(with_host).collect::<String>());
    let server = launch.start();
    eventually("every call has a breaker", || {
        let log = status(&server, "up")["followed_log"].clone();
        (log["lines"] == 30 && log["unrouted"] == json!({})).then_some(())
    });
    drop(server);

    let finished = Launch::observe(&config("[breakers.tenants]\nkey = \"header:x-tenant\"\n")).fail();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("an access log has no such part of a request"), "{finished:?}");
}
