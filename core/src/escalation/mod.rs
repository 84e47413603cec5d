//! How an incident becomes alerts: at once or in stages, not too often, and never left open.

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
    /// Which alerts are created. Default: see there.
    pub triggers: Triggers,
    /// From the beginning of an incident to its escalation, where it stays. 0 (the default): there is one alert, at once.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub escalate_after: Duration,
    /// From the creation of an alert to the first one of a later incident of the same kind, which waits until then if need be.
    /// Default: 300 s. 0 = nothing waits.
    #[cfg_attr(feature = "serde", serde(with = "crate::serde_duration"))]
    pub cooldown: Duration,
}

impl Default for EscalationPolicy {
    fn default() -> Self {
        Self { triggers: Triggers::default(), escalate_after: Duration::ZERO, cooldown: Duration::from_secs(300) }
    }
}

/// Which alerts are created. Off suppresses the creation, never the close of one that was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Triggers {
    /// When the breaker opens. Default: true.
    pub breaker_open: bool,
    /// Say in the close that the breaker was reset. Default: false.
    pub breaker_reset: bool,
    /// When memory runs out, or is forecast to, where `breaker_open` does not cover it. Default: true.
    pub memory_threshold: bool,
    /// When latency is too high, where `breaker_open` does not cover it. Default: true.
    pub latency_threshold: bool,
}

impl Default for Triggers {
    fn default() -> Self {
        Self { breaker_open: true, breaker_reset: false, memory_threshold: true, latency_threshold: true }
    }
}

impl Triggers {
    /// The kind of alert for `incident`; `None` where none is to be sent.
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

/// An alert that is to be sent, escalated or closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlertTransition {
    /// The incident's number, as [`Incident::number`] has it.
    pub incident: u32,
    /// Which of its alerts.
    pub kind: AlertKind,
    /// How far it has come.
    pub stage: Stage,
}

/// What an alert is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum AlertKind {
    /// The breaker opened.
    CircuitOpen,
    /// Memory runs out.
    MemoryThreshold,
    /// Latency is too high.
    LatencyThreshold,
}

impl AlertKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::CircuitOpen, Self::MemoryThreshold, Self::LatencyThreshold];

    /// The name as it stands in aliases, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::CircuitOpen => "circuit-open",
            Self::MemoryThreshold => "memory-threshold",
            Self::LatencyThreshold => "latency-threshold",
        }
    }
}

/// How far an alert has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Stage {
    /// The incident has begun, and there is only this one alert of it.
    Single,
    /// The incident has begun.
    Initial,
    /// It stays.
    Escalated,
    /// It is over.
    Resolved(IncidentEnd),
    /// It goes on, but another kind of alert covers it now.
    #[cfg_attr(feature = "serde", serde(rename = "taken_over"))]
    Superseded,
}

impl Stage {
    /// The name as it stands in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Initial => "initial",
            Self::Escalated => "escalated",
            Self::Resolved(_) => "resolved",
            Self::Superseded => "taken_over",
        }
    }

    /// The alert is to be closed.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Resolved(_) | Self::Superseded)
    }
}
