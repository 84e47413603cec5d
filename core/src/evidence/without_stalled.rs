//! The latency tests without the calls that are stalled now, so that stalled calls which end ignored or dropped leave no trace.
//!
//! A snapshot is taken when the first call stalls and moves with every good call. It replaces the sums once all stalled calls have ended
//! ignored or dropped, and is given up when one of them counts for good: the core knows how many calls are stalled, not which ones, and
//! cannot split what they added to a sum that was limited meanwhile. Then, and always on small targets, which have no room for a
//! snapshot, at least what was added is taken back.

use super::excursion::Excursion;
use super::rule::EvidenceRule;
use super::test::EvidenceTest;
use super::tolerance::ToleranceState;

/// The sums and what was learned from them if none of the stalled calls had stalled.
#[derive(Debug, Clone, Copy)]
pub(super) struct WithoutStalled {
    /// Of the quick and the patient test.
    sums: [Excursion; 2],
    /// Only what was learned is used.
    tolerance: ToleranceState,
    peak_stalled: u16,
}

impl WithoutStalled {
    pub(super) const fn new(sums: [Excursion; 2], tolerance: ToleranceState, peak_stalled: u16) -> Self {
        Self { sums, tolerance, peak_stalled }
    }

    /// A fast call that did not fail.
    pub(super) fn fast_call(&mut self, rule: &EvidenceRule, now_ms: u32) {
        for (sum, test) in self.sums.iter_mut().zip(EvidenceTest::OF_LATENCY) {
            let reached_ms = sum.count_good(rule.cusum(test), now_ms);
            self.tolerance.passed(rule.tolerance, reached_ms, test);
        }
        let [quick, _] = self.sums;
        if !quick.is_up() {
            self.peak_stalled = 0;
        }
    }

    /// Failed calls teach the same with stalled calls as without.
    pub(super) fn failures_passed(&mut self, rule: &EvidenceRule, reached_ms: u16) {
        self.tolerance.passed(rule.tolerance, reached_ms, EvidenceTest::Failures);
    }

    pub(super) const fn set_learned_ms(&mut self, learned_ms: u16) {
        self.tolerance.set_learned_ms(learned_ms);
    }

    pub(super) const fn learned_ms(&self) -> u16 {
        self.tolerance.learned_ms()
    }

    pub(super) const fn sums(&self) -> [Excursion; 2] {
        self.sums
    }

    pub(super) const fn peak_stalled(&self) -> u16 {
        self.peak_stalled
    }
}
