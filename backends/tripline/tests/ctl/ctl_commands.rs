//! `tripline ctl`: one command, one request.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::fake_server;
use crate::support;

use std::fs;

use fake_server::{Answer, Fake, ctl, status};
use serde_json::{Value, json};
use support::{run_with_input, tripline, wait};

/// A command and the request that it must send: method, path, JSON or no body.
type Case<'a> = (&'a [&'a str], &'a str, &'a str, Option<Value>);

#[test]
fn every_command_is_the_request_that_the_api_takes() {
    let all = json!({
        "enabled": true, "memory": 80, "latency": 500, "latency_window_size": 64, "percentile": 0.95, "wait": 10,
        "trend_analysis": true, "state": "closed", "triggered": false, "latencies": [700, 900], "saved": true,
        "priority": "P2", "tags": ["a"], "cooldown_seconds": 0, "memory_usage": 1, "memory_limit": 2,
        "trigger_on_breaker_open": true, "trigger_on_breaker_reset": false, "trigger_on_memory_threshold": true,
        "trigger_on_latency_threshold": true, "delivered": true,
        "sinks": [{"sink": "opsgenie", "delivered": true, "error": null}],
    });
    let post = "POST";
    let cases: &[Case] = &[
        (&["get", "memory"], "GET", "/breaker/memory", None),
        (&["get", "latency"], "GET", "/breaker/latency", None),
        (&["get", "latency-window-size"], "GET", "/breaker/latency-window-size", None),
        (&["get", "percentile"], "GET", "/breaker/percentile", None),
        (&["get", "wait"], "GET", "/breaker/wait", None),
        (&["get", "trend-analysis"], "GET", "/breaker/trend-analysis", None),
        (&["get", "enabled"], "GET", "/breaker/enabled", None),
        (&["get", "opsgenie-tags"], "GET", "/breaker/opsgenie/status", None),
        (&["set", "memory", "85"], post, "/breaker/memory", Some(json!({"threshold": 85}))),
        (&["set", "latency", "500"], post, "/breaker/latency", Some(json!({"threshold": 500}))),
        (&["set", "latency", "-5"], post, "/breaker/latency", Some(json!({"threshold": -5}))),
        (&["set", "latency-window-size", "9"], post, "/breaker/latency-window-size", Some(json!({"size": 9}))),
        (&["set", "percentile", "0.9"], post, "/breaker/percentile", Some(json!({"percentile": 0.9}))),
        (&["set", "wait", "10"], post, "/breaker/wait", Some(json!({"wait_time": 10}))),
        (&["set", "trend-analysis", "off"], post, "/breaker/trend-analysis", Some(json!({"enabled": false}))),
        (&["set", "opsgenie-priority", "P1"], post, "/breaker/opsgenie/priority", Some(json!({"priority": "P1"}))),
        (&["enable"], post, "/breaker/enabled", None),
        (&["disable"], post, "/breaker/disabled", None),
        (&["reset", "--yes"], post, "/breaker/reset", Some(json!({"confirm": true}))),
        (&["latencies"], "GET", "/breaker/latencies-above-threshold", None),
        (&["latencies", "--above", "600"], "GET", "/breaker/latencies-above-threshold?threshold=600", None),
        (&["trigger", "memory"], post, "/breaker/trigger-by-memory", None),
        (&["trigger", "latency"], post, "/breaker/trigger-by-latency", None),
        (&["restore"], post, "/breaker/restore-memory-check", None),
        (&["force-open"], post, "/breaker/force-open", None),
        (&["alert", "test"], post, "/breaker/alerts/test", None),
        (&["staged-alerts"], "GET", "/breaker/staged-alerts", None),
        (&["opsgenie", "status"], "GET", "/breaker/opsgenie/status", None),
        (&["opsgenie", "priority"], "GET", "/breaker/opsgenie/status", None),
        (&["opsgenie", "toggle", "on"], post, "/breaker/opsgenie/toggle", Some(json!({"enabled": true}))),
        (&["opsgenie", "priority", "P5"], post, "/breaker/opsgenie/priority", Some(json!({"priority": "P5"}))),
        (
            &["opsgenie", "triggers", "open=off", "memory=on"],
            post,
            "/breaker/opsgenie/triggers",
            Some(json!({"trigger_on_breaker_open": false, "trigger_on_memory_threshold": true})),
        ),
        (&["opsgenie", "tags", "a b", "c"], post, "/breaker/opsgenie/tags", Some(json!({"tags": ["a b", "c"]}))),
        (&["opsgenie", "tags", ""], post, "/breaker/opsgenie/tags", Some(json!({"tags": []}))),
        (&["opsgenie", "cooldown", "0"], post, "/breaker/opsgenie/cooldown", Some(json!({"cooldown_seconds": 0}))),
        (&["request"], "GET", "/test", None),
        (&["delay", "500ms"], post, "/test/delay", Some(json!({"delay": "500ms"}))),
        (&["scenario"], "GET", "/test/scenarios", None),
        (&["scenario", "high_latency"], post, "/test/trigger", Some(json!({"scenario": "high_latency"}))),
    ];
    let fake = Fake::always(all);
    for (count, (arguments, method, path, body)) in cases.iter().enumerate() {
        let finished = fake.ctl(arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {finished:?}");
        assert!(!finished.stdout.is_empty(), "{arguments:?}: {finished:?}");
        let requests = fake.requests();
        assert_eq!(requests.len(), count + 1, "{arguments:?}");
        let request = requests.last().unwrap();
        assert_eq!((request.method.as_str(), request.path.as_str()), (*method, *path), "{arguments:?}");
        let sent = (!request.body.is_empty()).then(|| serde_json::from_str::<Value>(&request.body).unwrap());
        assert_eq!(sent, *body, "{arguments:?}");
        if body.is_some() {
            assert_eq!(request.header("content-type"), Some("application/json"), "{arguments:?}");
        }
        assert_eq!(request.header("authorization"), None);
    }
}

#[test]
fn a_test_page_that_a_pager_does_not_take_is_a_failure() {
    let fake = Fake::always(json!({
        "delivered": false,
        "sinks": [
            {"sink": "opsgenie", "delivered": true, "error": null},
            {"sink": "webhook-chat", "delivered": false, "error": "pager rejects: status 404"},
        ],
    }));
    let finished = fake.ctl(&["alert", "test"]);
    assert_eq!(finished.stdout, "opsgenie: delivered\nwebhook-chat: pager rejects: status 404\n");
    assert!(
        finished.code != Some(0) && finished.stderr.contains("a pager did not accept the test page"),
        "{finished:?}"
    );
    let fake = Fake::always(json!({"delivered": false, "sinks": []}));
    assert!(fake.ctl(&["alert", "test"]).stderr.contains("no pager is on"));
}

#[test]
fn a_single_value_is_printed_as_set_takes_it_and_all_of_them_as_a_table() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/breaker/enabled" => Answer::Json(200, json!({"enabled": true})),
        "/breaker/memory" => Answer::Json(200, json!({"memory": 82.5})),
        "/breaker/latency" => Answer::Json(200, json!({"latency": 500})),
        "/breaker/latency-window-size" => Answer::Json(200, json!({"latency_window_size": 64, "latency": 64})),
        "/breaker/percentile" => Answer::Json(200, json!({"percentile": 0.95})),
        "/breaker/wait" => Answer::Json(200, json!({"wait": 10})),
        "/breaker/trend-analysis" => Answer::Json(200, json!({"trend_analysis": false})),
        "/breaker/opsgenie/status" => Answer::Json(
            200,
            json!({
                "enabled": false, "priority": "P3", "tags": ["a", "b c"], "cooldown_seconds": 300,
                "trigger_on_breaker_open": true, "trigger_on_breaker_reset": false,
                "trigger_on_memory_threshold": true, "trigger_on_latency_threshold": true,
            }),
        ),
        _ => Answer::Json(404, json!({"error": "no"})),
    });
    assert_eq!(fake.ctl(&["get", "latency"]).stdout, "500\n");
    assert_eq!(fake.ctl(&["get", "opsgenie-tags"]).stdout, "a\nb c\n");
    assert_eq!(fake.ctl(&["get", "memory", "--json"]).stdout, "{\"memory\":82.5}\n");
    let expected = "\
enabled              on
memory               82.5 %
latency              500 ms
latency-window-size  64 calls
percentile           0.95
wait                 10 s
trend-analysis       off
opsgenie-toggle      off
opsgenie-priority    P3
opsgenie-triggers    open=on reset=off memory=on latency=on
opsgenie-tags        a, b c
opsgenie-cooldown    300 s
";
    assert_eq!(fake.ctl(&["get"]).stdout, expected);
    let all: Value = serde_json::from_str(&fake.ctl(&["get", "--json"]).stdout).unwrap();
    assert_eq!(all["wait"], json!({"wait": 10}));
}

