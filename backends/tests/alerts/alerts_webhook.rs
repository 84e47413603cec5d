//! Alerts as JSON to any URL, over real sockets; and all sinks of a configuration together.
#![cfg(all(feature = "webhook", feature = "opsgenie"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::alert_service;

use std::time::{Duration, SystemTime};

use alert_service::{AlertService, Fault, Reply, Server, Tls, alert, config, deliver, impatient, patient, stage};
use serde_json::json;
use tripline_backends::alerts::webhook::WebhookSink;
use tripline_backends::alerts::{PageRules, SharedRules, Staged, sinks};
use tripline_backends::config::{BreakerConfig, Secret, Webhook};
use tripline_runtime::core::IncidentEnd;
use tripline_runtime::{DeliveryError, DeliveryStatus, Stage};

fn receiver() -> Server {
    Server::start(|_| Reply::new(204, ""), None)
}

fn webhook(url: &str) -> Webhook {
    let mut webhook = Webhook::default();
    (webhook.enabled, webhook.url) = (true, Some(Secret::new(url)));
    webhook
}

#[test]
fn an_alert_is_posted_with_every_field_under_its_name() {
    let receiver = receiver();
    let sink = WebhookSink::new(webhook(&format!("{}/hook?token=t0k3n", receiver.url())), patient());
    let staged = Staged::new(sink, SharedRules::new(PageRules::default()));
    let mut first = alert(Stage::Initial);
    first.started_at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_500);
    first.at = first.started_at + Duration::from_secs(1);
    first.snapshot.memory_level = Some("memory.max of /pod1".into());
    assert_eq!(deliver(&staged, &first), Ok(0));
    let request = &receiver.requests()[0];
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/hook?token=t0k3n"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    let id = "default:1:1700000000500:circuit-open:initial";
    assert_eq!(request.header("idempotency-key"), Some(id));
    let snapshot = &first.snapshot;
    let expected = json!({
        "version": 1,
        "delivery_id": id,
        "breaker": "default",
        "incident": 1,
        "kind": "circuit-open",
        "stage": "initial",
        "ended_by": null,
        "announce_reset": false,
        "cause": first.cause.as_str(),
        "started_at": "2023-11-14T22:13:20.500Z",
        "at": "2023-11-14T22:13:21.500Z",
        "alias": "default-circuit-open",
        "priority": "P3",
        "action": "create",
        "state": "open",
        "trip_reason": snapshot.trip_reason.map(tripline_runtime::core::TripReason::as_str),
        "why": snapshot.explanation.map(|why| why.to_string()),
        "drill": false,
        "passed_after_seconds": null,
        "stalled_at_trip": snapshot.stalled_at_trip,
        "percentile_ms": 400.0,
        "threshold_ms": 300.0,
        "trend": snapshot.trend.as_str(),
        "memory": snapshot.memory.map(|memory| json!({
            "used_bytes": memory.used, "limit_bytes": memory.limit, "percent": 50.0, "level": "memory.max of /pod1",
        })),
    });
    assert_eq!(request.json(), expected);
}

#[test]
fn attempts_of_one_alert_share_a_delivery_and_stages_do_not() {
    let receiver = receiver();
    let sink = WebhookSink::new(webhook(&receiver.url()), patient());
    let first = alert(Stage::Initial);
    receiver.trouble(Fault::Closed);
    assert!(matches!(deliver(&sink, &first), Err(DeliveryError::Retryable { .. })));
    deliver(&sink, &first).unwrap();
    let end = Stage::Resolved(IncidentEnd::Operator);
    deliver(&sink, &stage(&first, end, DeliveryStatus::Confirmed, DeliveryStatus::NotSent)).unwrap();
    let ids: Vec<_> =
        receiver.requests().iter().map(|request| request.header("idempotency-key").unwrap().to_owned()).collect();
    assert!(ids[0] == ids[1] && ids[1] != ids[2], "{ids:?}");
    assert_eq!(receiver.requests()[2].json()["ended_by"], "operator");
}

