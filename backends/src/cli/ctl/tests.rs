#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

use clap::Parser as _;
use serde_json::{Value, json};

use super::super::Cli;
use super::setting::{Change, Setting};
use super::status::StatusView;

/// Rows of the table in the documentation: the command of go-breaker's client, and its replacement.
fn table() -> Vec<(&'static str, &'static str)> {
    let rows = include_str!("mod.rs").lines().filter_map(|line| line.strip_prefix("//! | `")?.strip_suffix("` |"));
    rows.filter_map(|row| row.rsplit_once(" | `")).collect()
}

#[test]
fn every_verb_of_the_original_is_one_here() {
    let verbs = [
        "memory",
        "latency",
        "latency_window_size",
        "percentile",
        "wait_time",
        "memory_usage",
        "set_memory",
        "set_latency",
        "set_latency_window_size",
        "set_percentile",
        "set_wait_time",
        "get_latencies",
        "reset",
        "request",
        "set_delay",
        "-a get",
        "-g",
        "-m",
        "-l",
        "-w",
        "-p",
        "-e",
    ];
    let table = table();
    for verb in verbs {
        let has = |original: &str| {
            original
                .replace(['`', '('], " ")
                .split(' ')
                .collect::<Vec<_>>()
                .windows(verb.split(' ').count())
                .any(|words| words.join(" ") == verb)
        };
        assert!(table.iter().any(|(original, _)| has(original)), "no {verb} in {table:#?}");
    }
}

#[test]
fn every_row_of_the_table_is_a_command() {
    let table = table();
    assert!(table.len() >= 24, "{table:#?}");
    for (original, ours) in table {
        let words = std::iter::once("tripline").chain(ours.split(' '));
        let parsed = Cli::try_parse_from(words);
        assert!(parsed.is_ok(), "{original}: {ours}: {}", parsed.unwrap_err());
    }
}

#[test]
fn the_name_of_a_setting_is_what_the_command_line_calls_it() {
    for setting in Setting::ALL {
        let parsed = Cli::try_parse_from(["tripline", "ctl", "get", setting.name()]);
        assert!(parsed.is_ok(), "{}", parsed.unwrap_err());
    }
}

#[track_caller]
fn change(setting: Setting, given: &[&str]) -> Change {
    let given: Vec<_> = given.iter().map(|text| (*text).to_owned()).collect();
    setting.change(&given).unwrap()
}

#[test]
fn a_change_is_what_the_api_takes() {
    let cases: [(Setting, &[&str], &str, Value); 17] = [
        (Setting::Memory, &["85.5"], "/breaker/memory", json!({"threshold": 85.5})),
        (Setting::Memory, &["85 %"], "/breaker/memory", json!({"threshold": 85})),
        (Setting::Latency, &["500"], "/breaker/latency", json!({"threshold": 500})),
        (Setting::Latency, &["500ms"], "/breaker/latency", json!({"threshold": 500})),
        (Setting::Latency, &["-5"], "/breaker/latency", json!({"threshold": -5})),
        (Setting::LatencyWindowSize, &["64"], "/breaker/latency-window-size", json!({"size": 64})),
        (Setting::Percentile, &["0.95"], "/breaker/percentile", json!({"percentile": 0.95})),
        (Setting::Percentile, &["95%"], "/breaker/percentile", json!({"percentile": 95})),
        (Setting::Wait, &["10s"], "/breaker/wait", json!({"wait_time": 10})),
        (Setting::TrendAnalysis, &["on"], "/breaker/trend-analysis", json!({"enabled": true})),
        (Setting::OpsgenieToggle, &["off"], "/breaker/opsgenie/toggle", json!({"enabled": false})),
        (Setting::OpsgeniePriority, &["p2"], "/breaker/opsgenie/priority", json!({"priority": "P2"})),
        (
            Setting::OpsgenieTriggers,
            &["open=on", "trigger_on_breaker_reset=false"],
            "/breaker/opsgenie/triggers",
            json!({"trigger_on_breaker_open": true, "trigger_on_breaker_reset": false}),
        ),
        (Setting::OpsgenieTags, &["a b", "c"], "/breaker/opsgenie/tags", json!({"tags": ["a b", "c"]})),
        (Setting::OpsgenieTags, &[""], "/breaker/opsgenie/tags", json!({"tags": []})),
        (Setting::OpsgenieCooldown, &["0"], "/breaker/opsgenie/cooldown", json!({"cooldown_seconds": 0})),
        (Setting::OpsgenieCooldown, &["300s"], "/breaker/opsgenie/cooldown", json!({"cooldown_seconds": 300})),
    ];
    for (setting, given, path, body) in cases {
        assert_eq!(change(setting, given), Change { path, body: Some(body) }, "{setting:?} {given:?}");
    }
    assert_eq!(change(Setting::Enabled, &["on"]), Change { path: "/breaker/enabled", body: None });
    assert_eq!(change(Setting::Enabled, &["false"]), Change { path: "/breaker/disabled", body: None });
}

