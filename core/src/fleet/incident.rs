//! The incident of a fleet, and its merge with the replicas' knowledge of it.

use super::report::Known;
use super::stage::{DueStage, FleetStage};
use super::terms::{FleetContext, Terms};
use super::{KindSet, ReplicaText, rank};
use crate::escalation::AlertKind;

/// An epoch is at least the engine's time in units of this many milliseconds, so no epoch repeats.
const EPOCH_MS: u64 = 1_000;
/// Corrections of the engine's clock up to this are ignored, in milliseconds.
const MAX_STEP_MS: u64 = 1_000;

/// The state that an engine holds for one breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetState<S> {
    /// Replicas whose breaker is not closed.
    pub open: S,
    /// Replicas with an active incident of their own.
    pub unwell: S,
    /// Replicas that probe, or have permission to.
    pub probing: S,
    /// The incident of the fleet.
    pub incident: FleetIncident,
}

/// The incident of a fleet. The fields are public for engines to store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetIncident {
    /// Number of the incident; 0 = none so far.
    pub epoch: u64,
    /// Greatest epoch known when this one began.
    pub before: u64,
    /// Whether the incident is active.
    pub active: bool,
    /// Whether a close was granted. A later unwell report begins the next incident.
    pub closing: bool,
    /// The most severe kind of alert in it.
    pub kind: Option<AlertKind>,
    /// The stage that it has reached.
    pub stage: FleetStage,
    /// The kinds of alerts that may be open.
    pub sent: KindSet,
    /// When it began, in milliseconds.
    pub started_ms: u64,
    /// The kind and the time of the last created alert.
    pub created: Option<(AlertKind, u64)>,
    /// Since when no replica is unwell.
    pub empty_since_ms: Option<u64>,
    /// When it was closed, in milliseconds.
    pub resolved_ms: u64,
    /// Open replicas at the last page or note; 0 = unknown.
    pub noted: u32,
    /// When that was, in milliseconds.
    pub noted_ms: u64,
    /// The first replica that was unwell.
    pub first: ReplicaText,
    /// The cause of that replica's incident.
    pub cause: ReplicaText,
    /// The holder of the claim; empty = none.
    pub claimed_by: ReplicaText,
    /// When the claim expires, in milliseconds.
    pub claimed_until_ms: u64,
    /// Number of the last claim.
    pub fence: u64,
    /// Time of the last report, in milliseconds.
    pub latest_ms: u64,
}

impl FleetIncident {
    /// Whether replicas must report on it.
    pub const fn is_running(&self) -> bool {
        self.active || matches!(self.stage, FleetStage::Resolved)
    }

    /// Records the time. Returns true if the engine's clock was set back, and replaces every time ahead of it.
    pub(super) fn set_clock(&mut self, now_ms: u64, terms: &Terms) -> bool {
        let is_set_back = now_ms.saturating_add(MAX_STEP_MS) < self.latest_ms;
        self.latest_ms = now_ms;
        if is_set_back {
            for at in [&mut self.started_ms, &mut self.resolved_ms, &mut self.noted_ms] {
                *at = now_ms.min(*at);
            }
            self.created = self.created.map(|(kind, at)| (kind, now_ms.min(at)));
            self.empty_since_ms = self.empty_since_ms.map(|at| now_ms.min(at));
            self.claimed_until_ms = self.claimed_until_ms.min(now_ms.saturating_add(terms.lease_ms));
        }
        is_set_back
    }

    /// The part of the incident that replicas receive and repeat.
    pub(super) fn known(&self, now_ms: u64) -> Known {
        Known {
            epoch: self.epoch,
            active: self.active,
            kind: self.kind,
            stage: self.stage,
            sent: self.sent,
            age_ms: now_ms.saturating_sub(self.started_ms),
        }
    }

    /// Adopts a replica's knowledge if it is newer or further than the engine's.
    pub(super) fn adopt(&mut self, known: &Known, now_ms: u64) {
        if known.epoch > self.epoch {
            self.epoch = known.epoch;
            self.before = known.epoch;
            (self.active, self.closing) = (known.active, false);
            (self.kind, self.stage, self.sent) = (known.kind, known.stage, known.sent);
            self.started_ms = now_ms.saturating_sub(known.age_ms);
            (self.empty_since_ms, self.resolved_ms, self.noted) = (None, now_ms, 0);
            (self.first, self.cause) = (ReplicaText::new(), ReplicaText::new());
        } else if known.epoch == self.epoch {
            // An alert that may be open, of which that replica need not know, is closed once more.
            let ended = if self.sent.is_empty() { known.stage } else { FleetStage::Resolved };
            match (self.active, known.active) {
                (true, false) => {
                    (self.active, self.closing, self.stage) = (false, false, ended);
                    self.resolved_ms = now_ms;
                }
                (true, true) => self.advance(known.kind, known.stage, known.sent),
                (false, false) => self.stage = self.stage.max(ended),
                (false, true) => {}
            }
            if self.stage == FleetStage::Settled {
                self.sent = KindSet::default();
            }
        } else if known.active && known.epoch > self.before {
            // The engine lost that incident and has begun another one in its place.
            if !self.active || self.closing {
                self.begin(now_ms);
            }
            self.before = self.before.max(known.epoch);
            self.advance(known.kind, known.stage, known.sent);
            self.started_ms = self.started_ms.min(now_ms.saturating_sub(known.age_ms));
        }
    }

