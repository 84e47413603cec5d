//! The metrics page follows Prometheus' conventions, and contains every metric that the dashboard and the alert rules
//! use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use crate::http_support;
use crate::metrics_page;
use crate::support;

use std::collections::BTreeSet;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use metrics_page::{Family, lint, parse};
use serde_json::Value;
use support::{QUICK, Server};
use tripline_backends::api::{ApiState, router};
use tripline_backends::circuit::{Circuit, Circuits};
use tripline_runtime::core::{Latency, Outcome, Policy, StateKind};
use tripline_runtime::test_util::{Subject, World};
use tripline_runtime::{Breaker, BreakerName};

const DASHBOARD: &str = include_str!("../../../observability/grafana-dashboard.json");
const ALERT_RULES: &str = include_str!("../../../observability/alert-rules.yml");

/// A supervised breaker, and one with a histogram.
struct Page {
    world: World,
    supervised: Subject,
    timed: Breaker,
    router: Router,
}

impl Page {
    fn new() -> Self {
        let world = World::new(1);
        let mut policy = Policy::default();
        policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
        policy.latency_threshold = Latency::from_millis(300);
        policy.wait_time = Duration::from_secs(10);
        policy.half_open_max_calls = 2;
        let supervised = world.breaker(policy.clone()).unwrap();
        let timed = Breaker::builder(world.clock()).name(BreakerName::new("timed").unwrap()).policy(policy);
        let timed = timed.latency_histogram(true).build().unwrap();
        let circuits = Circuits::new();
        circuits.insert(Circuit::new(supervised.breaker.clone())).unwrap();
        circuits.insert(Circuit::new(timed.clone())).unwrap();
        let router = router(ApiState::new(circuits, ([127, 0, 0, 1], 8080).into())).unwrap();
        Self { world, supervised, timed, router }
    }

    fn text(&self) -> String {
        http_support::send(&self.router, Request::get("/metrics").body(Body::empty()).unwrap()).text
    }

    /// The value of a metric of the breaker `timed`.
    #[track_caller]
    fn value(&self, name: &str, label: &str, word: &str) -> f64 {
        let families = parse(&self.text()).unwrap();
        let mut all = families.iter().flat_map(|family| &family.series);
        let is_it = |labels: &std::collections::BTreeMap<String, String>| {
            labels.get("breaker").is_some_and(|breaker| breaker == "timed")
                && (label.is_empty() || labels.get(label).is_some_and(|found| found == word))
        };
        all.find(|series| series.name == name && is_it(&series.labels)).expect(name).value
    }

    #[track_caller]
    fn assert_conventional(&self) {
        let text = self.text();
        assert_eq!(lint(&text), [""; 0], "{text}");
    }

    fn call(&self, millis: u64) -> bool {
        let latency = Duration::from_millis(millis);
        let admitted = self.world.request(&self.timed, latency, Outcome::Ok);
        self.world.advance(latency);
        admitted
    }
}

#[test]
fn the_page_keeps_the_conventions_whatever_the_breakers_do() {
    let page = Page::new();
    page.assert_conventional();
    assert!(page.call(40));
    page.assert_conventional();
    while page.call(400) {}
    page.supervised.memory.set_percent(95);
    page.world.advance(Duration::from_secs(2));
    page.assert_conventional();
    assert_eq!(page.supervised.breaker.read(|core| core.state().kind()), StateKind::Open);
    page.timed.force_open();
    page.supervised.breaker.disable();
    page.assert_conventional();
}

#[test]
fn rejections_by_reason_probes_and_the_histogram_show_what_happened() {
    let page = Page::new();
    let mut calls = 0;
    while page.call(400) {
        calls += 1;
    }
    for _ in 0..2 {
        assert!(!page.call(400));
    }
    let refused = |reason| page.value("tripline_refused_calls_total", "reason", reason);
    assert_eq!((refused("latency"), refused("probing"), refused("forced_open")), (3.0, 0.0, 0.0));

    page.world.advance(Duration::from_secs(60));
    let probes = || (page.value("tripline_probes_admitted", "", ""), page.value("tripline_probes_good", "", ""));
    assert_eq!(probes(), (0.0, 0.0));
    assert!(page.call(20));
    let _probe = page.timed.try_start().unwrap();
    assert!(!page.call(20));
    assert_eq!(probes(), (2.0, 1.0));
    page.timed.force_open();
    assert!(!page.call(20));
    assert_eq!((refused("latency"), refused("probing"), refused("forced_open")), (3.0, 1.0, 1.0));
    assert_eq!(probes(), (0.0, 0.0));

    let within = |bound| page.value("tripline_call_duration_seconds_bucket", "le", bound);
    assert_eq!((within("0.01"), within("0.025"), within("0.25")), (0.0, 1.0, 1.0));
    assert_eq!((within("0.5"), within("+Inf")), (f64::from(calls) + 1.0, f64::from(calls) + 1.0));
    let count = page.value("tripline_call_duration_seconds_count", "", "");
    assert_eq!((count, within("60")), (f64::from(calls) + 1.0, f64::from(calls) + 1.0));
    let sum = page.value("tripline_call_duration_seconds_sum", "", "");
    assert!((sum - 0.4 * f64::from(calls) - 0.02).abs() < 1e-9, "{sum}");
}

