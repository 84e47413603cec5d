//! The externally known state of a breaker, to compare with its own.

use std::collections::BTreeMap;
use std::time::Duration;

use tripline_core::{Instant, Outcome, StateKind};
use tripline_runtime::{Breaker, OwnedTimedPermit};

use super::callers::PlannedCall;
use super::mood::Mood;
use super::operator::Command;
use super::settings::SLOW_MS;
use super::violation::hold;

/// A call in flight.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) permit: OwnedTimedPermit,
    pub(super) generation: u32,
    pub(super) was_half_open: bool,
    /// A disabled breaker does not track its calls.
    pub(super) is_tracked: bool,
    /// Admitted without a record: while the generation lasts, a drop of its permit leaves no trace.
    is_free: bool,
    pub(super) started: Instant,
    pub(super) is_bad: bool,
    pub(super) outcome: Outcome,
    pub(super) is_dropped: bool,
}

/// The counts that a breaker should have since the start of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) ok: u64,
    pub(super) failed: u64,
    pub(super) ignored: u64,
    pub(super) stale: u64,
    pub(super) dropped: u64,
    pub(super) rejected: u64,
}

/// What must survive the process: whether an operator holds the breaker open, whether a tripped incident is on, and since when both are
/// as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LeftOff {
    pub(super) is_forced: bool,
    pub(super) in_incident: bool,
    pub(super) since: Instant,
}

impl LeftOff {
    pub(super) fn see(&mut self, now: Instant, is_forced: bool, in_incident: bool) {
        if (self.is_forced, self.in_incident) != (is_forced, in_incident) {
            *self = Self { is_forced, in_incident, since: now };
        }
    }
}

/// The knowledge about one breaker.
#[derive(Debug)]
pub(super) struct Truth {
    pub(super) mood: Mood,
    pub(super) calls: BTreeMap<u64, Call>,
    pub(super) expected: Expected,
    /// When a call was last slow, failed or hung.
    pub(super) bad_at: Option<Instant>,
    /// Since when every call is bad.
    pub(super) all_bad_since: Option<Instant>,
    /// When it was last affected by something other than its service: operators, edits, restarts.
    pub(super) touched: Instant,
    /// The last observed state with its generation, and since when it is of the same kind.
    pub(super) seen: Option<(StateKind, u32)>,
    pub(super) closed_since: Option<Instant>,
    /// When its state or generation changed last.
    pub(super) changed: Instant,
    /// Since when it is open, half-open or held open.
    pub(super) not_closed_since: Option<Instant>,
    /// The active incident, and since when it is on.
    pub(super) incident: Option<(u32, Instant)>,
    /// Since when an incident with a trip is active.
    pub(super) tripped_since: Option<Instant>,
    pub(super) left_off: LeftOff,
    /// Whether an operator simulates anything.
    pub(super) is_simulated: bool,
    /// The last command to all replicas, and when the engine took it, unless something else affected the breaker since.
    pub(super) commanded: Option<(Command, Instant)>,
    /// Until then a process that starts may execute a command to all replicas.
    pub(super) may_be_commanded_until: Instant,
    /// The last process could not save the end of an incident whose alert it had closed. To this one the incident is
    /// still on, and paged.
    pub(super) is_end_lost: bool,
    /// A process may have closed the fleet's alert alone, and no later one knows of it: its state was damaged, or not saved.
    pub(super) is_close_lost: bool,
}

impl Truth {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            mood: Mood::Healthy,
            calls: BTreeMap::new(),
            expected: Expected::default(),
            bad_at: None,
            all_bad_since: None,
            touched: now,
            seen: None,
            closed_since: None,
            changed: now,
            not_closed_since: None,
            incident: None,
            tripped_since: None,
            left_off: LeftOff { is_forced: false, in_incident: false, since: now },
            is_simulated: false,
            commanded: None,
            may_be_commanded_until: now,
            is_end_lost: false,
            is_close_lost: false,
        }
    }

    /// Records a start of the process: it has counted nothing, and no call is in flight.
    pub(super) fn restarted(&mut self, now: Instant) {
        self.calls.clear();
        self.expected = Expected::default();
        // A command to all replicas may still be executed.
        self.touched = self.touched.max(now);
        self.commanded = None;
        (self.seen, self.closed_since, self.tripped_since) = (None, None, None);
        (self.changed, self.not_closed_since, self.incident) = (now, None, None);
    }

    /// A call asks; true if it is admitted. `is_supervised` where a supervisor looks after the breaker.
    pub(super) fn ask(
        &mut self,
        breaker: &Breaker,
        number: u64,
        planned: &PlannedCall,
        now: Instant,
        is_supervised: bool,
    ) -> Result<bool, (&'static str, String)> {
        let Ok(permit) = breaker.try_start_owned() else {
            self.expected.rejected += 1;
            return Ok(false);
        };
        let (generation, kind) = breaker.read(|core| (core.generation().get(), core.state().kind()));
        // Without a supervisor, as while the process stops, the look above may be the first that sees calls hanging.
        let is_open = matches!(kind, StateKind::Open | StateKind::ForcedOpen);
        hold(!(is_open && is_supervised), "an open breaker admits nothing", || {
            format!("{} is {kind} and admits a call", breaker.name())
        })?;
        let (was_half_open, is_tracked) = (kind == StateKind::HalfOpen, kind != StateKind::Disabled);
        let is_free = !is_tracked || !breaker.detects_stalls() && kind == StateKind::Closed;
        let PlannedCall { outcome, is_bad, is_dropped, .. } = *planned;
        let started = now;
        let call =
            Call { permit, generation, was_half_open, is_tracked, is_free, started, is_bad, outcome, is_dropped };
        self.calls.insert(number, call);
        Ok(true)
    }

    /// Finishes a call.
    pub(super) fn finish(&mut self, breaker: &Breaker, number: u64, now: Instant) {
        let Some(call) = self.calls.remove(&number) else { return };
        let (generation, kind) = breaker.read(|core| (core.generation().get(), core.state().kind()));
        // A call that is dropped when it is slow counts as slow.
        let is_slow = now.since(call.started) >= Duration::from_millis(SLOW_MS.0);
        let outcome = if call.is_dropped { Outcome::Ok } else { call.outcome };
        if call.is_dropped && !is_slow {
            self.expected.dropped += u64::from(!call.is_free || call.generation != generation);
        } else if call.generation != generation {
            self.expected.stale += 1;
        } else if matches!(kind, StateKind::Closed | StateKind::HalfOpen) {
            match outcome {
                Outcome::Ok => self.expected.ok += 1,
                Outcome::Failed => self.expected.failed += 1,
                Outcome::Ignored => self.expected.ignored += 1,
            }
        }
        if call.is_bad {
            self.bad_at = Some(now);
        }
        if call.is_dropped {
            drop(call.permit);
        } else {
            call.permit.finish(outcome);
        }
    }
}