    /// Begins the next incident. Alerts of the last one that may still be open are closed with it.
    pub(super) fn begin(&mut self, now_ms: u64) {
        self.renumber(now_ms);
        (self.active, self.closing) = (true, false);
        (self.kind, self.stage) = (None, FleetStage::Pending);
        self.started_ms = now_ms;
        (self.empty_since_ms, self.noted) = (None, 0);
        (self.first, self.cause) = (ReplicaText::new(), ReplicaText::new());
    }

    /// Gives the incident the next number, so that what replicas know of it is out of date.
    pub(super) fn renumber(&mut self, now_ms: u64) {
        self.before = self.epoch;
        self.epoch = self.epoch.saturating_add(1).max(now_ms / EPOCH_MS);
    }

    /// Whether no close was sent since a replica learned this.
    pub(super) fn is_unclosed_since(&self, known: &Known) -> bool {
        let was_over = known.epoch == 0 || known.stage == FleetStage::Settled;
        match (known.active, self.active) {
            (true, true) => !self.closing && known.epoch == self.epoch,
            (true, false) => false,
            // The next incident has begun.
            (false, true) => !self.closing && was_over && known.epoch == self.before,
            (false, false) => was_over && known.epoch == self.epoch,
        }
    }

    /// Advances to a more severe kind, or to a later stage of the same kind.
    pub(super) fn advance(&mut self, kind: Option<AlertKind>, stage: FleetStage, sent: KindSet) {
        if (rank(kind), stage) > (rank(self.kind), self.stage) {
            (self.kind, self.stage) = (kind, stage);
        }
        self.sent = self.sent.union(sent);
    }

    /// Returns the stage that is due.
    pub(super) fn due_stage(&self, terms: &Terms, context: FleetContext, open: u32, unwell: u32) -> Option<DueStage> {
        let due = |at: u64| context.now_ms >= at;
        if !self.active {
            let again = self.stage == FleetStage::Resolved && due(self.resolved_ms.saturating_add(terms.lease_ms));
            return again.then_some(DueStage::ResolvedAgain);
        }
        if let Some(since) = self.empty_since_ms {
            let is_over = due(since.saturating_add(terms.settle_ms)) && !self.sent.is_empty();
            return is_over.then_some(DueStage::Resolved);
        }
        let is_escalated = self.stage == FleetStage::Escalated;
        match self.stage {
            FleetStage::Pending => {
                let is_due = unwell >= terms.page_at.needed(context.members) && due(self.page_at_ms(terms, context));
                is_due.then_some(DueStage::Initial)
            }
            _ if !is_escalated && self.escalates(terms, open) && due(self.escalation_ms(terms)) => {
                Some(DueStage::Escalated)
            }
            _ => {
                let has_doubled = self.noted > 0 && open >= self.noted.saturating_mul(2);
                (has_doubled && due(self.noted_ms.saturating_add(terms.settle_ms))).then_some(DueStage::Note)
            }
        }
    }

    /// Returns when the next stage is due if nothing changes, in milliseconds; `None` if time alone makes none due.
    pub(super) fn next_due_ms(&self, terms: &Terms, context: FleetContext, open: u32, unwell: u32) -> Option<u64> {
        if self.due_stage(terms, context, open, unwell).is_some() {
            return Some(self.claimed_until_ms);
        }
        if !self.active {
            return (self.stage == FleetStage::Resolved).then(|| self.resolved_ms.saturating_add(terms.lease_ms));
        }
        match (self.empty_since_ms, self.stage) {
            (Some(since), _) => Some(since.saturating_add(terms.settle_ms)),
            (None, FleetStage::Pending) => {
                (unwell >= terms.page_at.needed(context.members)).then(|| self.page_at_ms(terms, context))
            }
            (None, FleetStage::Initial) if self.escalates(terms, open) => Some(self.escalation_ms(terms)),
            _ => None,
        }
    }

    fn page_at_ms(&self, terms: &Terms, context: FleetContext) -> u64 {
        let gathered = self.started_ms.saturating_add(terms.gather_ms);
        let grown_up = context.born_ms.saturating_add(terms.grace_ms);
        // A more severe kind replaces the alert within an incident at once, without a cooldown.
        let of_same_kind = self.created.filter(|(kind, at)| Some(*kind) == self.kind && *at < self.started_ms);
        let cooled_down = of_same_kind.map_or(0, |(_, at)| at.saturating_add(terms.cooldown_ms));
        gathered.max(grown_up).max(cooled_down)
    }

    fn escalation_ms(&self, terms: &Terms) -> u64 {
        self.started_ms.saturating_add(terms.escalate_after_ms)
    }

    /// Whether the incident may escalate: a condition while it lasts, an opening while a replica is open.
    fn escalates(&self, terms: &Terms, open: u32) -> bool {
        terms.escalate_after_ms > 0 && (open > 0 || self.kind != Some(AlertKind::CircuitOpen))
    }
}
