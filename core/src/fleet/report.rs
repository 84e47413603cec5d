//! What replicas say, and what they are answered.

use super::stage::{DueStage, FleetStage};
use super::{KindSet, ReplicaText};
use crate::escalation::AlertKind;

/// What one replica says of one breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report<'a> {
    /// Who says it.
    pub replica: &'a ReplicaText,
    /// Its breaker is not closed.
    pub open: bool,
    /// Its own incident runs, and is worth an alert of this kind.
    pub unwell: Option<AlertKind>,
    /// What its incident began with, as a word; kept of the first replica.
    pub cause: ReplicaText,
    /// It can send a stage. False from the holder of a claim gives the claim back.
    pub can_deliver: bool,
    /// What it was last answered of the incident.
    pub known: Known,
    /// What it paged alone, while it could not reach the engine.
    pub paged: Option<Paged>,
}

impl<'a> Report<'a> {
    /// A replica that is well and knows nothing.
    pub fn of(replica: &'a ReplicaText) -> Self {
        Self {
            replica,
            open: false,
            unwell: None,
            cause: ReplicaText::new(),
            can_deliver: false,
            known: Known::default(),
            paged: None,
        }
    }
}

/// What is known of an incident. Replicas get it with every answer and say it with every report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Known {
    /// Its number; 0 = none is known.
    pub epoch: u64,
    /// It is not over.
    pub active: bool,
    /// The gravest kind of alert in it.
    pub kind: Option<AlertKind>,
    /// How far it has come.
    pub stage: FleetStage,
    /// The kinds of alerts that may be open.
    pub sent: KindSet,
    /// Since it began.
    pub age_ms: u64,
}

/// What a replica paged alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paged {
    /// The kinds of alerts that may be open.
    pub kinds: KindSet,
    /// One of them was escalated.
    pub escalated: bool,
}

/// What a replica is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetView {
    /// The incident.
    pub known: Known,
    /// Replicas whose breaker is not closed.
    pub open: u32,
    /// Replicas whose incident runs.
    pub unwell: u32,
    /// The members of the fleet.
    pub members: u32,
    /// The replica that was unwell first; empty where it is not known.
    pub first: ReplicaText,
    /// What its incident began with; empty where it is not known.
    pub cause: ReplicaText,
    /// When something is next due, if nothing changes.
    pub due_in_ms: Option<u64>,
    /// The right to send a stage.
    pub claim: Option<Claim>,
}

impl FleetView {
    /// An incident of which no replica says anything.
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
        }
    }
}

/// The right to send one stage, for the length of the lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Which stage.
    pub due: DueStage,
    /// Of which incident.
    pub epoch: u64,
    /// Its number among all claims.
    pub fence: u64,
    /// The kind of its alert.
    pub kind: AlertKind,
    /// The kinds that may be open, to be closed with the incident.
    pub sent: KindSet,
    /// How many replicas were open when it was granted.
    pub open: u32,
}
