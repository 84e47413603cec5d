//! The durable state of alerts. It is written before alerts are sent, so that they survive a kill.

use std::fmt;
use std::io;
use std::time::SystemTime;

use async_trait::async_trait;
use tripline_core::AlertKind;

use crate::breaker::name::BreakerName;
use crate::breaker::operator_record::OperatorRecord;
use crate::incidents::alert::{Alert, DeliveryHistory};
use crate::incidents::records::StagingRecord;

/// Storage for the state of one breaker.
///
/// The dispatcher calls it from one task, one call at a time, with states in order of their age.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync {
    /// Replaces the stored state with `state`, atomically. Once this returns `Ok`, the state survives a loss of power.
    /// It must not block the executor. The future may be dropped at any await when the process stops; either state may
    /// be stored then.
    ///
    /// # Errors
    /// An error if the state could not be stored; the former state must still be stored. The dispatcher logs and counts
    /// the error, sends alerts nevertheless, and tries again.
    async fn save(&self, state: &DurableState) -> io::Result<()>;
}

/// The state of one breaker that must survive a restart: its incident, the alerts sent and pending per sink, the
/// actions of operators, and the learned tolerance.
///
/// With the feature `serde` it can be written in any format of serde that names its fields. It contains no secret.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DurableState {
    /// The breaker of this state.
    pub breaker: BreakerName,
    /// The key of the member whose own state it is, in [`members`](Self::members) of its family; otherwise `None`.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub key: Option<String>,
    /// The time of day of this state.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub saved_at: SystemTime,
    /// The active incident, and when its next stage is due.
    pub staging: StagingRecord,
    /// The state of each sink and kind of alert, without empty ones.
    pub lanes: Vec<LaneRecord>,
    /// The actions of operators, which are in force again after a restart.
    #[cfg_attr(feature = "serde", serde(default))]
    pub operator: OperatorRecord,
    /// The learned tolerance in milliseconds; `None` if nothing was learned.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub learned_tolerance_ms: Option<u32>,
    /// The states of the members of a family that have incidents of their own, sorted by key; see
    /// [`SupervisedBreaker::per_key`](crate::SupervisedBreaker::per_key).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Vec::is_empty"))]
    pub members: Vec<Self>,
}

impl DurableState {
    /// The version of this format. A store writes it beside the state, and reads no other version.
    pub const VERSION: u32 = 1;

    /// The state of a breaker of which nothing is known.
    pub(crate) fn empty(breaker: BreakerName, saved_at: SystemTime) -> Self {
        Self {
            breaker,
            key: None,
            saved_at,
            staging: StagingRecord::default(),
            lanes: Vec::new(),
            operator: OperatorRecord::default(),
            learned_tolerance_ms: None,
            members: Vec::new(),
        }
    }
}

/// The alerts of one kind at one sink, sent and pending.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LaneRecord {
    /// The sink's name.
    pub sink: String,
    /// The kind of alert.
    pub kind: AlertKind,
    /// Its incidents that are not closed at the sink yet, oldest first.
    pub incidents: Vec<IncidentRecord>,
    /// Whether an alert of the fleet's may have been closed alone, and the fleet does not know of it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub has_closed_alone: bool,
}

/// The stages of one incident's alert at one sink.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IncidentRecord {
    /// The number of the incident.
    pub incident: u64,
    /// The stages that were sent before.
    pub earlier: DeliveryHistory,
    /// The pending alert.
    pub waiting: Option<Alert>,
    /// The alias under which the sink opened it; `None` if it has none, or an earlier version did not store it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub alias: Option<String>,
    /// Whether it is part of a fleet's incident, which the fleet closes.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub is_of_fleet: bool,
}