#[test]
fn a_change_reports_whether_it_is_saved() {
    let answer = |saved: Value| {
        let mut body = json!({"latency": 500});
        body.as_object_mut().unwrap().extend(saved.as_object().unwrap().clone());
        Fake::always(body).ctl(&["set", "latency", "500"]).stdout
    };
    assert_eq!(answer(json!({"saved": true})), "latency: 500 ms, saved\n");
    assert_eq!(answer(json!({"saved": false, "reason": "no file"})), "latency: 500 ms, not saved: no file\n");
    assert_eq!(answer(json!({})), "latency: 500 ms\n");
}

#[test]
fn a_change_that_is_not_saved_has_an_exit_code_of_its_own() {
    for (saved, code) in [(json!(true), 0), (json!(false), 3), (json!(null), 0)] {
        let body = json!({"latency": 500, "enabled": true, "trip_confidence": 0.9, "saved": saved});
        let fake = Fake::always(body);
        for arguments in [&["set", "latency", "500"][..], &["enable"], &["set", "trip_confidence", "0.9"]] {
            assert_eq!(fake.ctl(arguments).code, Some(code), "{arguments:?} {saved}");
        }
    }
}

#[test]
fn any_live_key_is_read_and_set_by_its_name() {
    let body = json!({
        "trip_confidence": 0.9, "minimum_samples": null, "opsgenie.tags": ["a", "b c"], "max_wait_time": 60, "saved": true
    });
    let fake = Fake::always(body);
    for (arguments, expected) in [
        (&["get", "trip_confidence"][..], "0.9\n"),
        (&["get", "minimum_samples"], "unset\n"),
        (&["get", "opsgenie.tags"], "a\nb c\n"),
        (&["set", "max_wait_time", "60s"], "max_wait_time: 60 s, saved\n"),
        (&["set", "minimum_samples", "unset"], "minimum_samples: not set, saved\n"),
        (&["set", "opsgenie.tags", "a", "b c"], "opsgenie.tags: a, b c, saved\n"),
    ] {
        let finished = fake.ctl(arguments);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), expected), "{arguments:?} {finished:?}");
        let request = fake.requests().pop().unwrap();
        assert_eq!(request.path, "/breaker/settings");
        let sent = match arguments[1] {
            "max_wait_time" => json!({"max_wait_time": 60}),
            "minimum_samples" => json!({"minimum_samples": null}),
            _ => json!({"opsgenie.tags": ["a", "b c"]}),
        };
        match arguments[0] {
            "get" => assert_eq!(request.method, "GET"),
            _ => assert_eq!(serde_json::from_str::<Value>(&request.body).unwrap(), sent),
        }
    }
    let asked = fake.requests().len();
    for arguments in [&["get", "webhook.url"][..], &["get", "state_dir"], &["set", "trip_confidense", "0.9"]] {
        assert_eq!(fake.ctl(arguments).code, Some(1), "{arguments:?}");
    }
    assert_eq!(fake.requests().len(), asked, "no request for a key that is not live");
}

