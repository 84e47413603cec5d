//! Details: names and values, most important first, because the service limits their total length.

use serde::{Serialize, Serializer};
use tripline_runtime::core::{MemorySample, TripReason};

use super::context::AlertContext;
use super::limits::DETAILS;
use crate::alerts::format::{memory_percent, percentile_ms, two_decimals};
use crate::text::{rfc3339, shorten};

/// Maximum length of one value, in characters, so that one long text leaves room for the others.
const VALUE: usize = 1_000;

/// Names and values in order; a JSON object on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Details(pub(super) Vec<(String, String)>);

impl Serialize for Details {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}

impl Details {
    /// Appends the fields that have a value, up to the size limit. A name that is already taken gets a suffix.
    fn add(&mut self, name: &str, value: &str) {
        let mut name = name.to_owned();
        while self.0.iter().any(|(taken, _)| *taken == name) {
            name.push('*');
        }
        let used: usize = self.0.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        let room = DETAILS.saturating_sub(used).saturating_sub(name.chars().count()).min(VALUE);
        if !name.is_empty() && !value.is_empty() && room > 0 {
            self.0.push((name, shorten(value, room)));
        }
    }
}

pub(super) fn details(content: &AlertContext<'_>) -> Details {
    let mut details = Details::default();
    who(content, &mut details);
    what(content, &mut details);
    if content.config.include_latency_metrics {
        latency(content, &mut details);
    }
    if let Some(memory) = content.alert.snapshot.memory.filter(|_| content.config.include_memory_metrics) {
        add_memory(memory, &mut details);
        details.add("Memory Level", content.alert.snapshot.memory_level.as_deref().unwrap_or_default());
    }
    if content.config.include_system_info {
        system(content, &mut details);
    }
    for (name, value) in &content.config.api_custom_attributes {
        details.add(&shorten(name, VALUE), value);
    }
    details
}

fn who(content: &AlertContext<'_>, details: &mut Details) {
    let (config, required) = (content.config, &content.required);
    details.add("Team", &required.team);
    details.add("Environment", &required.environment);
    details.add("BookmakerId", &required.bookmaker_id);
    details.add("Host", &required.host);
    details.add("Business", &required.business);
    details.add("AdditionalContext", &config.additional_context);
    details.add("API Name", if config.api_name.is_empty() { content.alert.breaker.as_str() } else { &config.api_name });
    details.add("API Version", &config.api_version);
    details.add("API Namespace", &config.api_namespace);
    details.add("API Owner", &config.api_owner);
    details.add("API Priority", &config.api_priority);
    details.add("Service Tier", &config.service_tier);
}

fn what(content: &AlertContext<'_>, details: &mut Details) {
    let alert = content.alert;
    details.add("Alert Type", alert.kind.as_str());
    details.add("Breaker", alert.breaker.as_str());
    details.add("Key", alert.key.as_deref().unwrap_or_default());
    details.add("Incident", &alert.incident.to_string());
    details.add("Stage", alert.stage.as_str());
    details.add("Fleet", &alert.fleet.as_ref().map(ToString::to_string).unwrap_or_default());
    details.add("Cause", alert.cause.as_str());
    details.add("State", alert.snapshot.state.as_str());
    details.add("Trip Reason", alert.snapshot.trip_reason.map_or("", TripReason::as_str));
    details.add("Drill", if alert.is_drill { "simulated by an operator" } else { "" });
    details.add("Evidence", &content.evidence().unwrap_or_default());
    details.add("Wait Time (s)", &two_decimals(alert.snapshot.wait_time.as_secs_f64()).to_string());
    details.add("Source", &content.source());
    details.add("Started At", &rfc3339(alert.started_at));
    details.add("Timestamp", &rfc3339(alert.at));
}

fn latency(content: &AlertContext<'_>, details: &mut Details) {
    let seen = &content.alert.snapshot;
    if let Some(percentile) = percentile_ms(seen) {
        details.add("Latency Percentile (ms)", &two_decimals(percentile).to_string());
    }
    details.add("Latency Threshold (ms)", &two_decimals(seen.threshold.as_millis_f64()).to_string());
    details.add("Trend", seen.trend.as_str());
    details.add("Stalled Calls", &seen.stalled_at_trip.to_string());
}

fn add_memory(memory: MemorySample, details: &mut Details) {
    details.add("Memory Used (MB)", &megabytes(memory.used));
    details.add("Memory Limit (MB)", &memory.limit.map_or_else(|| "none".to_owned(), megabytes));
    details.add("Memory Used (%)", &memory_percent(memory).map_or_else(String::new, |percent| percent.to_string()));
}

fn system(content: &AlertContext<'_>, details: &mut Details) {
    let system = content.system;
    details.add("Process", &system.process_id.to_string());
    details.add("Operating System", std::env::consts::OS);
    details.add("Architecture", std::env::consts::ARCH);
    details.add("CPUs", &system.cpus.map_or_else(String::new, |cpus| cpus.to_string()));
    details.add("Resident Memory (MB)", &system.resident_bytes.map_or_else(String::new, megabytes));
    details.add("Tripline Version", env!("CARGO_PKG_VERSION"));
}

/// Megabytes of 1,048,576 bytes, as in the breaker's status.
pub(super) fn megabytes(bytes: u64) -> String {
    two_decimals(bytes as f64 / f64::from(1 << 20)).to_string()
}
