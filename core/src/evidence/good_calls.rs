//! What good calls change, for the fast path.

use super::Evidence;
use super::excursion::{Excursion, HEAD_START_STEP};
use super::rule::EvidenceRule;
use super::test::EvidenceTest;

impl Evidence {
    /// Whether another good call changes nothing.
    pub(crate) fn is_at_rest(&self, rule: &EvidenceRule) -> bool {
        EvidenceTest::ALL.into_iter().all(|test| self.sum(test).is_at_rest())
            && self.peak_stalled == 0
            && !self.has_head_start(rule)
    }

    /// Whether the warm-up has begun: another good call does not begin it.
    pub(crate) fn has_seen_call(&self) -> bool {
        self.tolerance.has_seen_call()
    }

    /// Whether the times of good calls have no effect: no sum has been high lately.
    pub(crate) fn is_ageless(&self) -> bool {
        self.without_stalled.is_none() && self.sums.iter().all(Excursion::is_ageless)
    }

    /// Counts `calls` fast calls that did not fail, while no call is stalled, one was seen before, and the evidence
    /// [is ageless](Evidence::is_ageless). O(1).
    pub(crate) fn count_good(&mut self, rule: &EvidenceRule, calls: u64) {
        if calls == 0 {
            return;
        }
        let head_start = self.head_start(rule.max_latency_step()).unsigned_abs();
        let using_it_up = head_start.div_ceil(HEAD_START_STEP.unsigned_abs());
        self.fast_calls = self.fast_calls.saturating_add(calls.min(using_it_up.into()) as u16);
        for test in EvidenceTest::ALL {
            self.sum_mut(test).count_ageless(rule.cusum(test), calls);
        }
        self.peak_stalled = 0;
    }

    /// No test has seen enough bad calls; another good call leaves it so.
    pub(crate) fn is_below_bounds(&self, rule: &EvidenceRule) -> bool {
        !EvidenceTest::ALL.into_iter().any(|test| self.sum(test).is_at_bound(rule.cusum(test)))
    }
}