#[test]
fn the_exit_code_is_that_of_the_state() {
    for (state, code) in [("closed", 0), ("disabled", 0), ("open", 2), ("half_open", 2), ("forced_open", 2)] {
        let fake = Fake::always(status(state));
        let finished = fake.ctl(&["status"]);
        assert_eq!(finished.code, Some(code), "{finished:?}");
        let start = format!("default: {}", state.replace('_', " "));
        assert!(finished.stdout.starts_with(&start), "{finished:?}");
        assert!(!finished.stdout.contains('\u{1b}'), "colours without a terminal: {finished:?}");
        let raw = fake.ctl(&["status", "--json"]);
        assert_eq!(raw.code, Some(code));
        assert_eq!(serde_json::from_str::<Value>(&raw.stdout).unwrap(), status(state));
    }
}

#[test]
fn what_is_wrong_with_the_arguments_is_never_the_exit_code_of_an_open_breaker() {
    let fake = Fake::always(json!({}));
    for arguments in
        [&["statsu"] as &[&str], &["get", "nothing"], &["set", "latency"], &["set", "latency", "fast"], &[]]
    {
        let finished = fake.ctl(arguments);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{arguments:?} {finished:?}");
        assert!(!finished.stderr.is_empty());
    }
    assert_eq!(fake.requests(), []);
    assert_eq!(fake.ctl(&["--help"]).code, Some(0));
}

