//! Reports of replicas, and the responses to them.

use super::stage::{DueStage, FleetStage};
use super::{KindSet, ReplicaText};
use crate::escalation::AlertKind;

/// The report of one replica on one breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report<'a> {
    /// The reporting replica.
    pub replica: &'a ReplicaText,
    /// Whether its breaker is not closed.
    pub open: bool,
    /// The kind of alert for its active incident; `None` if no incident is active.
    pub unwell: Option<AlertKind>,
    /// The cause of its incident, as a word; the one of the first replica is kept.
    pub cause: ReplicaText,
    /// Whether it can send a stage. False from the holder of a claim releases the claim.
    pub can_deliver: bool,
    /// The incident as of the last response to this replica.
    pub known: Known,
    /// The alerts that it paged alone while it could not reach the engine.
    pub paged: Option<Paged>,
    /// Time since it last closed an alert while it could not reach the engine, in milliseconds; `None` if it has closed none, or the
    /// engine knows of it.
    pub closed_alone_ms: Option<u64>,
    /// Its part in the probe budget. Ignored if [`Terms::probe_millionths`](super::Terms) is 0.
    pub probe: Probe,
}

/// A replica's part in the probe budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Probe {
    /// The replica does not probe: it is closed, or its wait is not over.
    #[default]
    None,
    /// The wait of the replica is over: it asks for permission to probe.
    Asks,
    /// The replica is half-open.
    Probing,
}

impl Probe {
    /// The number that engines receive.
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl<'a> Report<'a> {
    /// Creates the report of a healthy replica without knowledge of an incident.
    pub fn of(replica: &'a ReplicaText) -> Self {
        Self {
            replica,
            open: false,
            unwell: None,
            cause: ReplicaText::new(),
            can_deliver: false,
            known: Known::default(),
            paged: None,
            closed_alone_ms: None,
            probe: Probe::None,
        }
    }
}

/// The shared knowledge of an incident. Every response contains it, and every report repeats it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Number of the incident; 0 = none.
    pub epoch: u64,
    /// Whether the incident is active.
    pub active: bool,
    /// The most severe kind of alert in it.
    pub kind: Option<AlertKind>,
    /// The stage that it has reached.
    pub stage: FleetStage,
    /// The kinds of alerts that may be open.
    pub sent: KindSet,
    /// Time since it began, in milliseconds.
    pub age_ms: u64,
}

/// The alerts that a replica paged alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paged {
    /// The kinds of alerts that may be open.
    pub kinds: KindSet,
    /// The stage of the most severe kind that the receiver confirmed; [`FleetStage::Pending`] if it confirmed none.
    pub confirmed: FleetStage,
}

/// The response to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetView {
    /// The incident.
    pub known: Known,
    /// Replicas whose breaker is not closed.
    pub open: u32,
    /// Replicas with an active incident.
    pub unwell: u32,
    /// Members of the fleet.
    pub members: u32,
    /// The first replica that was unwell; empty if unknown.
    pub first: ReplicaText,
    /// The cause of its incident; empty if unknown.
    pub cause: ReplicaText,
    /// Time until the next stage is due if nothing changes, in milliseconds.
    pub due_in_ms: Option<u64>,
    /// The right to send a stage.
    pub claim: Option<Claim>,
    /// Whether the replica asked for permission to probe and has it, for [`Terms::probe_grant_ms`](super::Terms) from the first
    /// such response.
    pub may_probe: bool,
}

impl FleetView {
    /// Creates the view of an incident without reports.
    pub const fn of(known: Known) -> Self {
        Self {
            known,
            open: 0,
            unwell: 0,
            members: 0,
            first: ReplicaText::new(),
            cause: ReplicaText::new(),
            due_in_ms: None,
            claim: None,
            may_probe: false,
        }
    }
}

/// The right to send one stage, for the duration of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The stage to send.
    pub due: DueStage,
    /// The epoch of the incident.
    pub epoch: u64,
    /// Number of the claim.
    pub fence: u64,
    /// The kind of the alert.
    pub kind: AlertKind,
    /// The kinds that may be open, to close with the incident.
    pub sent: KindSet,
    /// Open replicas when the claim was granted.
    pub open: u32,
}
