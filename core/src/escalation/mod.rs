//! Turns an incident into alerts: at once or in stages, rate-limited by a cooldown, each one closed at the end.

mod signed_instant;
mod state_machine;
#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::event::{IncidentCause, IncidentEnd};
use crate::incident::Incident;
use crate::state::TripReason;

pub use state_machine::{Escalation, Observation, Pending, SavedEscalation, SavedIncident};

/// Which alerts an incident sends, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct EscalationPolicy {
    /// Which alerts are created. Default: [`Triggers::default`].
    pub triggers: Triggers,
    /// Time from the start of an incident to its escalation, if it lasts that long. Default: 0, one alert at once.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub escalate_after: Duration,
    /// Minimum time between the creation of an alert and the first alert of a later incident of the same kind. The
    /// later one waits if necessary. Default: 300 s. 0 disables the cooldown.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub cooldown: Duration,
}

impl Default for EscalationPolicy {
    fn default() -> Self {
        Self { triggers: Triggers::default(), escalate_after: Duration::ZERO, cooldown: Duration::from_secs(300) }
    }
}

/// Which alerts are created. A trigger that is off suppresses the creation of an alert, never the close of one that was
/// created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Triggers {
    /// Create an alert when the breaker opens. Default: true.
    pub breaker_open: bool,
    /// State in the closing note that the breaker was reset. Default: false.
    pub breaker_reset: bool,
    /// Create an alert if memory is exhausted or forecast to run out, and `breaker_open` does not cover it. Default:
    /// true.
    pub memory_threshold: bool,
    /// Create an alert if latency is too high, and `breaker_open` does not cover it. Default: true.
    pub latency_threshold: bool,
}

impl Default for Triggers {
    fn default() -> Self {
        Self { breaker_open: true, breaker_reset: false, memory_threshold: true, latency_threshold: true }
    }
}

impl Triggers {
    /// Returns the kind of alert for `incident`; `None` if none is created.
    pub fn kind_for(&self, incident: &Incident) -> Option<AlertKind> {
        match (incident.trip, incident.cause) {
            (Some(_), _) if self.breaker_open => Some(AlertKind::CircuitOpen),
            (Some(reason), _) | (None, IncidentCause::Trip(reason)) => self.kind_for_trip(reason),
            (None, IncidentCause::LatencyCondition) => self.latency_threshold.then_some(AlertKind::LatencyThreshold),
            #[cfg(feature = "forecast")]
            (None, IncidentCause::MemoryCondition) => self.memory_threshold.then_some(AlertKind::MemoryThreshold),
        }
    }

    fn kind_for_trip(&self, reason: TripReason) -> Option<AlertKind> {
        match reason {
            TripReason::Memory | TripReason::MemoryAndLatency => {
                self.memory_threshold.then_some(AlertKind::MemoryThreshold)
            }
            TripReason::Latency
            | TripReason::LatencyRising
            | TripReason::LatencyPlateau
            | TripReason::LatencySustained
            | TripReason::ProbeSlow
            | TripReason::ProbeFailed => self.latency_threshold.then_some(AlertKind::LatencyThreshold),
            #[cfg(feature = "forecast")]
            TripReason::MemoryForecast => self.memory_threshold.then_some(AlertKind::MemoryThreshold),
            TripReason::Failures => None,
        }
    }
}

/// An alert to send, escalate or close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlertTransition {
    /// The number of the incident, as in [`Incident::number`].
    pub incident: u32,
    /// The kind of alert.
    pub kind: AlertKind,
    /// The stage to send.
    pub stage: Stage,
}

/// The subject of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum AlertKind {
    /// The breaker opened.
    CircuitOpen,
    /// Memory is exhausted or forecast to run out.
    MemoryThreshold,
    /// Latency is too high.
    LatencyThreshold,
}

impl AlertKind {
    /// All kinds.
    pub const ALL: [Self; 3] = [Self::CircuitOpen, Self::MemoryThreshold, Self::LatencyThreshold];

    /// The name used in aliases, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CircuitOpen => "circuit-open",
            Self::MemoryThreshold => "memory-threshold",
            Self::LatencyThreshold => "latency-threshold",
        }
    }
}

/// The stage of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Stage {
    /// The incident has begun, and this is its only alert.
    Single,
    /// The incident has begun.
    Initial,
    /// The incident has lasted for `escalate_after`.
    Escalated,
    /// The incident is over.
    Resolved(IncidentEnd),
    /// The incident goes on, and another kind of alert covers it now.
    #[cfg_attr(feature = "serde", serde(rename = "taken_over"))]
    Superseded,
}

impl Stage {
    /// The name used in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Initial => "initial",
            Self::Escalated => "escalated",
            Self::Resolved(_) => "resolved",
            Self::Superseded => "taken_over",
        }
    }

    /// Whether this stage closes the alert.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Resolved(_) | Self::Superseded)
    }
}
