//! The key must not be visible anywhere. A separate process, because the test reads the log of all threads.
#![cfg(feature = "opsgenie")]
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "alerts/alert_service/mod.rs"]
mod alert_service;
mod log_capture;

use alert_service::{AlertService, Fault, KEY, Reply, alert, config, deliver, patient};
use log_capture::Lines;
use tripline_backends::alerts::opsgenie::OpsGenieSink;
use tripline_backends::config::Secret;
use tripline_runtime::Stage;

#[test]
fn the_key_is_seen_by_the_service_alone() {
    let lines = Lines::default();
    let writer = lines.clone();
    let log = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    tracing::subscriber::set_global_default(log.with_writer(move || writer.clone()).finish()).unwrap();
    let service = AlertService::opsgenie();
    let sink = OpsGenieSink::new(config(&service.url()), patient());
    let mut shown: Vec<String> = Vec::new();
    let mut try_once = |stage: Stage| {
        let delivered = deliver(&sink, &alert(stage));
        // A panic would show the `Debug` form.
        shown.push(format!("{delivered:?} {:?} {sink:?} {:?}", sink.status(), sink.config()));
        shown.extend(delivered.err().map(|error| error.to_string()));
        shown.push(serde_json::to_string(&sink.status()).unwrap());
    };
    // The service quotes its input in every possible way.
    let quoting = format!("{{\"message\": \"GenieKey {KEY} {}\"}}", "ü".repeat(300));
    for status in [400, 401, 429, 503] {
        service.trouble(Fault::Reply(Reply::new(status, &quoting)));
        try_once(Stage::Single);
    }
    service.reject_next(&format!("no {KEY} here"));
    try_once(Stage::Single);
    for fault in [Fault::None, Fault::Reply(Reply::new(403, &quoting))] {
        service.trouble(fault);
    }
    try_once(Stage::Single);
    service.trouble(Fault::Garbage);
    try_once(Stage::Escalated);
    try_once(Stage::Escalated);
    let mut odd = config(&service.url());
    odd.api_key = Some(Secret::new(format!("{KEY}\n")));
    sink.set_config(odd);
    try_once(Stage::Initial);
    for request in service.requests() {
        assert_eq!(request.header("authorization"), Some(format!("GenieKey {KEY}").as_str()));
        shown.push(String::from_utf8(request.body).unwrap());
    }
    let logged = lines.text();
    for line in ["the alert service answers", "the alert service does not answer", "did not report its outcome"] {
        assert!(logged.contains(line), "{line}: {logged}");
    }
    for (place, text) in [("shown", shown.concat()), ("logged", logged)] {
        assert!(text.contains("***"), "{place}");
        assert!(!text.contains(KEY), "{place}: {text}");
    }
}
