//! The short way for a good call while nothing is going on, which is nearly always.
//!
//! A breaker is *quiet* while it is closed, its window is full of good calls, no rule, simulation or incident is half-way to
//! anything, and nothing ages. Another good call then changes the window and a count and nothing else, so nothing else is
//! looked at. Whatever else happens ends the quiet; the next call that takes the slow path looks whether it is back.
//!
//! It is *steady* if there are slow calls in the window too, or evidence of them that is short of its bound. Another good call then
//! takes part of both away, so no rule is looked at.
//!
//! Small targets go without both: the slow path fits their flash, and half of each would not.

use super::Breaker;
use crate::generation::Generation;
use crate::outcome::Outcome;
use crate::state::State;
use crate::time::Instant;
use crate::units::Latency;
use crate::window::SampleStore;

/// A switch and a count for the tests.
#[cfg(test)]
#[derive(Debug, Clone, Default)]
pub(super) struct FastPathProbe {
    never: bool,
    hits: u64,
    steady_hits: u64,
}

impl<const N: usize, S: SampleStore> Breaker<N, S> {
    /// As [`Breaker::handle_finished`] for a call that can change nothing but the window; false, and nothing is done, if it may
    /// change more. For those who want this part of it in line, and the rest not.
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
        true
    }

    /// As [`Breaker::try_record_fast`], also for a good call after which the breaker is less near to a trip than before.
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
        if self.window.is_full_of_good() {
            self.rearm_fast_path();
        }
        true
    }

    /// Good calls of this generation that end before this instant, on the clock that gives the readings, may be handed in later: in
    /// the order of their ends, and before any other input. [`Instant::ZERO`] = none may.
    ///
    /// Meanwhile they emit no event and open nothing: the breaker is closed with a full window and no breach, neither a simulation
    /// nor an incident is on or about to begin, and nothing ages. Slow and failed samples in the window do not matter.
    pub fn good_calls_wait_until(&self) -> Instant {
        let may_wait = self.state == State::Closed
            && self.window.len() >= self.settings.latency_window_size.get()
            && self.breaches_in_a_row == 0
            && !self.is_held_open()
            && !self.incident.has_news_of_calls()
            && !self.time.is_suspect();
        let until = self.window.next_expiry().min(self.memory.fresh_until(&self.settings));
        if may_wait && self.time.latest() < until { self.time.clock_reading(until) } else { Instant::ZERO }
    }

    /// Good calls of this generation that end before this instant, on the clock that gives the readings, change the window and a
    /// count, nothing else. [`Instant::ZERO`] = none do.
    #[inline]
    pub fn fast_path_until(&self) -> Instant {
        self.fast_path_until
    }

    /// Counts good calls that [`Breaker::try_record_fast`] would have taken, and that as many calls followed as the window has
    /// places.
    pub fn count_superseded(&mut self, calls: u64) {
        self.counts.ok = self.counts.ok.wrapping_add(calls);
    }

    /// Looks whether the breaker is quiet, and until when at least.
    pub(super) fn rearm_fast_path(&mut self) {
        #[cfg(test)]
        if self.fast_path_probe.never {
            return;
        }
        let is_calm = self.state == State::Closed
            && self.window.is_full_of_successes()
            && self.stalled == 0
            && self.breaches_in_a_row == 0
            && !self.is_held_open()
            && !self.incident.has_news_of_calls()
            && !self.time.is_suspect();
        let until = self.window.next_expiry().min(self.memory.fresh_until(&self.settings));
        let until = if is_calm && self.time.latest() < until { self.time.clock_reading(until) } else { Instant::ZERO };
        let evidence = self.limits.evidence();
        let is_quiet = self.window.above() == 0 && evidence.is_none_or(|rule| self.evidence.is_at_rest(rule));
        let is_steady = evidence.is_none_or(|rule| self.evidence.is_below_bounds(rule));
        self.fast_path_until = if is_quiet { until } else { Instant::ZERO };
        self.steady_until = if is_steady { until } else { Instant::ZERO };
    }
}

#[cfg(test)]
mod tests;
