//! The records of a breaker's incidents that survive a restart.

use std::time::{Duration, SystemTime};

use tripline_core::{AlertKind, IncidentCause, Stage, TripReason};

use crate::breaker::operator_record::OperatorRecord;

/// The record of a breaker's incidents that survives a restart, in time of day.
///
/// It contains the alerts that were handed to the dispatcher; the lanes record which of them were delivered. It is
/// handed over in one step with the alerts that it counts as created, so neither is ever saved without the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StagingRecord {
    /// The number of the last incident, active or over; 0 = none so far.
    pub last_incident: u64,
    /// That incident, while it is active.
    pub open: Option<OpenIncident>,
    /// The last creation of an alert of each kind, in this incident or before it; cooldowns count from there.
    pub created: Vec<CreatedAlert>,
}

/// The state of a breaker that survives a restart, without the state of its sinks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BreakerRecord {
    pub(crate) staging: StagingRecord,
    pub(crate) operator: OperatorRecord,
    pub(crate) learned_tolerance_ms: Option<u32>,
}

/// An active incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OpenIncident {
    /// The cause of the incident.
    pub cause: IncidentCause,
    /// The reason of its first trip; `None` without a trip.
    pub trip: Option<TripReason>,
    /// When it began. The escalation is due `escalate_after` later.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub started_at: SystemTime,
    /// Its alert; `None` if none was created yet.
    pub alert: Option<OpenAlert>,
    /// Whether operators simulated every trip of it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_drill: bool,
    /// The duration of its last trip, if that trip was false.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub passed_after: Option<Duration>,
}

/// An alert that was created and not closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OpenAlert {
    /// Its kind.
    pub kind: AlertKind,
    /// The stage that it has reached; never an end.
    pub stage: Stage,
}

/// The last creation of an alert of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CreatedAlert {
    /// The kind.
    pub kind: AlertKind,
    /// The time of day.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub at: SystemTime,
}
