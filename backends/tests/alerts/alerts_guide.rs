//! The webhook guide shows the exact body of each format.
#![cfg(feature = "webhook")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::{Duration, SystemTime};

use crate::alert_service::{Reply, Server, alert, deliver, patient};
use serde_json::Value;
use tripline_backends::alerts::webhook::WebhookSink;
use tripline_backends::alerts::{PageRules, SharedRules, Staged};
use tripline_backends::config::{WEBHOOK_FIELDS, apply_environment, parse};
use tripline_runtime::Stage;

const GUIDE: &str = include_str!("../../docs/webhooks.md");

/// The body that the settings of the guide send for one incident at a fixed time.
fn sent(settings: &str) -> Value {
    let receiver = Server::start(|_| Reply::new(204, ""), None);
    let text = format!("[webhook]\nenabled = true\nurl = \"{}\"\n{settings}", receiver.url());
    let mut config = parse(&text, "f").unwrap_or_else(|errors| panic!("{errors}")).0;
    apply_environment(&mut config, &|_| None).unwrap();
    let sink = WebhookSink::new(config.breaker.webhook, patient());
    let mut alert = alert(Stage::Initial);
    alert.started_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_790_000_000);
    alert.at = alert.started_at + Duration::from_secs(2);
    deliver(&Staged::new(sink, SharedRules::new(PageRules::default())), &alert).unwrap();
    receiver.requests()[0].json()
}

/// The code block of this language under a heading.
fn block(heading: &str, language: &str) -> String {
    let section = GUIDE.split(&format!("\n{heading}\n")).nth(1).unwrap_or_else(|| panic!("no {heading}"));
    let block = section.split(&format!("```{language}\n")).nth(1).unwrap_or_else(|| panic!("no block: {heading}"));
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn the_guide_shows_the_body_of_each_format() {
    let mut outdated = Vec::new();
    for (format, settings) in [
        ("json", "format = \"json\"\n"),
        ("slack", "format = \"slack\"\n"),
        ("teams", "format = \"teams\"\n"),
        ("discord", "format = \"discord\"\n"),
        ("pagerduty", "format = \"pagerduty\"\nrouting_key = \"ROUTING-KEY\"\n"),
    ] {
        let body = sent(settings);
        let shown: Value = serde_json::from_str(&block(&format!("### `{format}`"), "json")).unwrap_or_default();
        if shown != body {
            outdated.push(format!("### `{format}`\n\n```json\n{body:#}\n```\n"));
        }
    }
    assert!(outdated.is_empty(), "the guide should show\n{}", outdated.concat());
}

#[test]
fn the_guide_names_every_field_of_templates_and_no_other() {
    let table = GUIDE.split("\n## Body templates\n").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.map(|line| line.split('|').nth(1).unwrap_or_default());
    let named: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    let fields: Vec<&str> = WEBHOOK_FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(named, fields);
}

/// The template of the guide is valid, and its body is JSON with the fields filled in.
#[test]
fn the_template_of_the_guide_works() {
    let text = block("## Body templates", "toml");
    let body = text.lines().find(|line| line.starts_with("body = ")).unwrap();
    let sent = sent(&format!("{body}\n"));
    assert_eq!(sent["since"], "2026-09-21T14:13:20.000Z", "{sent}");
    assert!(sent["text"].as_str().is_some_and(|text| text.contains("default")), "{sent}");
    assert!(sent["p"].is_number(), "{sent}");
}
