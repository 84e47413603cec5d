//! A drill is marked in every body that is sent, and a real incident in none.
#![cfg(all(feature = "webhook", feature = "opsgenie"))]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use crate::alert_service::{Reply, Server, alert, config, deliver, patient, stage};
use crate::receivers::ROUTING_KEY;
use serde_json::Value;
use tripline_backends::alerts::opsgenie::OpsGenieSink;
use tripline_backends::alerts::webhook::WebhookSink;
use tripline_backends::alerts::{PageRules, SharedRules, Staged};
use tripline_backends::config::{Provider, apply_environment, parse};
use tripline_runtime::core::{IncidentEnd, Policy};
use tripline_runtime::test_util::World;
use tripline_runtime::{Alert, DeliveryStatus, Stage};

/// The alert of a breaker that an operator opened by a simulation.
fn drill() -> Alert {
    let world = World::new(1);
    let subject = world.breaker(Policy::default()).unwrap();
    subject.breaker.simulate_memory();
    world.advance(Duration::from_secs(1));
    let mut alert = subject.alerts.all().remove(0);
    alert.stage = Stage::Single;
    assert!(alert.is_drill);
    alert
}

fn bodies(settings: &str, alert: &Alert) -> Vec<Value> {
    let receiver = Server::start(|_| Reply::new(204, ""), None);
    let text = format!("[webhook]\nenabled = true\nurl = \"{}\"\n{settings}", receiver.url());
    let mut config = parse(&text, "f").unwrap_or_else(|errors| panic!("{errors}")).0;
    apply_environment(&mut config, &|_| None).unwrap();
    let sink = Staged::new(WebhookSink::new(config.breaker.webhook, patient()), SharedRules::new(PageRules::default()));
    deliver(&sink, alert).unwrap();
    receiver.requests().iter().map(crate::alert_service::Request::json).collect()
}

/// The headlines of a body, where people look first.
fn headlines(format: &str, body: &Value) -> Vec<String> {
    let pointers: &[&str] = match format {
        "slack" => &["/text", "/blocks/0/text/text"],
        "teams" => &["/attachments/0/content/body/0/text"],
        "discord" => &["/content", "/embeds/0/title"],
        "pagerduty" => &["/payload/summary"],
        _ => &["/text"],
    };
    pointers.iter().map(|pointer| body.pointer(pointer).unwrap().as_str().unwrap().to_owned()).collect()
}

#[test]
fn every_webhook_body_says_that_it_is_a_drill_and_why() {
    let key = format!("format = \"pagerduty\"\nrouting_key = \"{ROUTING_KEY}\"\n");
    let template = "body = '{\"text\": \"{{headline}}\", \"mark\": \"{{drill}}\", \"why\": \"{{why}}\"}'\n";
    let settings = [
        ("slack", "format = \"slack\"\n"),
        ("teams", "format = \"teams\"\n"),
        ("discord", "format = \"discord\"\n"),
        ("pagerduty", &key),
        ("template", template),
    ];
    for (format, settings) in settings {
        let body = &bodies(settings, &drill())[0];
        for headline in headlines(format, body) {
            assert!(headline.contains("Drill: "), "{format}: {headline}");
        }
        assert!(body.to_string().contains("drill: an operator simulated exhausted memory"), "{format}: {body}");
        let real = &bodies(settings, &alert(Stage::Single))[0];
        let text = real.to_string().replace("\"drill\":false", "").to_lowercase();
        assert!(!text.contains("drill"), "{format}: {real}");
    }
    let body = &bodies("", &drill())[0];
    assert_eq!((&body["drill"], &body["why"]), (&true.into(), &"drill: an operator simulated exhausted memory".into()));
    assert_eq!(bodies("", &alert(Stage::Single))[0]["drill"], false);
    assert_eq!(bodies(template, &drill())[0]["mark"], "drill");
    assert_eq!(bodies(template, &alert(Stage::Single))[0]["mark"], "");
}

/// The end of a drill is marked too: the first page may have been missed.
#[test]
fn the_end_of_a_drill_is_marked() {
    let over = Stage::Resolved(IncidentEnd::Operator);
    let end = stage(&drill(), over, DeliveryStatus::Confirmed, DeliveryStatus::NotSent);
    for format in ["slack", "teams", "discord"] {
        let body = &bodies(&format!("format = \"{format}\"\n"), &end)[0];
        assert!(headlines(format, body)[0].contains("Drill: "), "{format}: {body}");
    }
    assert_eq!(bodies("", &end)[0]["drill"], true);
}

#[test]
fn an_alert_of_opsgenie_and_jsm_says_so_in_message_description_and_details() {
    for provider in [Provider::OpsGenie, Provider::Jsm] {
        let taken = r#"{"result": "Request will be processed", "took": 0.1, "requestId": "r-1"}"#;
        let done = r#"{"data": {"success": true, "isSuccess": true, "status": "Created alert", "alertId": "a"}, "took": 0.1, "requestId": "r-1"}"#;
        let service = Server::start(
            move |request| if request.method == "GET" { Reply::new(200, done) } else { Reply::new(202, taken) },
            None,
        );
        let mut config = config(&service.url());
        config.provider = provider;
        for (alert, is_drill) in [(drill(), true), (alert(Stage::Single), false)] {
            let before = service.requests().len();
            // A sink that has sent the alert of the incident does not send it again.
            let _ = deliver(&OpsGenieSink::new(config.clone(), patient()), &alert);
            let request = service.requests().into_iter().nth(before).unwrap();
            let body = request.json();
            let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
            assert_eq!(text("message").contains("DRILL: "), is_drill, "{body}");
            assert_eq!(text("description").contains("This is a drill"), is_drill, "{body}");
            assert_eq!(body["details"]["Drill"].is_string(), is_drill, "{body}");
        }
    }
}
