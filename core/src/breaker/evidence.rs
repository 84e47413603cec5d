//! Updates the evidence from calls, and uses it for trips and waits.

use super::{Breaker, TripEvidence};
use crate::event::EventKind;
use crate::evidence::{EvidenceTest, FinishedCall, Slowness};
use crate::monotonic::MonotonicInstant;
use crate::open_backoff::SOON_NANOS;
use crate::outcome::Outcome;
use crate::rules::{Trigger, Verdict};
use crate::state::{State, TripReason};
use crate::window::SampleStore;

impl<const N: usize, S: SampleStore> Breaker<N, S> {
    /// Counts a finished call that is not ignored. Returns the rules that may trip on it.
    pub(super) fn count_evidence(
        &mut self,
        now: MonotonicInstant,
        slowness: Option<Slowness>,
        outcome: Outcome,
        counted: bool,
    ) -> Trigger {
        let failed = outcome == Outcome::Failed;
        if let Some(look) = self.limits.look(now) {
            self.evidence.call_seen(look, failed || slowness.is_some());
            let call = FinishedCall { slowness, outcome, counted, stalled: self.stalled };
            self.evidence.count(look, call);
        }
        Trigger { latency: slowness.is_some(), failures: failed }
    }

    /// Sets the number of stalled calls. Returns the rules that may trip on the change.
    pub(super) fn count_stalled(&mut self, now: MonotonicInstant, count: u16) -> Trigger {
        let before = core::mem::replace(&mut self.stalled, count);
        let gone = before.saturating_sub(count);
        let dropped = core::mem::take(&mut self.dropped).min(gone);
        if gone > dropped {
            // They hang for longer than the window is long.
            self.evidence.keep_stalled();
        }
        if dropped > 0 {
            self.withdraw_stalled(dropped);
        }
        let more = count.saturating_sub(before);
        #[cfg(feature = "trend")]
        self.stall_run.calls_stalled(more, dropped);
        if more == 0 {
            return Trigger::NONE;
        }
        if let Some(look) = self.limits.look(now) {
            self.evidence.call_seen(look, true);
            self.evidence.stalled(look, more, count);
        }
        Trigger::STALL
    }

    /// Removes `calls` stalled calls, which ended ignored or were dropped, from the evidence. They are no longer counted as stalled.
    pub(super) fn withdraw_stalled(&mut self, calls: u16) {
        if let Some(rule) = self.limits.evidence() {
            self.evidence.withdraw_stalled(rule, calls, self.stalled);
        }
    }

    /// Records the ages that the evidence reaches; the tolerance is learned from those of excursions that end without a
    /// trip.
    pub(super) fn note_ages(&mut self, now: MonotonicInstant, verdict: Verdict, trigger: Trigger) {
        if let Some(look) = self.limits.look(now) {
            if trigger.latency && verdict.above {
                self.evidence.note_age(look, EvidenceTest::Quick);
                self.evidence.note_age(look, EvidenceTest::Patient);
            }
            if trigger.failures {
                self.evidence.note_age(look, EvidenceTest::Failures);
            }
        }
    }

    /// Counts a trip whose first probes were all good, and raises the tolerance.
    pub(super) fn count_false_trip(&mut self, now: MonotonicInstant) {
        self.counts.false_trips = self.counts.false_trips.wrapping_add(1);
        if let Some(rule) = self.limits.evidence() {
            self.evidence.false_trip(rule);
        }
        self.emit(now, EventKind::FalseTrip);
    }

    /// Whether the breaker closed less than `SOON_NANOS` ago after a trip on evidence.
    pub(super) fn has_closed_soon_before(&self, now: MonotonicInstant) -> bool {
        self.state == State::Closed
            && self.is_on_trial
            && self.limits.evidence().is_some()
            && now.nanos_since(self.generation_since) < SOON_NANOS
    }

    /// Returns the test whose evidence supports a trip from Closed for this reason.
    pub(super) fn test_behind(&self, reason: TripReason) -> Option<EvidenceTest> {
        self.limits.evidence()?;
        match reason {
            TripReason::Failures => Some(EvidenceTest::Failures),
            TripReason::Latency
            | TripReason::LatencyRising
            | TripReason::LatencyPlateau
            | TripReason::LatencySustained
                if !self.simulated_latency =>
            {
                self.verdict().test
            }
            _ => None,
        }
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(super) fn evidence_of(&self, now: MonotonicInstant, test: Option<EvidenceTest>) -> TripEvidence {
        let look = self.limits.look(now);
        TripEvidence {
            age_ms: test.zip(look).map_or(0, |(test, look)| self.evidence.age_ms(test, look)),
            calls: self.window.len().saturating_add(self.stalled),
            slow: self.window.above(),
            failed: self.window.failed(),
            stalled: self.stalled,
            tolerance: look.map(|look| self.evidence.tolerance(look)),
            test,
        }
    }

    /// Returns the evidence at the latest instant.
    pub(super) fn current_evidence(&self) -> TripEvidence {
        let now = self.time.latest();
        let test = self.limits.look(now).and_then(|look| self.evidence.oldest(look));
        self.evidence_of(now, test)
    }
}