#[test]
fn the_same_rules_as_for_the_alert_service_say_what_is_tried_again() {
    let receiver = receiver();
    let sink = WebhookSink::new(webhook(&receiver.url()), patient());
    let once = |status: u16| {
        receiver.trouble(Fault::Reply(Reply::new(status, "").header("Retry-After", "9")));
        deliver(&sink, &alert(Stage::Single))
    };
    for status in [408, 425, 429, 500, 503] {
        let Err(DeliveryError::Retryable { after, .. }) = once(status) else { panic!("{status}") };
        assert_eq!(after, Some(Duration::from_secs(9)));
    }
    for status in [301, 400, 410, 501] {
        assert!(matches!(once(status), Err(DeliveryError::Rejected { .. })), "{status}");
    }
    receiver.trouble(Fault::Silent);
    let sink = WebhookSink::new(webhook(&receiver.url()), impatient());
    assert!(matches!(deliver(&sink, &alert(Stage::Single)), Err(DeliveryError::Retryable { .. })));
}

#[test]
fn the_address_is_shown_nowhere() {
    let receiver = receiver();
    let url = format!("{}/s3cr3t/path?t0k3n", receiver.url());
    let sink = WebhookSink::new(webhook(&url), patient());
    receiver.trouble(Fault::Reply(Reply::new(
        400,
        &json!({"message": format!("no {url} /s3cr3t/path t0k3n")}).to_string(),
    )));
    let refused = format!("{:?}", deliver(&sink, &alert(Stage::Single)));
    assert!(refused.contains("***"), "{refused}");
    let unreachable = WebhookSink::new(webhook("https://s3cr3t.invalid/t0k3n"), patient());
    let unreachable = format!("{:?} {unreachable:?}", deliver(&unreachable, &alert(Stage::Single)));
    // An error that names the host: the certificate is for another one.
    let tls = Tls::new();
    let elsewhere = Server::start(|_| Reply::new(204, ""), Some(&tls));
    let url = elsewhere.url().replace("127.0.0.1", "localhost");
    let mistaken = WebhookSink::new(webhook(&url), patient().trust(tls.certificate.clone()));
    let mistaken = format!("{:?}", deliver(&mistaken, &alert(Stage::Single)));
    assert!(mistaken.contains("no TLS connection") && !mistaken.contains("localhost"), "{mistaken}");
    for shown in [refused, unreachable, format!("{sink:?} {:?}", sink.config())] {
        assert!(!shown.contains("s3cr3t") && !shown.contains("t0k3n"), "{shown}");
    }
}

#[test]
fn a_configuration_gives_the_sinks_that_can_ever_be_used_and_changes_them_all() {
    let names = |config: &BreakerConfig| -> Vec<String> {
        sinks(config, &patient()).sinks.iter().map(|sink| sink.name().to_owned()).collect()
    };
    let mut whole = BreakerConfig::default();
    assert_eq!(names(&whole), ["log"]);
    let (service, receiver) = (AlertService::opsgenie(), receiver());
    whole.opsgenie = config(&service.url());
    whole.webhook = webhook(&receiver.url());
    assert_eq!(names(&whole), ["log", "opsgenie", "webhook"]);
    whole.opsgenie.enabled = false;
    whole.webhook.enabled = false;
    let made = sinks(&whole, &patient());
    assert_eq!(made.sinks.len(), 3);
    let tell = |incident: u64| {
        for sink in &made.sinks {
            let mut alert = alert(Stage::Single);
            alert.incident = incident;
            deliver(sink.as_ref(), &alert).unwrap();
        }
    };
    tell(1);
    assert!(service.log().is_empty() && receiver.requests().is_empty());
    whole.opsgenie.enabled = true;
    whole.webhook.enabled = true;
    whole.opsgenie.api_name = "renamed".into();
    made.control.set_config(&whole);
    tell(2);
    assert_eq!(service.open()[0].0, "shop/renamed-circuit-open");
    assert_eq!(receiver.requests()[0].json()["alias"], "shop/renamed-circuit-open");
}
