//! The state of one breaker of a fleet in one process.

use std::time::Duration;

use tripline_core::fleet::{Claim, DueStage, FleetStage, FleetView, Known};
use tripline_core::{AlertKind, Generation, IncidentCause, Instant, MonotonicInstant};

use crate::breaker::Breaker;
use crate::dispatch::FleetOutbox;
use crate::family::Family;
use crate::incidents::alert::FamilySummary;
use crate::incidents::staging_control::StagingControl;

/// The health of a breaker of this process, as its supervisor reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Local {
    /// Whether it is not closed.
    pub(crate) is_open: bool,
    /// Its current opening, if it is open.
    pub(crate) opening: Option<Opening>,
    /// Whether it is half-open.
    pub(crate) is_probing: bool,
    /// The kind and cause of the alert for its active incident.
    pub(crate) unwell: Option<(AlertKind, IncidentCause)>,
    /// Its recovery time.
    pub(crate) recovery_time: Duration,
    pub(crate) escalate_after: Duration,
    pub(crate) cooldown: Duration,
}

/// The members of a family at the moment of a report.
#[derive(Debug)]
pub(crate) struct Members {
    /// The one that alerts describe.
    pub(crate) worst: Breaker,
    pub(crate) summary: FamilySummary,
}

/// One opening of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Opening {
    pub(crate) generation: Generation,
    /// End of its wait.
    pub(crate) until: MonotonicInstant,
    /// End of its wait, on the clock.
    pub(crate) until_on_clock: Instant,
}

/// An open breaker whose probes need permission.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// The opening with its original end of the wait, which holding delays.
    pub(super) opening: Opening,
    /// When it asks for permission.
    pub(super) asks_at: Instant,
    /// When its permission expires.
    pub(super) grant_ends: Option<Instant>,
}

/// One breaker of this process.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) id: u64,
    /// The breaker, or the shared member of the family.
    pub(super) breaker: Breaker,
    /// The family, if it is one: it takes part as one breaker.
    pub(super) family: Option<Family>,
    pub(super) outbox: FleetOutbox,
    pub(super) staging: StagingControl,
    pub(super) local: Local,
    /// The members of the family, as of the last report.
    pub(super) members: Option<Members>,
    pub(super) known: Known,
    /// When it was learned.
    pub(super) learned_at: Instant,
    pub(super) view: Option<FleetView>,
    /// When the next report is due.
    pub(super) sync_at: Option<Instant>,
    /// Whether its last report failed.
    pub(super) has_failed: bool,
    /// Whether it has left this process; one last report announces that.
    pub(super) is_gone: bool,
    /// Whether it was removed from the configuration; it may be added again.
    pub(super) is_retired: bool,
    /// Whether a stage is being sent.
    pub(super) is_sending: bool,
    /// Until when it does not claim a stage, because deliveries failed.
    pub(super) cannot_until: Option<Instant>,
    /// Since when an unclaimed stage is due.
    pub(super) unclaimed_since: Option<Instant>,
    /// Its opening, whose probes need permission.
    pub(super) held: Option<Held>,
}

/// How long a healthy replica leaves the first page, which shows the fault, to an unwell one.
const HEALTHY_WAITS: Duration = Duration::from_secs(6);
/// How long a replica without a pager leaves a stage to one with a pager.
const PAGERLESS_WAITS: Duration = Duration::from_secs(15);

impl Entry {
    pub(super) fn new(
        id: u64,
        breaker: Breaker,
        family: Option<Family>,
        outbox: FleetOutbox,
        staging: StagingControl,
    ) -> Self {
        Self {
            id,
            breaker,
            family,
            outbox,
            staging,
            local: Local::default(),
            members: None,
            known: Known::default(),
            learned_at: Instant::ZERO,
            view: None,
            sync_at: None,
            has_failed: false,
            is_gone: false,
            is_retired: false,
            is_sending: false,
            cannot_until: None,
            unclaimed_since: None,
            held: None,
        }
    }