#[test]
fn the_page_of_the_running_server_keeps_the_conventions_and_has_all_that_the_examples_ask_for() {
    let kept = tempfile::tempdir().unwrap();
    let server = Server::start(&format!("{QUICK}state_dir = {:?}\n", kept.path()));
    for _ in 0..5 {
        assert_eq!(server.get("/test").status, 200);
    }
    server.trigger("high_latency");
    server.rejected();
    let text = server.get("/metrics").body;
    assert_eq!(lint(&text), [""; 0], "{text}");

    let families = parse(&text).unwrap();
    let mut expressions = Vec::new();
    collect_expressions(&serde_json::from_str(DASHBOARD).unwrap(), &mut expressions);
    assert!(expressions.len() >= 20, "{expressions:?}");
    for expression in &expressions {
        assert!(!selectors(expression).is_empty(), "asks for nothing: {expression}");
        assert_asks_for_what_is_there(&families, expression);
    }
    for name in families.iter().filter(|family| family.name.starts_with("tripline_")).map(|family| &family.name) {
        let is_shown = |expression: &String| selectors(expression).iter().any(|(shown, _)| shown.starts_with(name));
        assert!(expressions.iter().any(is_shown), "not on the dashboard: {name}");
    }
    let rules: Vec<&str> = ALERT_RULES.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    assert_asks_for_what_is_there(&families, &rules.join("\n"));
}

#[test]
fn the_dashboard_is_whole() {
    let dashboard: Value = serde_json::from_str(DASHBOARD).unwrap();
    assert!(dashboard["title"].is_string() && dashboard["schemaVersion"].is_u64());
    let variables: Vec<String> =
        dashboard["templating"]["list"].as_array().unwrap().iter().map(|v| text(&v["name"])).collect();
    assert_eq!(variables, ["datasource", "breaker", "instance"]);
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        assert!(ids.insert(panel["id"].as_u64().unwrap()) && !text(&panel["title"]).is_empty(), "{panel}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(taken.insert(cell), "over another panel: {panel}");
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(!text(&panel["description"]).is_empty(), "{panel}");
        let mut names = BTreeSet::new();
        for target in panel["targets"].as_array().unwrap() {
            assert!(names.insert(text(&target["refId"])) && !text(&target["expr"]).is_empty(), "{panel}");
            assert_eq!(target["datasource"]["uid"], "${datasource}");
        }
        assert!(!names.is_empty(), "{panel}");
    }
}

#[track_caller]
fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Collects all queries of a dashboard.
fn collect_expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field.as_str().filter(|_| ["expr", "definition"].contains(&key.as_str())) {
                    Some(expression) => found.push(expression.to_owned()),
                    None => collect_expressions(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_expressions(item, found)),
        _ => {}
    }
}

/// The metrics of an expression, each with its label matchers.
fn selectors(expression: &str) -> Vec<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let mut found = Vec::new();
    let mut rest = expression;
    while let Some(at) = ["tripline_", "process_"].iter().filter_map(|prefix| rest.find(prefix)).min() {
        let (_, from) = rest.split_at(at);
        let (name, after) = from.split_at(from.find(|c| !is_part(c)).unwrap_or(from.len()));
        let braces = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        found.push((name, braces.map_or("", |(inner, _)| inner)));
        rest = after;
    }
    found
}

/// Prefix of the alert metrics, which exist only with a dispatcher.
const OF_ALERTS: &str = "tripline_alert";
/// Metrics without a series while memory is not forecast to run out, if the memory source names no level, if `trip_confidence` is
/// 0, or if `trip_after` is "auto".
const MAY_BE_EMPTY: [&str; 4] = [
    "tripline_memory_exhausted_in_seconds",
    "tripline_memory_level",
    "tripline_trip_tolerance_seconds",
    "tripline_trip_after_seconds",
];

