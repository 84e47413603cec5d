//! The fast path: records a good call of a healthy breaker with few instructions.
//!
//! A breaker is *quiet* while it is closed, its window is full of good calls, no call is stalled, no test has evidence,
//! nothing is simulated and no incident waits for a call. Until the next sample expires, another good call then changes
//! only the window and one counter, so nothing else is checked. Any other input disarms the fast path. The next call on
//! the slow path checks whether it can be armed again. Targets with 32-bit pointers have no fast path: it would not fit
//! their flash beside the slow one.

use super::Breaker;
use crate::generation::Generation;
use crate::outcome::Outcome;
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
        true
    }

    /// Arms the fast path until the next expiry if the breaker is quiet; disarms it otherwise.
    pub(super) fn rearm_fast_path(&mut self) {
        #[cfg(test)]
        if self.fast_path_probe.never {
            return;
        }
        let is_quiet = self.state == State::Closed
            && self.window.is_full_of_good()
            && self.stalled == 0
            && self.breaches_in_a_row == 0
            && !self.is_held_open()
            && !self.incident.has_news_of_calls()
            && !self.time.is_suspect()
            && self.limits.evidence().is_none_or(|rule| self.evidence.is_at_rest(rule));
        let until = self.window.next_expiry().min(self.memory.fresh_until(&self.settings));
        self.fast_path_until =
            if is_quiet && self.time.latest() < until { self.time.clock_reading(until) } else { Instant::ZERO };
    }
}

#[cfg(test)]
mod tests;
