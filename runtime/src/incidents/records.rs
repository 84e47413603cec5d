//! The records of a breaker's incidents that survive a restart.

use std::time::{Duration, SystemTime};

use tripline_core::{AlertKind, IncidentCause, Stage, TripReason};

use crate::breaker::operator_record::OperatorRecord;

/// The record of a breaker's incidents that survives a restart, in time of day.
///
/// It holds the alerts that were handed to the dispatcher; which of them were delivered is in the lanes. It is handed over in one step with the
/// alerts that it counts as created, so that neither is ever saved without the other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StagingRecord {
    /// The number of the last incident, also where it is over; 0 = there was none.
    pub last_incident: u64,
    /// That incident, while it is open.
    pub open: Option<OpenIncident>,
    /// The last creation of an alert of each kind, in this incident or before it: cooldowns are counted from there.
    pub created: Vec<CreatedAlert>,
}

/// All that survives a restart of a breaker, but for what its sinks were sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct BreakerRecord {
    pub(crate) staging: StagingRecord,
    pub(crate) operator: OperatorRecord,
    pub(crate) learned_tolerance_ms: Option<u32>,
}

/// An open incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OpenIncident {
    /// Its cause.
    pub cause: IncidentCause,
    /// Why the breaker opened first in it; `None` where it has not.
    pub trip: Option<TripReason>,
    /// When it began. The escalation is due `escalate_after` later.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub started_at: SystemTime,
    /// Its alert; `None` where none was created yet.
    pub alert: Option<OpenAlert>,
    /// Operators simulated everything that opened the breaker in it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_drill: bool,
    /// Its last trip was a false one, and passed after this time.
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
    /// How far it has come; never an end.
    pub stage: Stage,
}

/// When an alert of a kind was created last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CreatedAlert {
    /// The kind.
    pub kind: AlertKind,
    /// When, in time of day.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub at: SystemTime,
}
