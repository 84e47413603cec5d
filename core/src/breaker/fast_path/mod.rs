//! The fast path: records a good call of a healthy breaker with few instructions.
//!
//! A breaker is *quiet* while it is closed, its window is full of successful calls, its percentile is low, no call is stalled,
//! no test has evidence, nothing is simulated and no incident waits for a call. Until the next sample expires, another good
//! call then changes only the window and counts, so nothing else is checked. Any other input disarms the fast path. The next
//! call on the slow path checks whether it can be armed again.
//!
//! A breaker is *steady* if there is evidence below its bound too. Another good call then takes part of it away, so no rule is
//! evaluated.
//!
//! Targets with 32-bit pointers have no fast path: it would not fit their flash beside the slow one.

use super::Breaker;
use crate::generation::Generation;
use crate::outcome::Outcome;
use crate::rules::Trigger;
use crate::state::State;
use crate::time::Instant;
use crate::units::Latency;
use crate::window::SampleStore;

/// Switches the fast path off and counts its hits, for tests.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(super) struct FastPathProbe {
    never: bool,
    hits: u64,
    steady_hits: u64,
}

impl<const N: usize, S: SampleStore> Breaker<N, S> {
    /// Records a finished call as [`Breaker::handle_finished`] does, if the call changes only the window and a counter.
    /// Returns false, and changes nothing, if the call may change more. A caller can inline this fast path and keep the
    /// slow path out of line.
    #[inline]
    pub fn try_record_fast(
        &mut self,
        end: Instant,
        generation: Generation,
        latency: Latency,
        outcome: Outcome,
    ) -> bool {
        let is_good = latency <= self.settings.latency_threshold && outcome == Outcome::Ok;
        if end >= self.fast_path_until || generation != self.generation() || !is_good {
            return false;
        }
        #[cfg(test)]
        {
            self.fast_path_probe.hits += 1;
        }
        let now = self.time.go_on_to(end);
        self.counts.ok = self.counts.ok.wrapping_add(1);
        self.window.replace_oldest(now, latency);
        self.incident.call_recorded();
        true
    }

    /// Does the same as [`Breaker::try_record_fast`] for all calls that `next` returns: successful ones of this generation, each with its
    /// end and its latency. `next` is passed an instant, before which the call ended, and a latency, which it did not exceed. Returns
    /// the number of calls.
    #[inline]
    pub fn record_fast_run(&mut self, mut next: impl FnMut(Instant, Latency) -> Option<(Instant, Latency)>) -> u64 {
        let mut calls = 0_u64;
        while let Some((end, latency)) = next(self.fast_path_until, self.settings.latency_threshold) {
            let now = self.time.go_on_to(end);
            self.window.replace_oldest(now, latency);
            calls = calls.wrapping_add(1);
        }
        self.counts.ok = self.counts.ok.wrapping_add(calls);
        self.incident.calls_recorded(calls);
        #[cfg(test)]
        {
            self.fast_path_probe.hits += calls;
        }
        calls
    }

    /// Same as [`Breaker::try_record_fast`], also while evidence is below its bound.
    #[inline(never)] // keeps the slow path small
    pub fn try_record_steady(
        &mut self,
        end: Instant,
        generation: Generation,
        latency: Latency,
        outcome: Outcome,
    ) -> bool {
        let is_good = latency <= self.settings.latency_threshold && outcome == Outcome::Ok;
        if end >= self.steady_until || generation != self.generation() || !is_good {
            return false;
        }
        #[cfg(test)]
        {
            self.fast_path_probe.steady_hits += 1;
        }
        let now = self.time.go_on_to(end);
        self.counts.ok = self.counts.ok.wrapping_add(1);
        self.window.record(now, latency, outcome);
        let _ = self.count_evidence(now, None, outcome, false);
        self.incident.call_recorded();
        if self.limits.evidence().is_none_or(|rule| self.evidence.is_at_rest(rule)) {
            self.rearm_fast_path();
        }
        true
    }