#[test]
fn an_invalid_value_is_rejected_with_what_is_allowed() {
    let cases = [
        (Setting::Latency, "fast", "latency cannot be \"fast\"; allowed: 1 to 4294967 (milliseconds)"),
        (Setting::Latency, "5 s", "latency cannot be \"5 s\"; allowed: 1 to 4294967 (milliseconds)"),
        (Setting::Wait, "nan", "wait cannot be \"nan\"; allowed: 1 to 3600 (seconds)"),
        (Setting::TrendAnalysis, "maybe", "trend-analysis cannot be \"maybe\"; allowed: on or off"),
        (Setting::OpsgenieTriggers, "open", "opsgenie-triggers cannot be \"open\"; allowed: open, reset, memory"),
        (Setting::OpsgenieTriggers, "shut=on", "opsgenie-triggers cannot be \"shut=on\"; allowed: open, reset, memory"),
    ];
    for (setting, given, expected) in cases {
        let failure = setting.change(&[given.to_owned()]).unwrap_err().to_string();
        assert!(failure.starts_with(expected), "{failure}");
    }
    assert!(Setting::Latency.change(&["1".to_owned(), "2".to_owned()]).is_err());
}

#[test]
fn what_get_answers_can_be_set() {
    let body = json!({
        "enabled": true, "memory": 82.5, "latency_window_size": 64, "percentile": 0.95, "wait": 10, "latency": 700,
        "trend_analysis": false, "priority": "P3", "tags": ["a", "b"], "cooldown_seconds": 300,
        "trigger_on_breaker_open": true, "trigger_on_breaker_reset": false, "trigger_on_memory_threshold": true,
        "trigger_on_latency_threshold": false,
    });
    for setting in Setting::ALL {
        let value = setting.value(&body).unwrap();
        let separator = if setting == Setting::OpsgenieTags { '\n' } else { ' ' };
        let words: Vec<_> = value.split(separator).collect();
        assert!(setting.change(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>()).is_ok(), "{value}");
        assert_eq!(setting.value(&json!({})), None, "{setting:?}");
    }
    assert_eq!(Setting::OpsgenieTriggers.value(&body).unwrap(), "open=on reset=off memory=on latency=off");
}

fn status() -> Value {
    json!({
        "name": "default", "enabled": true, "triggered": false, "state": "closed", "trip_reason": null,
        "retry_after_ms": null, "last_trip_time": null, "memory_ok": true, "current_memory_usage_mb": 512,
        "memory_threshold_percent": 80, "total_memory_mb": 1024, "memory_usage_percent": 50, "memory_exhausted_in_seconds": null, "latency_ok": true,
        "breach": false, "current_percentile_ms": 20.27, "latency_threshold_ms": 1500,
        "latency_percent_of_threshold": 1.3, "percentile_value": 0.95, "latency_window_size": 64, "samples": 3,
        "wait_time_seconds": 10, "recent_latencies_ms": [20, 10, 40], "trend_analysis_enabled": true,
        "trend_analysis_min_sample_count": 10, "has_positive_trend": false, "trend": "too_few", "in_flight": 2,
        "stalled": 0, "memory_source": "cgroup", "supervisor": "running", "config_error": null
    })
}

fn with(changes: Value) -> StatusView {
    let mut body = status();
    for (field, value) in changes.as_object().unwrap() {
        body[field] = value.clone();
    }
    StatusView::read(&body).unwrap()
}

fn text(seen: &StatusView) -> String {
    seen.lines(60, false).iter().map(|line| line.render(200, false) + "\n").collect()
}

