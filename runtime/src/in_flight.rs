//! The calls that were admitted and have not finished: how many there are, and how many of them hang.

use std::collections::BTreeMap;
use std::time::Duration;

use tripline_core::{Generation, Instant};

use crate::sync::{Mutex, lock};

/// Untimed calls get their start when somebody looks, so looking is never put off for long.
const LEAST_REFRESH: Duration = Duration::from_millis(10);

/// Names one call in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CallId(u64);

/// What makes a call stalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StallRule {
    /// Only calls of this generation count.
    pub(crate) generation: Generation,
    /// From this age on a call counts.
    pub(crate) after: Duration,
    /// Beyond this age it no longer does.
    pub(crate) until: Duration,
    /// How often the clock was set back: starts that lie ahead of it after one more are taken to be now.
    pub(crate) clock_jumps: u32,
}

/// All calls in flight, in the order in which they were admitted.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    next_id: u64,
    out: BTreeMap<CallId, Call>,
    /// The number of the first call that may be untimed and without a start yet: that is taken to be the next instant that
    /// anybody tells, never one before the latest told.
    undated: u64,
    latest: Instant,
    /// Whether anybody takes untimed permits.
    untimed: bool,
    rule: Option<StallRule>,
    /// The number of the first call that was not looked at yet, and of the first that was not found to be too old.
    unseen: u64,
    unaged: u64,
    stalled: u16,
}

#[derive(Debug, Clone, Copy)]
struct Call {
    generation: Generation,
    start: Option<Instant>,
    counted: bool,
}

impl InFlight {
    /// A call goes out; `start` is `None` where no clock was read. Also tells whether it is the first of that kind: from then
    /// on somebody must look more often.
    pub(crate) fn enter(&self, generation: Generation, start: Option<Instant>) -> (CallId, bool) {
        let mut calls = lock(&self.calls);
        let id = CallId(calls.next_id);
        calls.next_id = calls.next_id.wrapping_add(1);
        calls.out.insert(id, Call { generation, start, counted: false });
        let is_first_untimed = start.is_none() && !std::mem::replace(&mut calls.untimed, true);
        (id, is_first_untimed)
    }

    /// A call came back; if it was counted as stalled, tells how many still are.
    pub(crate) fn leave(&self, id: CallId) -> Option<u16> {
        let mut calls = lock(&self.calls);
        if let Some(call) = calls.out.remove(&id)
            && call.counted
        {
            calls.stalled = calls.stalled.saturating_sub(1);
            return Some(calls.stalled);
        }
        None
    }

    /// How many calls are in flight.
    pub(crate) fn len(&self) -> usize {
        lock(&self.calls).out.len()
    }

    /// How many calls are stalled at `now`.
    pub(crate) fn stalled(&self, now: Instant, rule: StallRule) -> u16 {
        lock(&self.calls).stalled(now, rule)
    }

    /// When the next call could become stalled, if none that is out comes back: of those in flight, or of one that starts
    /// right after `now`.
    pub(crate) fn next_stall(&self, now: Instant, rule: StallRule) -> Instant {
        let calls = lock(&self.calls);
        let oldest = calls.out.range(CallId(calls.unseen)..).find_map(|(_, call)| call.start);
        let stall = oldest.map_or(now, |start| start.min(now)) + rule.after;
        if calls.untimed { stall.min(now + (rule.after / 8).max(LEAST_REFRESH)) } else { stall }
    }
}

impl Calls {
    fn stalled(&mut self, now: Instant, rule: StallRule) -> u16 {
        if self.rule.is_some_and(|before| before.clock_jumps != rule.clock_jumps) {
            self.latest = now;
        }
        self.latest = self.latest.max(now);
        for call in self.out.range_mut(CallId(self.undated)..).map(|(_, call)| call) {
            call.start.get_or_insert(self.latest);
        }
        self.undated = self.next_id;
        if self.rule != Some(rule) {
            self.start_over(now, rule);
        }
        self.count_new(now, rule);
        self.discount_old(now, rule);
        self.stalled
    }

    fn start_over(&mut self, now: Instant, rule: StallRule) {
        let jumped = self.rule.replace(rule).is_some_and(|before| before.clock_jumps != rule.clock_jumps);
        self.unseen = 0;
        self.unaged = 0;
        self.stalled = 0;
        for call in self.out.values_mut() {
            call.counted = false;
            if jumped {
                call.start = call.start.map(|start| start.min(now));
            }
        }
    }

