//! Webhooks in each format, against receivers that validate their documented schema; and body templates.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::alert_service::{Fault, Reply, Server, alert, deliver, patient, stage};
use crate::receivers::{ROUTING_KEY, Receiver, Service};
use tripline_backends::alerts::webhook::WebhookSink;
use tripline_backends::alerts::{PageRules, SharedRules, Staged, sinks};
use tripline_backends::config::{BreakerConfig, WEBHOOK_FIELDS, Webhook, apply_environment, parse};
use tripline_runtime::core::IncidentEnd;
use tripline_runtime::{Alert, AlertKind, BreakerName, DeliveryError, DeliveryStatus, Stage};

const ENDS: [Stage; 3] =
    [Stage::Resolved(IncidentEnd::Healthy), Stage::Resolved(IncidentEnd::Operator), Stage::Superseded];

fn webhook(text: &str) -> Webhook {
    let text = format!("[webhook]\nenabled = true\n{text}");
    let mut config = parse(&text, "f").unwrap_or_else(|errors| panic!("{errors}")).0;
    apply_environment(&mut config, &|_| None).unwrap();
    config.breaker.webhook
}

fn staged(text: &str) -> Staged<WebhookSink> {
    Staged::new(WebhookSink::new(webhook(text), patient()), SharedRules::new(PageRules::default()))
}

/// Every kind at every stage, with and without figures, with a long name and an unusual one.
fn all_alerts() -> Vec<Alert> {
    let mut alerts = Vec::new();
    for kind in AlertKind::ALL {
        for at in [Stage::Single, Stage::Initial, Stage::Escalated].into_iter().chain(ENDS) {
            for bare in [false, true] {
                let mut alert = stage(&alert(Stage::Single), at, DeliveryStatus::Confirmed, DeliveryStatus::NotSent);
                alert.kind = kind;
                alert.breaker = BreakerName::new(&"b".repeat(64)).unwrap();
                if bare {
                    (alert.snapshot.percentile, alert.snapshot.memory, alert.snapshot.trip_reason) = (None, None, None);
                    alert.at = alert.started_at;
                }
                alerts.push(alert);
            }
        }
    }
    alerts
}

#[test]
fn every_alert_fits_what_each_receiver_documents() {
    for (service, format) in [
        (Service::Slack, "slack"),
        (Service::Teams, "teams"),
        (Service::Discord, "discord"),
        (Service::PagerDuty, "pagerduty"),
    ] {
        let receiver = Receiver::of(service);
        let key =
            if service == Service::PagerDuty { format!("routing_key = \"{ROUTING_KEY}\"\n") } else { String::new() };
        let sink = staged(&format!("format = \"{format}\"\nurl = \"{}/hook\"\n{key}", receiver.server.url()));
        for alert in all_alerts() {
            assert_eq!(deliver(&sink, &alert), Ok(0), "{format}: {:?} {:?}", alert.kind, alert.stage);
        }
    }
}

#[test]
fn pagerduty_opens_raises_and_resolves_one_incident_by_its_key() {
    let receiver = Receiver::of(Service::PagerDuty);
    let text = format!("format = \"pagerduty\"\nurl = \"{}\"\nrouting_key = \"{ROUTING_KEY}\"", receiver.server.url());
    let sink = staged(&text);
    let first = alert(Stage::Initial);
    deliver(&sink, &first).unwrap();
    assert_eq!(receiver.open(), [("default-circuit-open".to_owned(), "warning".to_owned())]);
    deliver(&sink, &stage(&first, Stage::Escalated, DeliveryStatus::Confirmed, DeliveryStatus::NotSent)).unwrap();
    assert_eq!(receiver.open(), [("default-circuit-open".to_owned(), "critical".to_owned())]);
    deliver(&sink, &stage(&first, ENDS[0], DeliveryStatus::Confirmed, DeliveryStatus::Confirmed)).unwrap();
    assert!(receiver.open().is_empty());

    // An alias of 500 characters exceeds the maximum length of a key. Two with the same beginning stay distinct.
    for end in ["a", "b"] {
        let mut long = first.clone();
        long.alias = Some("x".repeat(499) + end);
        deliver(&sink, &long).unwrap();
    }
    assert_eq!(receiver.open().len(), 2);
}