#[test]
fn a_status_reads_well() {
    let expected = "\
default: closed

latency    p95 20.3 ms, ok, threshold 1500 ms
trend      too few, and it decides
window     3 of 64 samples
memory     50 %, ok, 512 of 1024 MiB, threshold 80 % (cgroup)
calls      2 in flight, 0 stalled
wait       10 s
recent     ▄▂█  10 to 40 ms
";
    assert_eq!(text(&with(json!({}))), expected);
}

#[test]
fn what_moves_has_a_bar_while_it_is_watched() {
    let lines: Vec<_> = with(json!({})).lines(80, true).iter().map(|line| line.render(80, false)).collect();
    assert_eq!(lines[2], "latency    [--------|-----] p95 20.3 ms, ok, threshold 1500 ms");
    assert_eq!(lines[5], "memory     [#######---|---] 50 %, ok, 512 of 1024 MiB, threshold 80 % (cgroup)");
}

#[test]
fn a_status_of_trouble_shows_it() {
    let open = with(json!({
        "state": "open", "triggered": true, "trip_reason": "latency_rising", "retry_after_ms": 6001, "breach": true,
        "memory_usage_percent": null, "memory_ok": null, "memory_source": null, "in_flight": null, "stalled": null,
        "recent_latencies_ms": [], "current_percentile_ms": null, "last_trip_time": "2026-01-02T03:04:05.006Z",
        "alert_problem": "pager rejects: 403 (opsgenie, circuit-open: no\u{1b}access)", "incident_ends_in_seconds": 40,
        "supervisor": "not running", "config_error": "breakers.toml:1: bad\nbreakers.toml:2: worse",
    }));
    let text = text(&open);
    for line in [
        "default: open, because of latency rising; next try in 7 s",
        "latency    p95 no calls, in breach, threshold 1500 ms",
        "memory     unknown, threshold 80 % (no source)",
        "calls      those in flight are not tracked",
        "last trip  2026-01-02T03:04:05.006Z",
        "recent     no calls",
        "supervisor not running",
        "incident   ends in 40 s if all stays well",
        "alerts     pager rejects: 403 (opsgenie, circuit-open: no\u{fffd}access)",
        "config     breakers.toml:1: bad",
        "           breakers.toml:2: worse",
    ] {
        assert!(text.lines().any(|shown| shown == line), "no {line:?} in\n{text}");
    }
}

#[test]
fn memory_that_runs_out_is_shown_with_its_time() {
    let seen = with(json!({"memory_exhausted_in_seconds": 40}));
    let line = "memory     50 %, ok, runs out in 40 s, 512 of 1024 MiB, threshold 80 % (cgroup)";
    assert!(text(&seen).lines().any(|shown| shown == line), "{}", text(&seen));
    assert!(seen.short().contains("memory 50 %, runs out in 40 s;"), "{}", seen.short());
    let later = with(json!({"memory_exhausted_in_seconds": 39}));
    assert!(!later.matters_beside(&seen));
}

#[test]
fn figures_that_only_move_do_not_matter_and_decisions_do() {
    let before = with(json!({}));
    let moved = with(json!({
        "current_percentile_ms": 21, "recent_latencies_ms": [1], "samples": 4, "in_flight": 9, "memory_usage_percent": 51,
        "current_memory_usage_mb": 513, "retry_after_ms": 3,
    }));
    assert!(!moved.matters_beside(&before));
    for change in [
        json!({"state": "open"}),
        json!({"trend": "rising"}),
        json!({"breach": true}),
        json!({"stalled": 1}),
        json!({"memory_ok": false}),
        json!({"memory_exhausted_in_seconds": 40}),
        json!({"latency_threshold_ms": 1}),
        json!({"incident_ends_in_seconds": 40}),
        json!({"alert_problem": "pager rejects: 403"}),
        json!({"config_error": "x"}),
    ] {
        assert!(with(change.clone()).matters_beside(&before), "{change}");
    }
    let ends = |seconds: u32| with(json!({"incident_ends_in_seconds": seconds}));
    assert!(!ends(39).matters_beside(&ends(40)));
    assert!(!with(json!({"stalled": 1})).matters_beside(&with(json!({"stalled": 2}))));
}

#[test]
fn an_event_may_be_a_status_or_have_one() {
    assert!(StatusView::of_event(&status().to_string()).is_some());
    assert!(StatusView::of_event(&json!({"status": status(), "n": 1}).to_string()).is_some());
    for other in ["", "ping", "7", r#"{"state":"open","triggered":true}"#] {
        assert!(StatusView::of_event(other).is_none(), "{other}");
    }
}