    /// Calls are admitted in about the order of their starts, so the first young one ends the search.
    fn count_new(&mut self, now: Instant, rule: StallRule) {
        for (id, call) in self.out.range_mut(CallId(self.unseen)..) {
            if call.age(now) < rule.after {
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
            if call.age(now) <= rule.until {
                break;
            }
            if std::mem::take(&mut call.counted) {
                self.stalled = self.stalled.saturating_sub(1);
            }
            self.unaged = id.0.wrapping_add(1);
        }
    }
}

impl Call {
    fn age(self, now: Instant) -> Duration {
        self.start.map_or(Duration::ZERO, |start| now.since(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: StallRule = StallRule {
        generation: Generation::new(0),
        after: Duration::from_millis(100),
        until: Duration::from_secs(1),
        clock_jumps: 0,
    };

    fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn a_call_counts_from_the_threshold_until_it_is_too_old() {
        let calls = InFlight::default();
        calls.enter(RULE.generation, Some(at(0)));
        let counted = |millis| calls.stalled(at(millis), RULE);
        assert_eq!([counted(99), counted(100), counted(1_000), counted(1_001)], [0, 1, 1, 0]);
        assert_eq!(calls.len(), 1);
    }

    #[test]
    fn calls_of_another_generation_do_not_count() {
        let calls = InFlight::default();
        calls.enter(Generation::new(7), Some(at(0)));
        calls.enter(RULE.generation, Some(at(0)));
        assert_eq!(calls.stalled(at(500), RULE), 1);
        assert_eq!(calls.stalled(at(500), StallRule { generation: Generation::new(7), ..RULE }), 1);
    }

    #[test]
    fn an_undated_call_is_never_taken_to_be_older_than_it_is() {
        let calls = InFlight::default();
        let (id, _) = calls.enter(RULE.generation, None);
        assert_eq!(calls.stalled(at(5_000), RULE), 0);
        assert_eq!(calls.stalled(at(5_100), RULE), 1);
        calls.leave(id);
        assert_eq!(calls.stalled(at(5_100), RULE), 0);
    }

    #[test]
    fn a_lower_threshold_counts_again_from_the_beginning() {
        let calls = InFlight::default();
        calls.enter(RULE.generation, Some(at(0)));
        assert_eq!(calls.stalled(at(50), RULE), 0);
        assert_eq!(calls.stalled(at(50), StallRule { after: Duration::from_millis(50), ..RULE }), 1);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_hide_a_hanging_call() {
        let calls = InFlight::default();
        calls.enter(RULE.generation, Some(at(3_600_000)));
        assert_eq!(calls.stalled(at(3_600_000), RULE), 0);
        let after_the_jump = StallRule { clock_jumps: 1, ..RULE };
        assert_eq!(calls.stalled(at(1_000), after_the_jump), 0);
        assert_eq!(calls.stalled(at(1_100), after_the_jump), 1);
    }

    #[test]
    fn an_undated_call_does_not_start_before_what_is_known() {
        let calls = InFlight::default();
        assert_eq!(calls.stalled(at(5_000), RULE), 0);
        calls.enter(RULE.generation, None);
        // The end of some other call, which its thread read long ago.
        assert_eq!(calls.stalled(at(4_000), RULE), 0);
        assert_eq!(calls.stalled(at(5_001), RULE), 0);
    }

    #[test]
    fn who_takes_untimed_permits_is_looked_after_more_often() {
        let calls = InFlight::default();
        assert!(calls.enter(RULE.generation, None).1);
        assert!(!calls.enter(RULE.generation, None).1);
        calls.stalled(at(100), RULE);
        assert_eq!(calls.next_stall(at(100), RULE), at(112) + Duration::from_micros(500));
    }

    #[test]
    fn the_next_stall_is_that_of_the_oldest_young_call() {
        let calls = InFlight::default();
        calls.enter(RULE.generation, Some(at(0)));
        calls.enter(RULE.generation, Some(at(30)));
        calls.stalled(at(100), RULE);
        assert_eq!(calls.next_stall(at(100), RULE), at(130));
        assert_eq!(InFlight::default().next_stall(at(100), RULE), at(200));
    }
}
