//! The incident of a fleet, and what replicas know of it.

use super::report::Known;
use super::stage::{DueStage, FleetStage};
use super::terms::{FleetContext, Terms};
use super::{KindSet, ReplicaText, rank};
use crate::escalation::AlertKind;

/// Epochs are at least the engine's time in units of so many milliseconds, so that none comes twice.
const EPOCH_MS: u64 = 1_000;

/// What an engine holds of one breaker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetState<S> {
    /// Replicas whose breaker is not closed.
    pub open: S,
    /// Replicas whose own incident runs.
    pub unwell: S,
    /// Their incident.
    pub incident: FleetIncident,
}

/// The incident of a fleet. The fields are public for engines to store.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetIncident {
    /// Its number; 0 = there was none.
    pub epoch: u64,
    /// The greatest epoch that was known when this one began.
    pub before: u64,
    /// It is not over.
    pub active: bool,
    /// A close was granted: what comes now is the next incident.
    pub closing: bool,
    /// The gravest kind of alert in it.
    pub kind: Option<AlertKind>,
    /// How far it has come.
    pub stage: FleetStage,
    /// The kinds of alerts that may be open.
    pub sent: KindSet,
    /// When it began.
    pub started_ms: u64,
    /// When an alert was created last, and of which kind.
    pub created: Option<(AlertKind, u64)>,
    /// Since when no replica is unwell.
    pub empty_since_ms: Option<u64>,
    /// When it was closed.
    pub resolved_ms: u64,
    /// How many replicas were open at the last page or note; 0 = not known.
    pub noted: u32,
    /// When that was.
    pub noted_ms: u64,
    /// The replica that was unwell first.
    pub first: ReplicaText,
    /// What its incident began with.
    pub cause: ReplicaText,
    /// Who holds the claim; empty = no one.
    pub claimed_by: ReplicaText,
    /// Until when.
    pub claimed_until_ms: u64,
    /// The number of the last claim.
    pub fence: u64,
}

impl FleetIncident {
    /// Whether replicas have to report on it.
    pub const fn is_running(&self) -> bool {
        self.active || matches!(self.stage, FleetStage::Resolved)
    }

    /// What replicas are answered, and say again.
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

    /// Takes what a replica knows, as far as it is more than what is known here.
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
            match (self.active, known.active) {
                (true, false) => {
                    (self.active, self.closing, self.stage) = (false, false, known.stage);
                    self.resolved_ms = now_ms;
                }
                (true, true) => self.advance(known.kind, known.stage, known.sent),
                (false, false) => self.stage = self.stage.max(known.stage),
                (false, true) => {}
            }
            if self.stage == FleetStage::Settled {
                self.sent = KindSet::default();
            }
        } else if known.active && known.epoch > self.before {
            // The engine forgot that incident, and has begun another for it.
            if !self.active || self.closing {
                self.begin(now_ms);
            }
            self.before = self.before.max(known.epoch);
            self.advance(known.kind, known.stage, known.sent);
            self.started_ms = self.started_ms.min(now_ms.saturating_sub(known.age_ms));
        }
    }

    /// The next incident begins. What may still be open of the last one is closed with it.
    pub(super) fn begin(&mut self, now_ms: u64) {
        self.before = self.epoch;
        self.epoch = self.epoch.saturating_add(1).max(now_ms / EPOCH_MS);
        (self.active, self.closing) = (true, false);
        (self.kind, self.stage) = (None, FleetStage::Pending);
        self.started_ms = now_ms;
        (self.empty_since_ms, self.noted) = (None, 0);
        (self.first, self.cause) = (ReplicaText::new(), ReplicaText::new());
    }

    /// Takes further progress: a graver kind, or a later stage of the same.
    pub(super) fn advance(&mut self, kind: Option<AlertKind>, stage: FleetStage, sent: KindSet) {
        if (rank(kind), stage) > (rank(self.kind), self.stage) {
            (self.kind, self.stage) = (kind, stage);
        }
        self.sent = self.sent.union(sent);
    }

    /// The stage that is due.
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

    /// When the next stage is due, if nothing changes; `None` where time alone makes none due.
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
        // A graver kind takes over within an incident at once.
        let of_same_kind = self.created.filter(|(kind, at)| Some(*kind) == self.kind && *at < self.started_ms);
        let cooled_down = of_same_kind.map_or(0, |(_, at)| at.saturating_add(terms.cooldown_ms));
        gathered.max(grown_up).max(cooled_down)
    }

    fn escalation_ms(&self, terms: &Terms) -> u64 {
        self.started_ms.saturating_add(terms.escalate_after_ms)
    }

    /// A condition escalates while it lasts, an opening while a replica is open.
    fn escalates(&self, terms: &Terms, open: u32) -> bool {
        terms.escalate_after_ms > 0 && (open > 0 || self.kind != Some(AlertKind::CircuitOpen))
    }
}