#[test]
fn the_reason_of_a_rejection_is_given_without_secrets_and_escapes() {
    let receiver = Receiver::of(Service::PagerDuty);
    let text = format!("format = \"pagerduty\"\nurl = \"{}\"\nrouting_key = \"wrong-key-4711\"", receiver.server.url());
    let sink = staged(&text);
    let Err(DeliveryError::Rejected { status: Some(400), reason }) = deliver(&sink, &alert(Stage::Single)) else {
        panic!("taken")
    };
    assert_eq!(reason, "status 400: Event object is invalid; 'routing_key' is not known");
    receiver.server.trouble(Fault::Reply(Reply::new(403, "no wrong-key-4711\u{1b}[2J\nsecond line")));
    let Err(DeliveryError::Rejected { status: Some(403), reason }) = deliver(&sink, &alert(Stage::Single)) else {
        panic!("taken")
    };
    assert_eq!(reason, "status 403: no ***\\u{1b}[2J\\nsecond line");
}

#[test]
fn any_2xx_is_delivered_whatever_the_body() {
    for fault in [
        Fault::Reply(Reply::new(200, "<html>not a webhook at all</html>")),
        Fault::CutInBody,
        Fault::StuckInBody,
        Fault::Endless,
    ] {
        let receiver = Server::start(|_| Reply::new(200, "a body that is cut"), None);
        receiver.trouble(fault.clone());
        let sink = staged(&format!("url = \"{}\"", receiver.url()));
        assert_eq!(deliver(&sink, &alert(Stage::Single)), Ok(0), "{fault:?}");
        assert_eq!(receiver.requests().len(), 1, "{fault:?}");
    }
}

#[test]
fn a_template_fills_in_every_field_and_stays_json_whatever_the_alert() {
    let receiver = Server::start(|_| Reply::new(204, ""), None);
    let members: Vec<String> = WEBHOOK_FIELDS
        .iter()
        .map(|field| {
            if field.is_number {
                format!("\"{0}\": {{{{{0}}}}}", field.name)
            } else {
                format!("\"{0}\": \"<{{{{ {0} }}}}>\"", field.name)
            }
        })
        .collect();
    let sink = staged(&format!("url = \"{}\"\nbody = '{{{}}}'", receiver.url(), members.join(", ")));
    for alert in all_alerts() {
        deliver(&sink, &alert).unwrap();
    }
    let mut odd = alert(Stage::Single);
    odd.alias = Some("quote \" backslash \\ and \u{1}".to_owned());
    deliver(&sink, &odd).unwrap();
    for request in receiver.requests() {
        let body = request.json();
        for field in WEBHOOK_FIELDS {
            let value = &body[field.name];
            let fits = if field.is_number { value.is_number() || value.is_null() } else { value.is_string() };
            assert!(fits, "{}: {body}", field.name);
        }
    }
    let last = receiver.requests().pop().unwrap().json();
    assert_eq!(last["alias"], "<quote \" backslash \\ and \u{1}>");
    assert_eq!((&last["headline"], &last["priority"]), (&"<Circuit breaker open - default>".into(), &"<P3>".into()));
}

#[test]
fn a_template_of_another_type_is_escaped_for_that_type() {
    let receiver = Server::start(|_| Reply::new(204, ""), None);
    for (kind, expected) in [("application/x-www-form-urlencoded", "m=a%26b+%22c%22"), ("text/plain", "m=a&b \"c\"")] {
        let headers = format!("headers = {{ Content-Type = \"{kind}\" }}");
        let sink = staged(&format!("url = \"{}\"\nbody = \"m={{{{alias}}}}\"\n{headers}", receiver.url()));
        let mut odd = alert(Stage::Single);
        odd.alias = Some("a&b \"c\"".to_owned());
        deliver(&sink, &odd).unwrap();
        let request = receiver.requests().pop().unwrap();
        assert_eq!(request.header("content-type"), Some(kind));
        assert_eq!(String::from_utf8(request.body).unwrap(), expected);
    }
}

#[test]
fn headers_and_addresses_take_their_secrets_from_the_environment() {
    let receiver = Server::start(|_| Reply::new(403, "Bearer t0p-secret /hook/p4th-secret"), None);
    let text = format!(
        "[webhook]\nenabled = true\nurl = \"{}/hook/${{HOOK_PATH}}\"\nheaders = {{ Authorization = \"Bearer ${{TOKEN}}\" }}\n",
        receiver.url()
    );
    let mut config = parse(&text, "f").unwrap().0;
    let error = apply_environment(&mut config.clone(), &|_| None).unwrap_err().to_string();
    assert_eq!(error, "environment: HOOK_PATH: not set, and webhook.url needs it");
    let variable = |name: &str| match name {
        "HOOK_PATH" => Some("p4th-secret".to_owned()),
        "TOKEN" => Some("t0p-secret".to_owned()),
        _ => None,
    };
    apply_environment(&mut config, &variable).unwrap();
    let sink = WebhookSink::new(config.breaker.webhook, patient());
    let delivered = format!("{:?} {sink:?}", deliver(&sink, &alert(Stage::Single)));
    let request = receiver.requests().pop().unwrap();
    assert_eq!(
        (request.target.as_str(), request.header("authorization")),
        ("/hook/p4th-secret", Some("Bearer t0p-secret"))
    );
    assert!(!delivered.contains("t0p-secret") && !delivered.contains("p4th-secret"), "{delivered}");
}

