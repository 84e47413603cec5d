//! Alerts in the log. A separate process, because the test reads the log of all threads.
#![cfg(feature = "opsgenie")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "alerts/alert_service/mod.rs"]
mod alert_service;
mod log_capture;

use alert_service::{alert, deliver, stage};
use log_capture::Lines;
use serde_json::Value;
use tripline_backends::alerts::{PageRules, SharedRules, Staged};
use tripline_backends::log_sink::LogSink;
use tripline_runtime::core::IncidentEnd;
use tripline_runtime::{DeliveryStatus, Stage};

#[test]
fn every_stage_is_one_event_with_every_field() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
    tracing::subscriber::set_global_default(log).unwrap();
    let staged = Staged::new(LogSink, SharedRules::new(PageRules::default()));
    let first = alert(Stage::Initial);
    deliver(&staged, &first).unwrap();
    deliver(&staged, &stage(&first, Stage::Escalated, DeliveryStatus::Confirmed, DeliveryStatus::NotSent)).unwrap();
    let end = Stage::Resolved(IncidentEnd::Operator);
    deliver(&staged, &stage(&first, end, DeliveryStatus::Confirmed, DeliveryStatus::Confirmed)).unwrap();
    deliver(&LogSink, &stage(&first, Stage::Superseded, DeliveryStatus::Confirmed, DeliveryStatus::NotSent)).unwrap();

    let logged = lines.text();
    let events: Vec<Value> = logged.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&Value> = events.iter().filter(|event| event["target"] == "tripline::alert").collect();
    let told: Vec<(&str, &str, &str)> = events
        .iter()
        .map(|event| {
            let fields = &event["fields"];
            let text = |value: &'static str| fields[value].as_str().unwrap_or("none");
            (event["level"].as_str().unwrap(), text("stage"), text("priority"))
        })
        .collect();
    let expected = [
        ("WARN", "initial", "P3"),
        ("WARN", "escalated", "P1"),
        ("INFO", "resolved", "P1"),
        ("INFO", "taken_over", "none"),
    ];
    assert_eq!(told, expected);
    let fields = &events[2]["fields"];
    for (name, value) in [
        ("breaker", Value::from("default")),
        ("incident", 1.into()),
        ("kind", "circuit-open".into()),
        ("ended_by", "operator".into()),
        ("cause", first.cause.as_str().into()),
        ("alias", "default-circuit-open".into()),
        ("announce_reset", false.into()),
        ("lasted_seconds", 60.into()),
        ("state", "open".into()),
        ("trip_reason", first.snapshot.trip_reason.unwrap().as_str().into()),
        ("stalled_at_trip", first.snapshot.stalled_at_trip.into()),
        ("percentile_ms", 400.0.into()),
        ("threshold_ms", 300.0.into()),
        ("memory_percent", 50.0.into()),
        ("trend", first.snapshot.trend.as_str().into()),
    ] {
        assert_eq!(fields[name], value, "{name}");
    }
    assert_eq!(events[0]["fields"]["ended_by"], Value::Null);
}
