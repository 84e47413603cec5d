#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::core::{Latency, MemorySample, Outcome, Policy};
use tripline_runtime::test_util::{MemoryStore, RecordingSink, World};
use tripline_runtime::{Breaker, BreakerName, DeliveryError, Mode, Registry, SupervisedBreaker, supervise};

use super::*;

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
    policy.latency_threshold = Latency::from_millis(300);
    policy
}

fn line<'t>(text: &'t str, series: &str) -> Option<&'t str> {
    text.lines().find_map(|line| line.strip_prefix(series)).map(str::trim)
}

#[test]
fn every_figure_of_a_breaker_is_there() {
    let world = World::new(1);
    let subject = world.breaker(policy()).unwrap();
    let registry = Registry::new();
    registry.insert(subject.breaker.clone()).unwrap();
    world.request(&subject.breaker, Duration::from_millis(250), Outcome::Ok);
    world.request(&subject.breaker, Duration::from_millis(50), Outcome::Failed);
    world.request(&subject.breaker, Duration::from_secs(50), Outcome::Ok);
    world.advance(Duration::from_millis(1_000));
    let text = render(&registry.breakers(), None, Some(4_096));
    for (series, value) in [
        (r#"tripline_state{breaker="default",state="closed"}"#, "1"),
        (r#"tripline_state{breaker="default",state="open"}"#, "0"),
        (r#"tripline_calls_total{breaker="default",outcome="ok"}"#, "1"),
        (r#"tripline_calls_total{breaker="default",outcome="failed"}"#, "1"),
        (r#"tripline_calls_total{breaker="default",outcome="dropped"}"#, "0"),
        (r#"tripline_slow_calls_total{breaker="default"}"#, "0"),
        (r#"tripline_refused_calls_total{breaker="default",reason="probing"}"#, "0"),
        (r#"tripline_dropped_reports_total{breaker="default"}"#, "0"),
        (r#"tripline_trips_total{breaker="default",reason="latency"}"#, "0"),
        (r#"tripline_latency_percentile_seconds{breaker="default"}"#, "0.25"),
        (r#"tripline_latency_threshold_seconds{breaker="default"}"#, "0.3"),
        (r#"tripline_window_samples{breaker="default"}"#, "2"),
        (r#"tripline_memory_known{breaker="default"}"#, "1"),
        (r#"tripline_memory_used_bytes{breaker="default"}"#, "536870912"),
        (r#"tripline_memory_limit_bytes{breaker="default"}"#, "1073741824"),
        (r#"tripline_memory_threshold_ratio{breaker="default"}"#, "0.8"),
        (r#"tripline_calls_in_flight{breaker="default"}"#, "1"),
        (r#"tripline_calls_stalled{breaker="default"}"#, "1"),
        (r#"tripline_supervised{breaker="default"}"#, "1"),
        ("process_resident_memory_bytes", "4096"),
    ] {
        assert_eq!(line(&text, series), Some(value), "{series} in\n{text}");
    }
}

#[test]
fn a_trip_and_a_rejection_are_counted() {
    let world = World::new(1);
    let subject = world.breaker(policy()).unwrap();
    let registry = Registry::new();
    registry.insert(subject.breaker.clone()).unwrap();
    subject.memory.set_percent(90);
    world.advance(Duration::from_secs(1));
    assert!(subject.breaker.try_start().is_err());
    let text = render(&registry.breakers(), None, None);
    assert_eq!(line(&text, r#"tripline_state{breaker="default",state="open"}"#), Some("1"));
    assert_eq!(line(&text, r#"tripline_trips_total{breaker="default",reason="memory"}"#), Some("1"));
    assert_eq!(line(&text, r#"tripline_refused_calls_total{breaker="default",reason="memory"}"#), Some("1"));
    assert_eq!(line(&text, r#"tripline_would_reject_total{breaker="default",reason="memory"}"#), Some("0"));
    assert_eq!(line(&text, r#"tripline_observing{breaker="default"}"#), Some("0"));
}

#[test]
fn in_observe_mode_a_rejection_counts_as_one_that_would_be() {
    let world = World::new(1);
    let subject = world.breaker(policy()).unwrap();
    subject.breaker.set_mode(Mode::Observe);
    subject.memory.set_percent(90);
    world.advance(Duration::from_secs(1));
    assert!(subject.breaker.try_start().is_err());
    let text = render(std::slice::from_ref(&subject.breaker), None, None);
    assert_eq!(line(&text, r#"tripline_refused_calls_total{breaker="default",reason="memory"}"#), Some("0"));
    assert_eq!(line(&text, r#"tripline_would_reject_total{breaker="default",reason="memory"}"#), Some("1"));
    assert_eq!(line(&text, r#"tripline_observing{breaker="default"}"#), Some("1"));
}

#[test]
fn the_level_of_the_memory_figures_is_a_label() {
    let world = World::new(1);
    let subject = world.breaker(Policy::default()).unwrap();
    let registry = Registry::new();
    registry.insert(subject.breaker.clone()).unwrap();
    subject.memory.set_level(Some("memory.max of /pod \"1\""));
    world.advance(Duration::from_secs(1));
    let text = render(&registry.breakers(), None, None);
    let series = r#"tripline_memory_level{breaker="default",level="memory.max of /pod \"1\""}"#;
    assert_eq!(line(&text, series), Some("1"), "{text}");
}

#[test]
fn the_time_until_memory_is_exhausted_is_there_while_it_is_forecast() {
    let world = World::new(1);
    let mut policy = policy();
    policy.memory_horizon = Duration::from_secs(60);
    let subject = world.breaker(policy).unwrap();
    let registry = Registry::new();
    registry.insert(subject.breaker.clone()).unwrap();
    let series = r#"tripline_memory_exhausted_in_seconds{breaker="default"}"#;
    let read = |used: u64| {
        subject.memory.set(Some(MemorySample { used, limit: Some(1_000) }));
        world.advance(Duration::from_millis(500));
        line(&render(&registry.breakers(), None, None), series).map(|value| value.parse::<f64>().unwrap())
    };
    assert!((0..300).all(|_| read(400).is_none()));
    let left = (1..=160).fold(None, |_, reading| read(400 + reading * 5 / 2)).unwrap();
    assert!((36.0..42.0).contains(&left), "{left}");
}

#[test]
fn what_is_unknown_is_left_out_and_said_to_be_unknown() {
    let world = World::new(1);
    let registry = Registry::new();
    registry.insert(Breaker::builder(world.clock()).stall_detection(false).build().unwrap()).unwrap();
    let text = render(&registry.breakers(), None, None);
    for absent in [
        "tripline_memory_used_bytes{",
        "tripline_memory_limit_bytes{",
        "tripline_memory_level{",
        "tripline_memory_exhausted_in_seconds{",
        "tripline_latency_percentile_seconds{",
        "tripline_call_duration_seconds",
        "tripline_calls_in_flight{",
        "tripline_calls_stalled{",
        "process_resident_memory_bytes",
    ] {
        assert!(!text.contains(absent), "{absent} in\n{text}");
    }
    assert_eq!(line(&text, r#"tripline_memory_known{breaker="default"}"#), Some("0"));
    assert_eq!(line(&text, r#"tripline_supervised{breaker="default"}"#), Some("0"));
}

#[track_caller]
fn assert_described_once_and_together(text: &str) {
    let mut seen = BTreeSet::new();
    let mut current = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            current = rest.split(' ').next().unwrap();
            assert!(seen.insert(current), "{current} twice");
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let kind = if current.ends_with("_total") { "counter" } else { "gauge" };
            assert_eq!(rest, format!("{current} {kind}"));
        } else {
            let series = line.split(' ').next().unwrap();
            assert!(series.starts_with(&format!("{current}{{breaker=\"")), "{line} under {current}");
        }
    }
}

#[test]
fn each_metric_is_described_once_and_its_series_stand_together() {
    let world = World::new(1);
    let registry = Registry::new();
    for name in ["b", "a"] {
        let builder = Breaker::builder(world.clock()).name(BreakerName::new(name).unwrap());
        registry.insert(builder.build().unwrap()).unwrap();
    }
    let text = render(&registry.breakers(), None, None);
    assert_described_once_and_together(&text);
    assert!(text.find(r#"{breaker="a"}"#) < text.find(r#"{breaker="b"}"#));
}

#[test]
fn what_became_of_alerts_is_counted_by_breaker_sink_kind_and_stage() {
    let world = World::new(1);
    let breaker = Breaker::builder(world.clock()).policy(policy()).build().unwrap();
    let store = Arc::new(MemoryStore::default());
    let (fine, dead) = (RecordingSink::default(), RecordingSink::named("the \"other\" one"));
    dead.set_down(Some(DeliveryError::Retryable { after: None, reason: "down".into() }));
    let watch = SupervisedBreaker::new(breaker.clone()).sink(Arc::new(fine)).sink(Arc::new(dead)).store(store.clone());
    let (supervisor, dispatcher, _stop) = supervise(world.clock(), [watch], 1);
    let stats = dispatcher.stats();
    world.spawn(supervisor.run());
    world.spawn(async {
        dispatcher.run().await;
    });
    breaker.simulate_latency();
    world.run_until_idle();
    let registry = Registry::new();
    registry.insert(breaker.clone()).unwrap();
    let text = render(&registry.breakers(), Some(&stats), None);
    for (series, value) in [
        (r#"tripline_alerts_sent_total{breaker="default",sink="recording",kind="circuit-open",stage="single"}"#, "1"),
        (r#"tripline_alerts_sent_total{breaker="default",sink="recording",kind="circuit-open",stage="resolved"}"#, "0"),
        (r#"tripline_alerts_waiting{breaker="default",sink="recording",kind="circuit-open",stage="single"}"#, "0"),
        (r#"tripline_alerts_failed_total{breaker="default",sink="recording",kind="circuit-open",stage="single"}"#, "0"),
        (
            r#"tripline_alert_retries_total{breaker="default",sink="the \"other\" one",kind="circuit-open",stage="single"}"#,
            "1",
        ),
        (
            r#"tripline_alerts_waiting{breaker="default",sink="the \"other\" one",kind="circuit-open",stage="single"}"#,
            "1",
        ),
        (r#"tripline_alert_state_failures_total{breaker="default"}"#, "0"),
        (r#"tripline_alert_state_failing{breaker="default"}"#, "0"),
    ] {
        assert_eq!(line(&text, series), Some(value), "{series} in\n{text}");
    }
    assert_described_once_and_together(&text);

    store.set_failing(Some(io::ErrorKind::StorageFull));
    breaker.reset();
    world.run_until_idle();
    let text = render(&registry.breakers(), Some(&stats), None);
    assert_eq!(line(&text, r#"tripline_alert_state_failing{breaker="default"}"#), Some("1"));
    assert_ne!(line(&text, r#"tripline_alert_state_failures_total{breaker="default"}"#), Some("0"));
}

/// The guide lists every metric family of this crate with its type, and no other.
#[test]
fn the_guide_lists_every_metric() {
    let mut written = BTreeSet::new();
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                written.extend(families(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(written.len() > 40, "{written:?}");
    let guide = include_str!("../../docs/metrics.md");
    let rows = guide.lines().filter(|line| line.starts_with("| `")).filter_map(|line| {
        let mut cells = line.split('|').skip(1).map(str::trim);
        Some((cells.next()?, cells.next()?))
    });
    let documented: BTreeSet<(String, String)> = rows
        .flat_map(|(names, kind)| names.split('`').skip(1).step_by(2).map(|name| (name.to_owned(), kind.to_owned())))
        .collect();
    assert_eq!(written, documented);
}

/// Names and types of the families that a source file writes.
fn families(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for kind in ["counter", "gauge", "histogram"] {
        for call in source.split(&format!(".{kind}(")).skip(1) {
            let name = call.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next());
            found.extend(name.map(|name| (name.to_owned(), kind.to_owned())));
        }
    }
    found
}
