//! The text of an alert, without a service.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::Duration;

use serde_json::Value;
use tripline_runtime::core::{IncidentCause, MemorySample, TripReason};
use tripline_runtime::test_util::World;
use tripline_runtime::{Alert, AlertKind, BreakerName, Priority, Stage};

use super::context::AlertContext;
use super::system::System;
use crate::alerts::staged::PageRules;
use crate::config::OpsGenie;

fn alert() -> Alert {
    let mut alert = World::sample_alert(Duration::from_millis(412)).unwrap();
    alert.stage = Stage::Single;
    alert.snapshot.memory = Some(MemorySample { used: 3 << 20, limit: Some(8 << 20) });
    alert.snapshot.trip_reason = Some(TripReason::Latency);
    alert
}

/// The body as the service receives it.
fn created(alert: &Alert, config: &OpsGenie) -> Value {
    let system = System { process_id: 4_711, cpus: Some(3), resident_bytes: Some(5 << 20) };
    let rules = PageRules::of(config, "machine");
    let context = AlertContext::new(alert, config, &rules.names, &system, "machine");
    serde_json::to_value(context.create("alias", Priority::P2)).unwrap()
}

fn config(text: &str) -> OpsGenie {
    crate::config::parse(&format!("[opsgenie]\n{text}"), "f").unwrap().0.breaker.opsgenie
}