/// Labels that Prometheus adds to every series.
const OF_PROMETHEUS: [&str; 2] = ["instance", "job"];

#[track_caller]
fn assert_asks_for_what_is_there(families: &[Family], text: &str) {
    let shows_alerts = families.iter().any(|family| family.name.starts_with(OF_ALERTS));
    for (name, matchers) in selectors(text) {
        if name.starts_with(OF_ALERTS) && !shows_alerts {
            continue;
        }
        let is_of = |family: &&Family| {
            let suffix = name.strip_prefix(family.name.as_str());
            suffix == Some("") || (family.kind == "histogram" && matches!(suffix, Some("_bucket" | "_sum" | "_count")))
        };
        let family = families.iter().find(is_of).unwrap_or_else(|| panic!("no metric {name}: {text}"));
        if MAY_BE_EMPTY.contains(&name) && family.series.is_empty() {
            continue;
        }
        for matcher in matchers.split(',').filter(|matcher| !matcher.is_empty()) {
            let (label, words) = matcher.split_once(['=', '~', '!']).unwrap();
            if OF_PROMETHEUS.contains(&label) {
                continue;
            }
            let known: BTreeSet<&String> = family.series.iter().filter_map(|series| series.labels.get(label)).collect();
            assert!(!known.is_empty(), "no label {label} of {name}: {text}");
            let words = words.trim_start_matches(['=', '~']).trim_matches('"');
            for word in words.split('|').filter(|word| !word.starts_with('$')) {
                assert!(known.iter().any(|known| *known == word), "no {label}=\"{word}\" of {name}: {text}");
            }
        }
    }
}

#[test]
fn the_linter_sees_what_is_wrong() {
    let head = "# HELP tripline_x_total Calls.\n# TYPE tripline_x_total counter\n";
    let fine = format!("{head}tripline_x_total{{breaker=\"a\"}} 1\n");
    assert_eq!(lint(&fine), [""; 0]);
    let histogram = |buckets: &str, rest: &str| {
        let buckets: Vec<&str> = buckets.split(' ').collect();
        let lines = buckets.iter().zip(["0.1", "1", "+Inf"]);
        let lines =
            lines.map(|(calls, le)| format!("tripline_y_seconds_bucket{{breaker=\"a\",le=\"{le}\"}} {calls}\n"));
        let lines: String = lines.collect();
        format!("# HELP tripline_y_seconds Y.\n# TYPE tripline_y_seconds histogram\n{lines}{rest}")
    };
    let total = "tripline_y_seconds_sum{breaker=\"a\"} 1.5\ntripline_y_seconds_count{breaker=\"a\"} 3\n";
    assert_eq!(lint(&histogram("1 1 3", total)), [""; 0]);
    for (page, problem) in [
        (format!("{fine}{fine}"), "described twice"),
        (format!("{fine}tripline_x_total{{breaker=\"a\"}} 2\n"), "twice:"),
        (format!("{fine}tripline_x_total{{breaker=\"b\",reason=\"c\"}} 2\n"), "other labels"),
        (format!("{fine}tripline_z_total{{breaker=\"b\"}} 2\n"), "among its series"),
        (format!("{head}tripline_x_total 1\n"), "which breaker"),
        (format!("{head}tripline_x_total{{breaker=\"a\"}} 1.5\n"), "the value"),
        (format!("{head}tripline_x_total{{Breaker=\"a\"}} 1\n"), "the label Breaker"),
        (format!("{head}tripline_x_total{{breaker=\"a\"}}\n"), "no series"),
        (fine.replace("_total", ""), "without _total"),
        (fine.replace("counter", "gauge"), "no counter"),
        (fine.replace("_x_", "_x_ms_"), "no base unit"),
        (fine.replace("tripline_", "other_"), "whose"),
        (fine.replace("Calls.", "Calls"), "no sentence"),
        (fine.replace("# TYPE tripline_x_total counter\n", ""), "before its type"),
        (histogram("1 1 2", total), "not all of them"),
        (histogram("2 1 3", total), "do not ascend"),
        (histogram("1 3", total), "not all of them"),
        (histogram("1 1 3", ""), "no count"),
        (histogram("0 0 0", &total.replace(" 3", " 0")), "a sum of nothing"),
    ] {
        let problems = lint(&page);
        assert!(problems.iter().any(|found| found.contains(problem)), "{problem:?} not in {problems:?} of\n{page}");
    }
}