#[test]
fn errors_of_the_api_are_shown_with_what_is_allowed() {
    let cases = [
        (
            400,
            json!({"error": "threshold cannot be 0", "field": "threshold", "allowed": "1 to 9"}),
            "threshold cannot be 0; allowed: 1 to 9 (400)\n",
        ),
        (422, json!({"error": "of another type", "field": "size"}), "size: of another type (422)\n"),
        (409, json!({"error": "the file\u{1b}[2J does not parse"}), "the file\u{fffd}[2J does not parse (409)\n"),
        (404, json!({}), "/breaker/latency: {} (404)\n"),
        (401, json!({"error": "this needs the bearer token"}), "--token-file FILE or in TRIPLINE_TOKEN (401)\n"),
    ];
    for (code, body, expected) in cases {
        let fake = Fake::start(move |_| Answer::Json(code, body.clone()));
        let finished = fake.ctl(&["set", "latency", "0"]);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{finished:?}");
        assert!(finished.stderr.ends_with(expected), "{finished:?}");
    }
}

#[test]
fn what_is_no_answer_of_the_api_is_an_error() {
    let unlike = [
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        "SSH\r\n\r\n",
        "",
    ];
    for text in unlike {
        let fake = Fake::start(move |_| Answer::Raw(text.to_owned()));
        for arguments in [&["status"] as &[&str], &["get", "latency"], &["force-open"], &["memory"], &["latencies"]] {
            let finished = fake.ctl(arguments);
            assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{text:?} {arguments:?} {finished:?}");
            assert!(!finished.stderr.contains("panicked") && finished.stderr.lines().count() == 1, "{finished:?}");
        }
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error_that_names_the_address() {
    // No program listens on port 1, and none is assigned it.
    let url = "http://127.0.0.1:1";
    for command in ["status", "watch", "events", "enable"] {
        let finished = ctl(url, &[command]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.starts_with(&format!("{url}: no connection: ")), "{finished:?}");
    }
}

#[test]
fn an_address_that_is_none_is_rejected_and_not_shown() {
    for url in
        ["localhost:8080", "ftp://localhost", "http://", "http://me:sesame@localhost", "http://localhost?x=sesame"]
    {
        let finished = ctl(url, &["status"]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.starts_with("--url: ") && !finished.stderr.contains("sesame"), "{finished:?}");
    }
}

#[test]
fn a_path_before_the_api_is_kept() {
    let fake = Fake::always(json!({"latency": 5}));
    for url in [format!("{}/orders", fake.url()), format!("{}/orders/", fake.url())] {
        assert_eq!(ctl(&url, &["get", "latency"]).stdout, "5\n");
        assert_eq!(fake.requests().last().unwrap().path, "/orders/breaker/latency");
    }
}

#[test]
fn redirects_are_not_followed() {
    let other = Fake::always(status("closed"));
    let location = format!("HTTP/1.1 302 Found\r\nlocation: {}/\r\ncontent-length: 0\r\n\r\n", other.url());
    let fake = Fake::start(move |_| Answer::Raw(location.clone()));
    for command in ["status", "events", "watch"] {
        let finished = fake.ctl(&[command]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("redirects") && finished.stderr.contains("(302)"), "{finished:?}");
    }
    assert_eq!(other.requests(), []);
}

const TOKEN: &str = "a-token-of-twenty-six-bytes";

#[test]
fn the_token_is_sent_in_its_header_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    let fake = Fake::start(|_| Answer::Json(401, json!({"error": "this needs the bearer token"})));
    let from_file = fake.ctl(&["status", "--token-file", file.to_str().unwrap()]);
    let from_variable = |command: &str| {
        let mut tripline = tripline(folder.path());
        let output =
            tripline.env("TRIPLINE_TOKEN", TOKEN).args(["ctl", "--url", &fake.url(), command]).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(from_file.code, Some(1));
    let (code, told) = from_variable("events");
    assert_eq!(code, Some(1));
    for text in [from_file.stderr, told, from_variable("enable").1] {
        assert!(text.contains("the one that was given is another one") && !text.contains(TOKEN), "{text}");
    }
    let requests = fake.requests();
    // Status and events request the list first.
    assert_eq!(requests.len(), 5);
    for mut request in requests {
        assert_eq!(request.header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
        request.headers.retain(|(name, _)| name != "authorization");
        assert!(!format!("{request:?}").contains(TOKEN), "{request:?}");
    }
}

#[test]
fn a_token_that_cannot_be_sent_is_rejected_and_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::always(status("closed"));
    for content in ["sesame open", "sésame", "  \n"] {
        let file = folder.path().join("token");
        fs::write(&file, content).unwrap();
        let finished = fake.ctl(&["status", "--token-file", file.to_str().unwrap()]);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("--token-file") && finished.stderr.contains("allowed"), "{finished:?}");
        assert!(!finished.stderr.contains("same"), "{finished:?}");
    }
    assert_eq!(fake.ctl(&["status", "--token-file", "/no/such/file"]).code, Some(1));
    assert_eq!(fake.requests(), []);
}

#[test]
fn reset_does_not_ask_without_a_terminal() {
    let fake = Fake::always(status("open"));
    let finished = run_with_input(std::path::Path::new("."), &["ctl", "--url", &fake.url(), "reset"], "y\n");
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("--yes"), "{finished:?}");
    assert_eq!(fake.requests(), []);
}

