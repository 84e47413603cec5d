//! The replayed calls in flight, and how many of them hang at exactly which instant.

use std::collections::BTreeMap;
use std::time::Duration;

use tripline_runtime::core::{Generation, Instant};

/// Names one call in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CallId(u64);

/// The condition under which a call is stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StallRule {
    /// Only calls of this generation count.
    pub(super) generation: Generation,
    /// From this age on a call counts.
    pub(super) after: Duration,
    /// Beyond this age it no longer does.
    pub(super) until: Duration,
}

/// All calls in flight, in the order of their starts.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    next_id: u64,
    out: BTreeMap<CallId, Call>,
    rule: Option<StallRule>,
    /// The number of the first call that was not examined yet, and of the first that was not found to be too old.
    unseen: u64,
    unaged: u64,
    stalled: u16,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    generation: Generation,
    start: Instant,
    counted: bool,
}

impl InFlight {
    pub(super) fn enter(&mut self, generation: Generation, start: Instant) -> CallId {
        let id = CallId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        self.out.insert(id, Call { generation, start, counted: false });
        id
    }

    pub(super) fn leave(&mut self, id: CallId) {
        if let Some(call) = self.out.remove(&id)
            && call.counted
        {
            self.stalled = self.stalled.saturating_sub(1);
        }
    }

    /// How many calls are stalled at `now`. Amortised O(1), but for a changed rule.
    pub(super) fn stalled(&mut self, now: Instant, rule: StallRule) -> u16 {
        if self.rule.replace(rule) != Some(rule) {
            self.start_over();
        }
        self.count_new(now, rule);
        self.discount_old(now, rule);
        self.stalled
    }

    /// How many of those that were counted before are still stalled at `now`; `None` where all are to be counted anew. To be reported
    /// before those that become stalled, since one that comes for one that goes would not be noticed.
    pub(super) fn still_stalled(&mut self, now: Instant, rule: StallRule) -> Option<u16> {
        if self.rule != Some(rule) {
            return None;
        }
        self.discount_old(now, rule);
        Some(self.stalled)
    }

    fn start_over(&mut self) {
        self.unseen = 0;
        self.unaged = 0;
        self.stalled = 0;
        for call in self.out.values_mut() {
            call.counted = false;
        }
    }

    /// Calls are admitted in the order of their starts, so the first young one ends the search.
    fn count_new(&mut self, now: Instant, rule: StallRule) {
        for (id, call) in self.out.range_mut(CallId(self.unseen)..) {
            if now.since(call.start) < rule.after {
                break;
            }
            if call.generation == rule.generation {
                call.counted = true;
                self.stalled = self.stalled.saturating_add(1);
            }
            self.unseen = id.0.wrapping_add(1);
        }
    }

    fn discount_old(&mut self, now: Instant, rule: StallRule) {
        for (id, call) in self.out.range_mut(CallId(self.unaged)..CallId(self.unseen)) {
            if now.since(call.start) <= rule.until {
                break;
            }
            if std::mem::take(&mut call.counted) {
                self.stalled = self.stalled.saturating_sub(1);
            }
            self.unaged = id.0.wrapping_add(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: StallRule =
        StallRule { generation: Generation::new(0), after: Duration::from_millis(100), until: Duration::from_secs(1) };

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_call_counts_from_the_threshold_until_it_is_too_old() {
        let mut calls = InFlight::default();
        calls.enter(RULE.generation, at(0));
        let mut counted = |millis| calls.stalled(at(millis), RULE);
        assert_eq!([counted(99), counted(100), counted(1_000), counted(1_001)], [0, 1, 1, 0]);
    }

    #[test]
    fn a_call_that_becomes_too_old_is_discounted_before_another_is_counted() {
        let mut calls = InFlight::default();
        calls.enter(RULE.generation, at(0));
        assert_eq!(calls.still_stalled(at(100), RULE), None);
        assert_eq!(calls.stalled(at(100), RULE), 1);
        calls.enter(RULE.generation, at(950));
        assert_eq!(calls.still_stalled(at(1_050), RULE), Some(0));
        assert_eq!(calls.stalled(at(1_050), RULE), 1);
    }

    #[test]
    fn calls_of_another_generation_do_not_count() {
        let mut calls = InFlight::default();
        calls.enter(Generation::new(7), at(0));
        calls.enter(RULE.generation, at(0));
        assert_eq!(calls.stalled(at(500), RULE), 1);
        assert_eq!(calls.stalled(at(500), StallRule { generation: Generation::new(7), ..RULE }), 1);
    }

    #[test]
    fn a_lower_threshold_counts_again_from_the_beginning() {
        let mut calls = InFlight::default();
        calls.enter(RULE.generation, at(0));
        assert_eq!(calls.stalled(at(50), RULE), 0);
        assert_eq!(calls.stalled(at(50), StallRule { after: Duration::from_millis(50), ..RULE }), 1);
    }
}