    /// Returns the instant, on the clock that gives the readings, before which good calls of this generation may be handed in later: in
    /// the order of their ends, and before any other input. [`Instant::ZERO`] = none may.
    ///
    /// Until then they emit no event and open nothing: the breaker is closed with a full window, no rule holds, neither a simulation nor
    /// an incident is on or about to begin, and no sample expires. Slow or failed samples may be in the window, but not both: a good
    /// call in place of a fast failure adds to the calls that the percentile is taken of. The rules are asked, because after a change of
    /// the policy a good call may be the first that finds one to hold.
    pub fn good_calls_wait_until(&self) -> Instant {
        if self.steady_until > Instant::ZERO {
            // A steady breaker meets all of these conditions.
            return self.steady_until;
        }
        let may_wait = self.window.len() >= self.settings.latency_window_size.get()
            && (self.window.above() == 0 || self.window.failed() == 0);
        if may_wait { self.undisturbed_until() } else { Instant::ZERO }
    }

    /// Returns the instant, on the clock that gives the readings, before which good calls of this generation need not be handed in
    /// if as many calls follow as the window has places: [`Breaker::count_superseded`] counts them. [`Instant::ZERO`] = all are
    /// handed in.
    #[inline]
    pub fn superseded_until(&self) -> Instant {
        if self.evidence.is_ageless() { self.steady_until } else { Instant::ZERO }
    }

    /// Counts good calls that ended before [`Breaker::superseded_until`], after those that were handed in, and that as many calls
    /// follow as the window has places. The times and the latencies of these calls have no effect. O(1).
    pub fn count_superseded(&mut self, calls: u64) {
        self.counts.ok = self.counts.ok.wrapping_add(calls);
        self.incident.calls_recorded(calls);
        if let Some(rule) = self.limits.evidence() {
            self.evidence.count_good(rule, calls);
        }
    }

    /// Counts calls that were dropped, while the breaker was closed, before they could hang: they change nothing else.
    pub fn count_dropped(&mut self, calls: u64) {
        self.counts.dropped = self.counts.dropped.wrapping_add(calls);
    }

    /// Whether the percentile is low, and no rule would open the breaker.
    fn holds_no_rule(&self) -> bool {
        let verdict = self.verdict();
        !verdict.above && self.trip_rule(verdict, Trigger::NONE).is_none()
    }

    /// Until when, on the clock that gives the readings, time changes nothing of a closed breaker of which no rule holds and in which
    /// nothing is simulated or about to change; otherwise [`Instant::ZERO`].
    fn undisturbed_until(&self) -> Instant {
        let is_undisturbed = self.state == State::Closed
            && self.breaches_in_a_row == 0
            && !self.is_held_open()
            && !self.incident.has_news_of_calls()
            && !self.time.is_suspect()
            && self.holds_no_rule();
        let until = self.window.next_expiry().min(self.memory.fresh_until(&self.settings));
        if is_undisturbed && self.time.latest() < until { self.time.clock_reading(until) } else { Instant::ZERO }
    }

    /// Arms the fast paths until the next expiry if the breaker is quiet or steady; disarms them otherwise.
    pub(super) fn rearm_fast_path(&mut self) {
        #[cfg(test)]
        if self.fast_path_probe.never {
            return;
        }
        let is_calm = self.window.is_full_of_successes()
            && self.stalled == 0
            && self.stall_run.is_over()
            && self.limits.evidence().is_none_or(|_| self.evidence.has_seen_call());
        let until = if is_calm { self.undisturbed_until() } else { Instant::ZERO };
        let evidence = self.limits.evidence();
        let is_quiet = evidence.is_none_or(|rule| self.evidence.is_at_rest(rule));
        let is_steady = evidence.is_none_or(|rule| self.evidence.is_below_bounds(rule));
        self.fast_path_until = if is_quiet { until } else { Instant::ZERO };
        self.steady_until = if is_steady { until } else { Instant::ZERO };
    }
}

#[cfg(test)]
mod tests;