#[test]
fn memory_and_alerts_read_well() {
    let fake = Fake::start(|request| match request.path.as_str() {
        "/breaker/memory-usage" => Answer::Json(200, json!({"memory_usage": 536_870_912})),
        "/breaker/memory-limit" => Answer::Json(200, json!({"memory_limit": 1_073_741_824})),
        _ => Answer::Json(200, json!({"enabled": true, "pending_alerts": [{"kind": "circuit-open"}], "tags": []})),
    });
    let expected = "used   512 MiB (536870912 bytes)\nlimit  1024 MiB (1073741824 bytes)\nshare  50 %\n";
    assert_eq!(fake.ctl(&["memory"]).stdout, expected);
    let alerts = fake.ctl(&["staged-alerts"]).stdout;
    assert!(alerts.contains("pending_alerts  1 in all\n  1.\n    kind        circuit-open\n"), "{alerts}");
    let unknown = Fake::always(json!({"memory_usage": null, "memory_limit": null}));
    assert_eq!(unknown.ctl(&["memory"]).stdout, "used   unknown\nlimit  unknown\n");
}

#[test]
fn completions_know_the_commands_of_every_shell() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let finished = ctl("http://127.0.0.1:1", &["completions", shell]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        for word in ["replay", "ctl", "force-open", "opsgenie"] {
            assert!(finished.stdout.contains(word), "no {word} for {shell}");
        }
        if ["bash", "zsh"].contains(&shell) {
            assert!(finished.stdout.contains("latency-window-size"), "no parameters for {shell}");
        }
    }
}

#[test]
fn completions_and_answers_may_have_no_reader() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::always(status("closed"));
    for command in ["completions", "status"] {
        let mut command = ["ctl", "--url", &fake.url(), command].map(str::to_owned).to_vec();
        if command.contains(&"completions".to_owned()) {
            command.push("bash".to_owned());
        }
        let mut child = support::tripline_unread(folder.path()).args(&command).spawn().unwrap();
        assert_eq!(wait(&mut child).code(), Some(0), "{command:?}");
    }
}
