//! The bodies of the requests. Pure: the same alert and configuration give the same text.

use serde::Serialize;
use tripline_runtime::core::{IncidentCause, IncidentEnd, TripReason};
use tripline_runtime::{Alert, AlertKind, Priority, Stage};

use super::context::AlertContext;
use super::description::description;
use super::details::{Details, details};
use super::limits::{DESCRIPTION, ENTITY, MESSAGE, NOTE};
use super::tags::tags;
use crate::alerts::format::{lasted_seconds, passed};
use crate::text::shorten;

/// The body of a request that opens an alert.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct CreateAlert {
    message: String,
    alias: String,
    description: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    responders: Vec<Responder>,
    tags: Vec<String>,
    details: Details,
    entity: String,
    source: String,
    priority: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Responder {
    r#type: &'static str,
    name: String,
}

/// The body of a request that adds a note, or closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Noted {
    note: String,
    source: String,
}

impl AlertContext<'_> {
    /// Creates the body that opens an alert.
    pub(super) fn create(&self, alias: &str, priority: Priority) -> CreateAlert {
        let team = (!self.config.team.is_empty()).then(|| Responder { r#type: "team", name: self.config.team.clone() });
        CreateAlert {
            message: shorten(&self.headline_of_fleet(), MESSAGE),
            alias: alias.to_owned(),
            description: shorten(&description(self), DESCRIPTION),
            responders: team.into_iter().collect(),
            tags: tags(self),
            details: details(self),
            entity: shorten(&self.subject, ENTITY),
            source: self.source(),
            priority: priority.as_str(),
        }
    }

    /// The headline, with the state of the fleet.
    fn headline_of_fleet(&self) -> String {
        let headline = self.headline(what(self.alert));
        self.alert.fleet.as_ref().map_or_else(|| headline.clone(), |fleet| format!("{headline} - {fleet}"))
    }

    /// The note that the incident goes on, or that it has grown.
    pub(super) fn escalation_note(&self, priority: Priority) -> Noted {
        self.noted(&format!(
            "{}\nStill ongoing after {} s. The priority is now {}.\n{}",
            self.headline_of_fleet(),
            lasted_seconds(self.alert),
            priority.as_str(),
            super::description::figures(self).join("\n")
        ))
    }

    /// The note with the reason for the close.
    pub(super) fn closing_note(&self) -> Noted {
        let lasted = lasted_seconds(self.alert);
        let why = match self.alert.stage {
            Stage::Superseded => "The incident continues under another alert.".to_owned(),
            Stage::Resolved(IncidentEnd::Operator) => format!("Ended by an operator after {lasted} s."),
            _ if self.alert.fleet.is_some() => format!("Resolved: all replicas are healthy again after {lasted} s."),
            _ => format!("Resolved: healthy again. The incident lasted {lasted} s."),
        };
        let headline = if self.alert.announce_reset && self.alert.stage != Stage::Superseded {
            self.headline("Circuit Breaker RESET") + "\n"
        } else {
            String::new()
        };
        let passed = passed(self.alert).map_or_else(String::new, |passed| format!("\n{passed}"));
        self.noted(&format!("{headline}{why}{passed}"))
    }

    fn noted(&self, note: &str) -> Noted {
        Noted { note: shorten(note, NOTE), source: self.source() }
    }
}

const fn what(alert: &Alert) -> &'static str {
    match alert.kind {
        _ if alert.is_test => "Test page, no incident",
        AlertKind::MemoryThreshold if is_forecast(alert.cause) => "Memory Running Out",
        AlertKind::MemoryThreshold => "Memory Threshold Exceeded",
        AlertKind::LatencyThreshold => "High Latency Detected",
        _ => "Circuit Breaker OPEN",
    }
}

const fn is_forecast(cause: IncidentCause) -> bool {
    matches!(cause, IncidentCause::MemoryCondition | IncidentCause::Trip(TripReason::MemoryForecast))
}
