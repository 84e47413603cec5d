//! The long text of an alert.

use super::context::AlertContext;
use super::details::megabytes;
use crate::alerts::format::{lasted_seconds, memory_percent, percentile_ms, state_and_cause, two_decimals, words};

pub(super) fn description(content: &AlertContext<'_>) -> String {
    let (alert, config) = (content.alert, content.config);
    let mut lines = vec![format!("{} of {}. {}", alert.kind.as_str(), content.subject, state_and_cause(alert))];
    if alert.is_test {
        lines = vec!["This page tests the delivery of alerts. There is no incident; it is closed at once.".to_owned()];
    }
    lines.extend(alert.fleet.as_ref().map(|fleet| format!("Fleet: {fleet}.")));
    if lasted_seconds(alert) > 0 {
        lines.push(format!("The incident has lasted for {} s.", lasted_seconds(alert)));
    }
    if alert.is_drill {
        lines.push(
            "This is a drill: an operator simulated the condition. Nothing is wrong with the service.".to_owned(),
        );
    }
    lines.extend(alert.family.as_ref().map(|family| format!("{family}.")));
    lines.extend(content.evidence().map(|why| format!("It opened on {why}.")));
    lines.extend(figures(content));
    section(&mut lines, "About", std::slice::from_ref(&config.api_description));
    section(&mut lines, "Context", std::slice::from_ref(&config.additional_context));
    section(&mut lines, "Dependencies", &config.api_dependencies);
    section(&mut lines, "Protected endpoints", &config.api_endpoints);
    section(&mut lines, "Contacts", &contacts(content));
    lines.join("\n")
}

/// The figures that the configuration includes, one per line.
pub(super) fn figures(content: &AlertContext<'_>) -> Vec<String> {
    let (seen, config) = (&content.alert.snapshot, content.config);
    let mut lines = Vec::new();
    if config.include_latency_metrics {
        let threshold = two_decimals(seen.threshold.as_millis_f64());
        let percentile = percentile_ms(seen)
            .map_or_else(|| "unknown".to_owned(), |percentile| format!("{} ms", two_decimals(percentile)));
        let trend = words(seen.trend.as_str());
        lines.push(format!("Latency: percentile {percentile}, threshold {threshold} ms, trend {trend}."));
        if seen.stalled_at_trip > 0 {
            lines.push(format!("Stalled calls: {}.", seen.stalled_at_trip));
        }
    }
    if let Some(memory) = seen.memory.filter(|_| config.include_memory_metrics) {
        let limit = seen.memory_level.as_deref().unwrap_or("its limit");
        let of = memory_percent(memory).map_or_else(String::new, |percent| format!(", {percent} % of {limit}"));
        lines.push(format!("Memory: {} MB used{of}.", megabytes(memory.used)));
    }
    lines
}

fn contacts(content: &AlertContext<'_>) -> Vec<String> {
    let contacts = &content.config.contact_details;
    let named = [
        ("Primary contact", contacts.primary_contact.clone()),
        ("Escalation team", contacts.escalation_team.clone()),
        ("Slack", contacts.slack_channel.clone()),
        ("Phone", contacts.phone_number.clone()),
        ("E-mail", contacts.additional_emails.join(", ")),
    ];
    named.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name}: {value}")).collect()
}

fn section(lines: &mut Vec<String>, title: &str, items: &[String]) {
    let items: Vec<&String> = items.iter().filter(|item| !item.is_empty()).collect();
    if items.is_empty() {
        return;
    }
    lines.push(String::new());
    lines.push(format!("{title}:"));
    lines.extend(items.into_iter().map(|item| format!("- {item}")));
}