fn texts(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

#[test]
fn the_headline_says_where_what_and_of_whom() {
    let config = config("environment = \"TEST\"\napi_namespace = \"payment\"\napi_name = \"Payment API\"");
    let message = |kind, breaker: &str| {
        let mut alert = alert();
        (alert.kind, alert.breaker) = (kind, BreakerName::new(breaker).unwrap());
        created(&alert, &config)["message"].clone()
    };
    assert_eq!(message(AlertKind::CircuitOpen, "default"), "[TEST] Circuit Breaker OPEN - payment/Payment API");
    assert_eq!(message(AlertKind::CircuitOpen, "eu"), "[TEST] Circuit Breaker OPEN - payment/Payment API-eu");
    assert_eq!(message(AlertKind::MemoryThreshold, "eu"), "[TEST] Memory Threshold Exceeded - payment/Payment API-eu");
    assert_eq!(message(AlertKind::LatencyThreshold, "default"), "[TEST] High Latency Detected - payment/Payment API");
    for cause in [IncidentCause::MemoryCondition, IncidentCause::Trip(TripReason::MemoryForecast)] {
        let mut alert = alert();
        (alert.kind, alert.cause) = (AlertKind::MemoryThreshold, cause);
        assert_eq!(created(&alert, &config)["message"], "[TEST] Memory Running Out - payment/Payment API");
    }
}

#[test]
fn tags_are_those_of_the_file_with_the_keyless_marked_and_those_of_every_alert() {
    let config = config(
        "team = \"t\"\nenvironment = \"e\"\nbookmaker_id = \"b\"\nhostname = \"h\"\napi_name = \"a\"\n\
         service_tier = \"1\"\nadditional_context = \"c\"\ntags = [\"K:v\", \"loose\", \"K:v\", \":x\", \" \", \"Team:t\"]",
    );
    assert_eq!(
        texts(&created(&alert(), &config)["tags"]),
        [
            "K:v",
            "**TAG_KEY_UNDEFINED**:loose",
            "**TAG_KEY_UNDEFINED**::x",
            "Environment:e",
            "BookmakerId:b",
            "Host:h",
            "Business:internal",
            "Team:t",
            "AlertType:circuit-open",
            "Service:a",
            "Tier:1",
            "Context:c",
        ]
    );
}

#[test]
fn details_have_the_mandatory_fields_with_what_stands_in_for_them() {
    let details = created(&alert(), &config(""))["details"].clone();
    for (name, value) in [
        ("Team", "unknown"),
        ("Environment", "unknown"),
        ("BookmakerId", "default"),
        ("Host", "machine"),
        ("Business", "internal"),
        ("API Name", "default"),
        ("Alert Type", "circuit-open"),
        ("Trip Reason", "latency"),
        ("Wait Time (s)", "10"),
        ("Source", "tripline"),
        ("Latency Percentile (ms)", "412"),
        ("Latency Threshold (ms)", "300"),
        ("Memory Used (MB)", "3"),
        ("Memory Limit (MB)", "8"),
        ("Memory Used (%)", "37.5"),
        ("Process", "4711"),
        ("CPUs", "3"),
        ("Resident Memory (MB)", "5"),
    ] {
        assert_eq!(details[name], value, "{name}");
    }
    let more = config(
        "api_version = \"v1\"\napi_owner = \"o\"\napi_priority = \"critical\"\n\
         api_custom_attributes = { runbook = \"r\", Team = \"other\" }",
    );
    let details = created(&alert(), &more)["details"].clone();
    for (name, value) in
        [("API Version", "v1"), ("API Owner", "o"), ("API Priority", "critical"), ("runbook", "r"), ("Team*", "other")]
    {
        assert_eq!(details[name], value, "{name}");
    }
}

#[test]
fn the_level_of_memory_is_named_where_the_source_names_it() {
    let mut alert = alert();
    assert!(!created(&alert, &config("")).to_string().contains("Memory Level"));
    alert.snapshot.memory_level = Some("memory.max of /pod1".into());
    let created = created(&alert, &config(""));
    assert_eq!(created["details"]["Memory Level"], "memory.max of /pod1");
    let description = created["description"].as_str().unwrap();
    assert!(description.contains("Memory: 3 MB used, 37.5 % of memory.max of /pod1."), "{description}");
}

#[test]
fn each_include_flag_takes_its_figures_out_of_everything() {
    let all = created(&alert(), &config("")).to_string();
    for (flag, figures) in [
        ("include_latency_metrics", vec!["412", "Latency Percentile", "Trend", "Stalled", "Latency:"]),
        ("include_memory_metrics", vec!["37.5", "Memory Used", "Memory Limit", "Memory:"]),
        ("include_system_info", vec!["4711", "CPUs", "Resident Memory", "Architecture"]),
    ] {
        let without = created(&alert(), &config(&format!("{flag} = false"))).to_string();
        for figure in figures {
            assert!(all.contains(figure) && !without.contains(figure), "{flag}: {figure}");
        }
    }
}

#[test]
fn the_description_names_dependencies_endpoints_and_contacts() {
    let config = config(
        "api_description = \"Pays.\"\napi_dependencies = [\"database\", \"auth\"]\napi_endpoints = [\"/payments\"]\n\
         [opsgenie.contact_details]\nprimary_contact = \"Ann\"\nadditional_emails = [\"a@x\", \"b@x\"]",
    );
    let created = created(&alert(), &config);
    let description = created["description"].as_str().unwrap();
    for part in [
        "circuit-open of default. The breaker is open. Cause: latency.",
        "Latency: percentile 412 ms, threshold 300 ms, trend ",
        "Memory: 3 MB used, 37.5 % of its limit.",
        "About:\n- Pays.",
        "Dependencies:\n- database\n- auth",
        "Protected endpoints:\n- /payments",
        "Contacts:\n- Primary contact: Ann\n- E-mail: a@x, b@x",
    ] {
        assert!(description.contains(part), "{part}: {description}");
    }
}

#[test]
fn whatever_is_configured_fits_the_apis_lengths() {
    let long = "ü😀".repeat(490);
    let many: Vec<String> = (0..60).map(|index| format!("\"{index}:{long}\"")).collect();
    let many = many.join(", ");
    let attributes: Vec<String> = (0..60).map(|index| format!("a{index} = \"{long}\"")).collect();
    let config = config(&format!(
        "api_name = \"{long}\"\napi_namespace = \"{long}\"\napi_description = \"{long}\"\n\
         additional_context = \"{long}\"\ntags = [{many}]\napi_dependencies = [{many}]\n\
         api_custom_attributes = {{ {} }}\n",
        attributes.join(", ")
    ));
    let created = created(&alert(), &config);
    let length = |text: &Value| text.as_str().unwrap().chars().count();
    assert_eq!((length(&created["message"]), length(&created["entity"])), (130, 512));
    assert_eq!(length(&created["description"]), 15_000);
    let tags = texts(&created["tags"]);
    assert_eq!((tags.len(), tags.iter().map(|tag| tag.chars().count()).max()), (20, Some(50)));
    assert!(tags.contains(&"AlertType:circuit-open"), "what people route by stays: {tags:?}");
    let details = created["details"].as_object().unwrap();
    let total: usize = details.iter().map(|(name, value)| name.chars().count() + length(value)).sum();
    assert_eq!(total, 8_000);
    assert!(details.contains_key("Timestamp"));
}