#[test]
fn several_webhooks_have_names_of_their_own() {
    let config =
        |text: &str| -> BreakerConfig { parse(text, "f").unwrap_or_else(|errors| panic!("{errors}")).0.breaker };
    let (one, two) = (Receiver::of(Service::Slack), Receiver::of(Service::Discord));
    let text = format!(
        "[webhook]\nenabled = true\nurl = \"{0}/a\"\n[[webhooks]]\nname = \"chat\"\nformat = \"slack\"\nurl = \"{0}/b\"\n\
         [[webhooks]]\nformat = \"discord\"\nurl = \"{1}/c\"\n",
        one.server.url(),
        two.server.url()
    );
    let old = config(&text);
    let made = sinks(&old, &patient());
    let names: Vec<_> = made.sinks.iter().map(|sink| sink.name().to_owned()).collect();
    assert_eq!(names, ["log", "webhook", "webhook-chat", "webhook-2"]);
    for sink in &made.sinks[2..] {
        deliver(sink.as_ref(), &alert(Stage::Single)).unwrap();
    }
    assert_eq!((one.server.requests().len(), two.server.requests().len()), (1, 1));
    // A removed entry is switched off; the other one continues.
    made.control.set_config(&config(&format!(
        "[[webhooks]]\nname = \"chat\"\nformat = \"slack\"\nurl = \"{}/d\"",
        one.server.url()
    )));
    for sink in &made.sinks[2..] {
        deliver(sink.as_ref(), &alert(Stage::Single)).unwrap();
    }
    assert_eq!((one.server.requests().len(), two.server.requests().len()), (2, 1));
    assert_eq!(one.server.requests()[1].target, "/d");
}

#[test]
fn what_cannot_work_is_a_problem_of_the_file() {
    for (text, expected) in [
        ("[[webhooks]]\n", "f:1: webhooks[0]: needs url, which is not set"),
        ("[[webhooks]]\nurl = \"nowhere\"\n", "f:2: webhooks[0].url = ***: allowed: an http or https address"),
        (
            "[[webhooks]]\nformat = \"pagerduty\"\n",
            "f:2: webhooks[0].format: needs routing_key, the integration key of PagerDuty, which is not set",
        ),
        (
            "[[webhooks]]\nurl = \"https://h\"\nformat = \"slack\"\nbody = \"x\"\n",
            "f:4: webhooks[0].body: cannot be set beside format = \"slack\"; remove one of them",
        ),
        (
            "[[webhooks]]\nurl = \"https://h\"\nname = \"a\"\n[[webhooks]]\nurl = \"https://h\"\nname = \"a\"\n",
            "f:6: webhooks[1].name = a: is the name of webhooks[0] too; each needs its own",
        ),
        ("webhooks = 1\n", "f:1: webhooks: allowed: a list of tables, [[webhooks]]"),
        ("[webhooks]\nurl = \"https://h\"\n", "f:1: webhooks: allowed: a list of tables, [[webhooks]]"),
        (
            "[webhook]\nheaders = { \"a b\" = \"c\" }\n",
            "f:2: webhook.headers: a name is no header's: allowed: letters, digits and - _",
        ),
        ("[webhook]\nheaders = { Host = \"c\" }\n", "f:2: webhook.headers: Host is set by the client"),
        ("[webhook]\nbody = \"{{\"\n", "f:2: webhook.body: {{ without }} before \"\""),
    ] {
        assert_eq!(parse(text, "f").unwrap_err().to_string(), expected);
    }
    let unknown = parse("[webhook]\nbody = '{\"a\": \"{{headlin}}\"}'", "f").unwrap_err().to_string();
    assert!(
        unknown.contains("unknown field {{headlin}}; did you mean headline?; fields: headline, summary"),
        "{unknown}"
    );
    let invalid = parse("[webhook]\nbody = '{\"a\": {{headline}}}'", "f").unwrap_err().to_string();
    assert!(invalid.contains("not valid JSON once its fields are filled in"), "{invalid}");
}