    /// The breaker whose figures an alert contains, and the members of the family in an incident.
    pub(super) fn described(&self) -> (&Breaker, Option<FamilySummary>) {
        match &self.members {
            Some(members) if self.local.unwell.is_some() => (&members.worst, Some(members.summary.clone())),
            _ => (&self.breaker, None),
        }
    }

    /// Whether it is visible in the status: a removed one only until its incident has ended.
    pub(super) fn is_shown(&self) -> bool {
        !self.is_retired || self.is_running()
    }

    /// Schedules a report at `at` or earlier.
    pub(super) fn report_by(&mut self, at: Instant) {
        self.sync_at = Some(self.sync_at.map_or(at, |earlier| earlier.min(at)));
    }

    /// Takes a clock that was set back to `now`.
    pub(super) fn set_back(&mut self, now: Instant) {
        (self.cannot_until, self.unclaimed_since) = (None, None);
        self.outbox.set_back(now);
        self.learned_at = now.min(self.learned_at);
        if let Some(held) = &mut self.held {
            held.asks_at = held.asks_at.min(now);
        }
    }

    /// Whether it may claim a stage at `now`.
    pub(super) fn can_deliver(&self, now: Instant) -> bool {
        if self.is_gone || self.cannot_until.is_some_and(|until| now < until) {
            return false;
        }
        if self.is_sending {
            return true;
        }
        let waits = match (self.outbox.has_pager(), self.local.unwell) {
            (false, _) => PAGERLESS_WAITS,
            (true, None) if self.known.active && self.known.stage == FleetStage::Pending => HEALTHY_WAITS,
            (true, _) => return true,
        };
        self.unclaimed_since.is_some_and(|since| now >= since + waits)
    }

    /// Whether every beat reports it, even if the engine does not ask for it.
    pub(super) fn needs_report(&self) -> bool {
        let is_well = self.local.unwell.is_none() && !self.local.is_open;
        !is_well || self.is_running() || self.is_gone || self.has_unreported()
    }

    /// Whether this replica paged or closed an alert alone, and the fleet does not know of it.
    fn has_unreported(&self) -> bool {
        self.outbox.paged().is_some() || self.outbox.closed_alone(Instant::ZERO).is_some()
    }

    /// Records that a stage was sent. An engine that lost the acknowledgement learns it from the next report.
    pub(super) fn has_sent(&mut self, claim: &Claim) {
        let known = &mut self.known;
        if known.epoch != claim.epoch || known.kind != Some(claim.kind) || !known.active {
            return;
        }
        match claim.due {
            DueStage::Initial => known.stage = known.stage.max(FleetStage::Initial),
            DueStage::Escalated => known.stage = known.stage.max(FleetStage::Escalated),
            DueStage::Resolved => (known.active, known.stage) = (false, FleetStage::Resolved),
            DueStage::Note | DueStage::ResolvedAgain => {}
        }
    }

    /// The knowledge to report at `now`: an incident grows older while the engine is out of reach.
    pub(super) fn knowledge(&self, now: Instant) -> Known {
        let millis = u64::try_from(now.since(self.learned_at).as_millis()).unwrap_or(u64::MAX);
        Known { age_ms: self.known.age_ms.saturating_add(millis), ..self.known }
    }

    /// Takes the engine's knowledge at `now`, except for a stage that was sent while the response was on its way.
    pub(super) fn learn(&mut self, known: Known, now: Instant) {
        let is_same = (known.epoch, known.kind, known.active) == (self.known.epoch, self.known.kind, self.known.active);
        let stage = if is_same { known.stage.max(self.known.stage) } else { known.stage };
        (self.known, self.learned_at) = (Known { stage, ..known }, now);
    }

    /// Whether the fleet's incident is not settled yet.
    pub(super) fn is_running(&self) -> bool {
        self.known.active || self.known.stage == FleetStage::Resolved
    }
}
