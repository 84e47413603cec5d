//! How an incident becomes alerts: at once or in stages, not too often, and never left open.

use crate::event::IncidentEnd;

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
    /// It goes on, but another kind of alert tells of it now.
    TakenOver,
}

impl Stage {
    /// The name as it stands in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Initial => "initial",
            Self::Escalated => "escalated",
            Self::Resolved(_) => "resolved",
            Self::TakenOver => "taken_over",
        }
    }

    /// The alert is to be closed.
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Resolved(_) | Self::TakenOver)
    }
}
