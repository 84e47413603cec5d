//! Confidence that too many calls are slow or fail: the tests behind `trip_confidence`.
//!
//! [`crate::guide::trip_decision`] explains the method, its source and its guarantees. In short: with `trip_confidence` > 0,
//! a breach requires that the percentile is above the threshold *and* that there is evidence which has lasted. Three
//! cumulative sums start at or below zero and change with every call. A sum leads to a breach once it has been high for
//! longer than the tolerance:
//!
//! - the *quick* test detects many or very slow calls. A slow call counts in proportion to its latency: half at the
//!   threshold, fully from twice the threshold on. A stalled call counts fully until it finishes.
//! - the *patient* test detects a small but persistent excess of slow calls. Each counts fully, however slow.
//! - the *failure* test compares failed calls with `failure_rate_threshold`.
//!
//! A call enters a latency test once: a fast call when it finishes, a slow one when it is first seen to be older than
//! the threshold (stalled), at the latest when it finishes. The amount that a stalled call added is removed if the call
//! ends ignored or dropped.

use crate::outcome::Outcome;
use crate::units::Latency;

mod cusum;
mod excursion;
mod failures;
#[cfg(target_pointer_width = "64")]
mod good_calls;
mod logarithm;
mod rule;
mod test;
mod tolerance;
#[cfg(target_pointer_width = "64")]
mod without_stalled;

use excursion::{Excursion, HEAD_START_STEP};
pub(crate) use rule::EvidenceRule;
pub use test::EvidenceTest;
pub(crate) use tolerance::ToleranceRule;
use tolerance::ToleranceState;
pub use tolerance::{Tolerance, ToleranceSource};
#[cfg(target_pointer_width = "64")]
use without_stalled::WithoutStalled;

/// Number of slow calls that a fresh test tolerates, because a cold start is slow for good reasons. Fast calls use it
/// up.
const HEAD_START: i32 = 1;
/// Maximum number of calls counted that stall at one instant; enough for any test.
const MAX_AT_ONCE: u16 = 255;
/// Minimum number of stalled calls that counts as a queue.
const MIN_QUEUE: u16 = 5;
/// While a queue drains, evidence must last this multiple of the tolerance.
const HOLD_FACTOR: u32 = 2;

/// How far a slow call exceeds the threshold, in 256ths of a full step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slowness(u32);

impl Slowness {
    const HALF: u32 = 128;

    /// `None` for a fast call; half a step at the threshold, a full step from twice the threshold on.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn of(latency: Latency, threshold: Latency) -> Option<Self> {
        if latency <= threshold {
            return None;
        }
        // In units of 1/128 of the threshold, which 32 bits divide quickly; a threshold below 128 µs gives a full step.
        let beyond = latency.as_micros().wrapping_sub(threshold.as_micros());
        let halves = beyond.checked_div(threshold.as_micros() / Self::HALF).unwrap_or(Self::HALF).min(Self::HALF);
        Some(Self(Self::HALF.wrapping_add(halves)))
    }

    /// Returns this part of `step`, rounded down.
    fn part_of(self, step: i32) -> i32 {
        self.0.cast_signed().wrapping_mul(step) >> 8
    }
}

/// The running sums and the learned tolerance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence {
    /// The sums of the quick, the patient and the failure test.
    sums: [Excursion; 3],
    tolerance: ToleranceState,
    /// Peak number of stalled calls in this excursion.
    peak_stalled: u16,
    /// Fast calls since the sums started; each uses up a part of the head start.
    fast_calls: u16,
    /// While all calls that stalled since none was may yet end ignored or dropped.
    #[cfg(target_pointer_width = "64")]
    without_stalled: Option<WithoutStalled>,
}

/// A rule at an instant, in wrapping milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'r> {
    pub(crate) rule: &'r EvidenceRule,
    pub(crate) now_ms: u32,
}

/// A finished call that is not ignored.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FinishedCall {
    pub(crate) slowness: Option<Slowness>,
    pub(crate) outcome: Outcome,
    /// Whether the call entered the sums when it stalled.
    pub(crate) counted: bool,
    /// Number of stalled calls.
    pub(crate) stalled: u16,
}

impl Evidence {
    /// Creates evidence without calls and with the initial tolerance.
    pub(crate) fn new(rule: Option<&EvidenceRule>) -> Self {
        let mut evidence = Self {
            sums: [Excursion::default(); 3],
            tolerance: ToleranceState::new(),
            peak_stalled: 0,
            fast_calls: 0,
            #[cfg(target_pointer_width = "64")]
            without_stalled: None,
        };
        evidence.restart(rule);
        evidence
    }

