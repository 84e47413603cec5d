//! The durable state of alerts, written before they are sent, so that they survive a kill.

use std::fmt;
use std::io;
use std::time::SystemTime;

use async_trait::async_trait;
use tripline_core::AlertKind;

use crate::breaker::name::BreakerName;
use crate::breaker::operator_record::OperatorRecord;
use crate::incidents::alert::{Alert, DeliveryHistory};
use crate::incidents::records::StagingRecord;

/// Where the state of one breaker is kept.
///
/// The dispatcher calls it from one task, one call at a time, and never for a state that is older than one it gave before.
#[async_trait]
pub trait StateStore: fmt::Debug + Send + Sync {
    /// Keeps `state` in place of what was kept before: all of it or nothing, and when this returns `Ok` it survives a loss
    /// of power. It must not block the executor. The future may be dropped at any await, when the process stops; what is
    /// kept then is either of the two.
    ///
    /// # Errors
    /// Where it could not be kept, the former state still is. It is logged and counted, alerts go out all the same, and
    /// the dispatcher tries again.
    async fn save(&self, state: &DurableState) -> io::Result<()>;
}

/// All that must not be lost of one breaker: its incident, what its sinks were sent and are still to be sent, what operators did,
/// and the tolerance that it learned.
///
/// With the feature `serde` it can be written in any format of serde's that names its fields. It holds no secret.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DurableState {
    /// Whose state.
    pub breaker: BreakerName,
    /// When it was taken, in time of day.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub saved_at: SystemTime,
    /// The incident that is on, and when its next stage is due.
    pub staging: StagingRecord,
    /// The state of each sink and kind of alert; those without any are left out.
    pub lanes: Vec<LaneRecord>,
    /// The actions of operators, which are in force again after a restart.
    #[cfg_attr(feature = "serde", serde(default))]
    pub operator: OperatorRecord,
    /// The tolerance that was learned, in milliseconds; `None` where none was.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub learned_tolerance_ms: Option<u32>,
}

impl DurableState {
    /// The version of this form. A store writes it beside the state, and does not read any other.
    pub const VERSION: u32 = 1;
}

/// The alerts of one kind that one sink was sent, and is to be sent.
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
}

/// The stages of one incident's alert that one sink was sent.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct IncidentRecord {
    /// The number of the incident.
    pub incident: u64,
    /// The stages that were sent before.
    pub earlier: DeliveryHistory,
    /// The alert to send.
    pub waiting: Option<Alert>,
    /// The name under which the sink opened it; `None` where it has none, or an earlier version did not keep it.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub alias: Option<String>,
    /// It is part of a fleet's incident, which the fleet closes.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "std::ops::Not::not"))]
    pub is_of_fleet: bool,
}