    /// Clears the sums and keeps the learned tolerance.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn restart(&mut self, rule: Option<&EvidenceRule>) {
        self.sums = EvidenceTest::ALL.map(|test| {
            let head_start = if test == EvidenceTest::Failures { 0 } else { HEAD_START };
            Excursion::new(rule.map_or(0, |rule| rule.cusum(test).step().wrapping_mul(head_start)))
        });
        self.peak_stalled = 0;
        self.fast_calls = 0;
        self.keep_stalled();
    }

    /// Records that a call was decided, whatever its outcome. The first call begins the warm-up.
    pub(crate) fn call_seen(&mut self, look: Look<'_>, is_unhealthy: bool) {
        self.tolerance.call_seen(look.rule.tolerance, look.now_ms, is_unhealthy);
    }

    /// Sets the start of the warm-up to a call before this breaker was created.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn warm_up_since(&mut self, began_ms: u32, is_over: bool) {
        self.tolerance.warm_up_since(began_ms, is_over);
    }

    /// Updates the sums with a finished call.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn count(&mut self, look: Look<'_>, call: FinishedCall) {
        let failed = call.outcome == Outcome::Failed;
        match call.slowness {
            Some(slowness) => self.slow_call(look, slowness, call.counted),
            None if failed => {}
            None => self.fast_call(look, call.stalled),
        }
        let step = if failed { look.rule.cusum(EvidenceTest::Failures).step() } else { 0 };
        self.move_sum(look, EvidenceTest::Failures, step);
    }

    fn fast_call(&mut self, look: Look<'_>, stalled: u16) {
        if self.has_head_start(look.rule) {
            self.fast_calls = self.fast_calls.saturating_add(1);
        }
        #[cfg(target_pointer_width = "64")]
        if let Some(without) = &mut self.without_stalled {
            without.fast_call(look.rule, look.now_ms);
        }
        self.move_sum(look, EvidenceTest::Quick, 0);
        self.move_sum(look, EvidenceTest::Patient, 0);
        if !self.sum(EvidenceTest::Quick).is_up() {
            self.peak_stalled = stalled;
        }
    }

    fn slow_call(&mut self, look: Look<'_>, slowness: Slowness, counted: bool) {
        let quick = look.rule.cusum(EvidenceTest::Quick).step();
        let due = slowness.part_of(quick);
        self.keep_stalled();
        if counted {
            self.sum_mut(EvidenceTest::Quick).correct(quick.wrapping_sub(due));
        } else {
            self.move_sum(look, EvidenceTest::Quick, due);
            self.move_sum(look, EvidenceTest::Patient, look.rule.cusum(EvidenceTest::Patient).step());
        }
    }

    /// Counts `more` calls that have just stalled; `stalled` is the total after it.
    pub(crate) fn stalled(&mut self, look: Look<'_>, more: u16, stalled: u16) {
        let calls = i32::from(more.min(MAX_AT_ONCE));
        #[cfg(target_pointer_width = "64")]
        if more > 0 && stalled == more {
            let [quick, patient, _] = self.sums;
            self.without_stalled = Some(WithoutStalled::new([quick, patient], self.tolerance, self.peak_stalled));
        }
        for test in EvidenceTest::OF_LATENCY {
            self.move_sum(look, test, look.rule.cusum(test).step().wrapping_mul(calls));
        }
        self.peak_stalled = self.peak_stalled.max(stalled);
    }

    /// Keeps the amounts of the stalled calls for good, because one of them finished slow or outlived the window.
    #[cfg_attr(target_pointer_width = "32", expect(clippy::unused_self, reason = "nothing is kept there"))]
    pub(crate) const fn keep_stalled(&mut self) {
        #[cfg(target_pointer_width = "64")]
        {
            self.without_stalled = None;
        }
    }

    /// Removes the amounts of `calls` calls that were counted when they stalled and ended ignored or dropped; `left` are still stalled.
    /// Once none is left, and none was kept, the sums are what they would be without them. Otherwise a sum is at most that, since it was
    /// limited at zero and above its bound meanwhile.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn withdraw_stalled(&mut self, rule: &EvidenceRule, calls: u16, left: u16) {
        #[cfg(target_pointer_width = "64")]
        if left == 0
            && let Some(without) = self.without_stalled.take()
        {
            let ([quick, patient], [_, _, failures]) = (without.sums(), self.sums);
            self.sums = [quick, patient, failures];
            self.tolerance.set_learned_ms(without.learned_ms());
            self.peak_stalled = without.peak_stalled();
            return;
        }
        #[cfg(target_pointer_width = "32")]
        let _ = left;
        let at_once = i32::from(calls.min(MAX_AT_ONCE));
        for test in EvidenceTest::OF_LATENCY {
            let cusum = rule.cusum(test);
            let head_start = self.head_start(cusum.step());
            self.sum_mut(test).withdraw(cusum, cusum.step().wrapping_mul(at_once), head_start);
        }
        self.peak_stalled = self.peak_stalled.saturating_sub(calls);
    }

    /// Raises a sum by `step` for a bad call; lowers it for a good one (`step` = 0).
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn move_sum(&mut self, look: Look<'_>, test: EvidenceTest, step: i32) {
        let sum = self.sum_mut(test);
        if step == 0 && sum.is_at_rest() {
            return;
        }
        let reached_ms = sum.count(look.rule.cusum(test), step, look.now_ms);
        #[cfg(target_pointer_width = "64")]
        if test == EvidenceTest::Failures
            && let Some(without) = &mut self.without_stalled
        {
            without.failures_passed(look.rule, reached_ms);
        }
        self.tolerance.passed(look.rule.tolerance, reached_ms, test);
    }

    /// Keeps the age of a sum at its bound after a bad call; the tolerance learns from it if the excursion ends by
    /// itself.
    pub(crate) fn note_age(&mut self, look: Look<'_>, test: EvidenceTest) {
        let sum = self.sum_mut(test);
        if sum.is_at_bound(look.rule.cusum(test)) {
            sum.note_age(sum.age(look.now_ms));
        }
    }

    /// Returns the latency test whose evidence has lasted, given `stalled` stalled calls.
    pub(crate) fn lasting_latency(&self, look: Look<'_>, stalled: u16) -> Option<EvidenceTest> {
        let test = EvidenceTest::OF_LATENCY.into_iter().find(|&test| self.has_lasted(look, test))?;
        (!self.is_queue_recovering(look, stalled)).then_some(test)
    }

    /// Whether the evidence of failures has lasted.
    pub(crate) fn lasting_failures(&self, look: Look<'_>) -> bool {
        self.has_lasted(look, EvidenceTest::Failures)
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn has_lasted(&self, look: Look<'_>, test: EvidenceTest) -> bool {
        let sum = self.sum(test);
        sum.is_at_bound(look.rule.cusum(test))
            && sum.age(look.now_ms) >= self.tolerance.needed_ms(look.rule.tolerance, look.now_ms, test)
    }

    /// The queue-recovery hold: while a queue drains, evidence must last up to twice as long.
    fn is_queue_recovering(&self, look: Look<'_>, stalled: u16) -> bool {
        self.peak_stalled >= MIN_QUEUE && stalled <= self.peak_stalled / 2 && {
            let age = self.age_ms(EvidenceTest::Quick, look).max(self.age_ms(EvidenceTest::Patient, look));
            age < self.tolerance.lasting_ms(look.rule.tolerance).saturating_mul(HOLD_FACTOR)
        }
    }

    /// Returns the age of a test's evidence in milliseconds; 0 while its sum is low.
    pub(crate) fn age_ms(&self, test: EvidenceTest, look: Look<'_>) -> u32 {
        let sum = self.sum(test);
        if sum.is_up() { sum.age(look.now_ms) } else { 0 }
    }

    /// Returns the test with the oldest evidence, if any; the quick test if two are equally old.
    pub(crate) fn oldest(&self, look: Look<'_>) -> Option<EvidenceTest> {
        let (mut oldest, mut oldest_ms) = (None, 0);
        for test in EvidenceTest::ALL.into_iter().filter(|&test| self.sum(test).is_up()) {
            let age_ms = self.age_ms(test, look);
            if oldest.is_none() || age_ms > oldest_ms {
                (oldest, oldest_ms) = (Some(test), age_ms);
            }
        }
        oldest
    }

    const fn sum(&self, test: EvidenceTest) -> &Excursion {
        let [quick, patient, failures] = &self.sums;
        match test {
            EvidenceTest::Quick => quick,
            EvidenceTest::Patient => patient,
            EvidenceTest::Failures => failures,
        }
    }

    const fn sum_mut(&mut self, test: EvidenceTest) -> &mut Excursion {
        let [quick, patient, failures] = &mut self.sums;
        match test {
            EvidenceTest::Quick => quick,
            EvidenceTest::Patient => patient,
            EvidenceTest::Failures => failures,
        }
    }

    /// Returns the tolerance in force.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn tolerance(&self, look: Look<'_>) -> Tolerance {
        let rule = look.rule.tolerance;
        let needed = self.tolerance.needed_ms(rule, look.now_ms, EvidenceTest::Quick);
        let source = self.tolerance.source(rule, needed);
        Tolerance { millis: needed, source }
    }

    pub(crate) const fn learned_tolerance_ms(&self) -> u16 {
        self.tolerance.learned_ms()
    }

    pub(crate) fn restore_tolerance(&mut self, learned_ms: u16) {
        self.tolerance.restore(learned_ms);
    }

    pub(crate) const fn set_learned_tolerance_ms(&mut self, learned_ms: u16) {
        self.tolerance.set_learned_ms(learned_ms);
        #[cfg(target_pointer_width = "64")]
        if let Some(without) = &mut self.without_stalled {
            without.set_learned_ms(learned_ms);
        }
    }

    pub(crate) fn forget_tolerance(&mut self) {
        self.tolerance.forget();
    }

    /// Raises the tolerance after a trip whose first probes were all good.
    pub(crate) fn false_trip(&mut self, rule: &EvidenceRule) {
        self.tolerance.false_trip(rule.tolerance);
    }

    fn has_head_start(&self, rule: &EvidenceRule) -> bool {
        self.head_start(rule.max_latency_step()) > 0
    }

    /// Returns the remaining head start of a test with this step.
    fn head_start(&self, step: i32) -> i32 {
        let used_up = i32::from(self.fast_calls).wrapping_mul(HEAD_START_STEP);
        step.wrapping_mul(HEAD_START).wrapping_sub(used_up).max(0)
    }
}

// No sum comes near the limits of its type: a step is below 2¹⁶, counts at most 255 times at once, and a bound is below
// 2²⁶.

#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod tests;
