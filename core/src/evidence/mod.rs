//! How sure the breaker is that too many calls are slow or fail: the tests behind `trip_confidence`.
//!
//! [`crate::guide::trip_decision`] explains the method, its source and what it promises. In short: with `trip_confidence` > 0 a breach is
//! above *and* evidence that has lasted. Three cumulative sums start at or below zero, are moved by every call and lead to a breach
//! once they have been high for longer than the tolerance:
//!
//! - the *quick* test is for many or very slow calls. A slow call counts in proportion to its latency, half at the threshold and
//!   in full from twice the threshold on; one that has not come back counts in full until it does.
//! - the *patient* test is for a few slow calls too many, for good. Each counts in full, however slow.
//! - the *failure* test is for failed calls, against `failure_rate_threshold`.
//!
//! A call enters a latency test once, when it is decided: a fast call when it finishes, a slow one as soon as it is seen to be older
//! than the threshold (stalled), at the latest when it finishes. What a stalled call added is taken back if it ends ignored or dropped.

use crate::time::Instant;
use crate::units::Latency;

mod cusum;
mod excursion;
mod failures;
mod logarithm;
mod rule;
mod test;
mod tolerance;

use cusum::Cusum;
use excursion::{Excursion, HEAD_START_STEP};
pub(crate) use rule::EvidenceRule;
pub use test::EvidenceTest;
pub(crate) use tolerance::ToleranceRule;
use tolerance::ToleranceState;
pub use tolerance::{Tolerance, ToleranceSource};

/// How many slow calls a fresh test forgives, since a cold start is slow for good reasons; fast calls use this up.
const HEAD_START: i32 = 1;
/// Of calls that stall at one moment no more are counted; these are more than enough for any test.
const MAX_AT_ONCE: u16 = 255;
/// Fewer calls beyond the threshold than this are no queue that could drain.
const MIN_QUEUE: u16 = 5;
/// While a queue drains, evidence must last this many times the tolerance.
const HOLD_FACTOR: u32 = 2;

/// How slow a slow call was, in 256ths of a full one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Slowness(u32);

impl Slowness {
    const HALF: u32 = 128;

    /// `None` for a fast call; half at the threshold, in full from twice the threshold on.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn of(latency: Latency, threshold: Latency) -> Option<Self> {
        if latency <= threshold {
            return None;
        }
        // In units of the threshold's 128th part, which 32 bits divide quickly; of a threshold below 128 µs in full.
        let beyond = latency.as_micros().wrapping_sub(threshold.as_micros());
        let halves = beyond.checked_div(threshold.as_micros() / Self::HALF).unwrap_or(Self::HALF).min(Self::HALF);
        Some(Self(Self::HALF.wrapping_add(halves)))
    }

    /// Such a part of `step`, rounded down.
    fn part_of(self, step: i32) -> i32 {
        self.0.cast_signed().wrapping_mul(step) >> 8
    }
}

/// The running sums, and what was learned from them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence {
    quick: Excursion,
    patient: Excursion,
    failures: Excursion,
    tolerance: ToleranceState,
    /// The most calls that were beyond the threshold at once in this excursion.
    peak_stalled: u16,
    /// Fast calls since the sums began; each uses up a part of the head start.
    fast_calls: u16,
}

/// A rule with what it applies to: the time, and what the policy says about the tolerance.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look<'r> {
    pub(crate) rule: &'r EvidenceRule,
    pub(crate) tolerance: ToleranceRule,
    pub(crate) now: Instant,
}

impl Look<'_> {
    #[cfg_attr(target_pointer_width = "32", inline(never))] // a division of 64 bits takes code there
    fn now_ms(&self) -> u32 {
        (self.now.as_nanos() / 1_000_000) as u32
    }
}

impl Evidence {
    /// Nothing is known yet, nor learned.
    pub(crate) fn new(rule: Option<&EvidenceRule>) -> Self {
        let mut evidence = Self {
            quick: Excursion::default(),
            patient: Excursion::default(),
            failures: Excursion::default(),
            tolerance: ToleranceState::new(),
            peak_stalled: 0,
            fast_calls: 0,
        };
        evidence.restart(rule);
        evidence
    }

    /// Nothing is known of the calls; what was learned stays.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn restart(&mut self, rule: Option<&EvidenceRule>) {
        self.restart_latency(rule);
        self.restart_failures();
    }

    pub(crate) fn restart_latency(&mut self, rule: Option<&EvidenceRule>) {
        let (quick, patient) = rule.map_or((0, 0), EvidenceRule::slow_steps);
        self.quick = Excursion::new(quick.wrapping_mul(HEAD_START));
        self.patient = Excursion::new(patient.wrapping_mul(HEAD_START));
        self.peak_stalled = 0;
        self.fast_calls = 0;
    }

    pub(crate) const fn restart_failures(&mut self) {
        self.failures = Excursion::new(0);
    }

    /// A call was decided, whatever it was.
    pub(crate) fn call_seen(&mut self, look: Look<'_>, is_unhealthy: bool) {
        if self.tolerance.waits_for_call(is_unhealthy) {
            self.tolerance.call_seen(look.tolerance, look.now_ms());
        }
    }

    /// A fast call has finished well, while `stalled` calls are in flight beyond the threshold.
    pub(crate) fn fast_call(&mut self, look: Look<'_>, stalled: u16) {
        if self.has_head_start(look.rule) {
            self.fast_calls = self.fast_calls.saturating_add(1);
        }
        self.lower(look, EvidenceTest::Quick);
        self.lower(look, EvidenceTest::Patient);
        if !self.quick.is_up() {
            self.peak_stalled = stalled;
        }
    }

    /// A slow call has finished; `counted` says whether it is in the sums since it stalled.
    pub(crate) fn slow_call(&mut self, look: Look<'_>, slowness: Slowness, counted: bool) {
        let (quick, patient) = look.rule.slow_steps();
        let due = slowness.part_of(quick);
        if counted {
            self.quick.correct(quick.wrapping_sub(due));
        } else {
            self.raise(look, EvidenceTest::Quick, due);
            self.raise(look, EvidenceTest::Patient, patient);
        }
    }

    /// So many more calls are stalled; with them `stalled` are.
    pub(crate) fn stalled(&mut self, look: Look<'_>, more: u16, stalled: u16) {
        let calls = i32::from(more.min(MAX_AT_ONCE));
        let (quick, patient) = look.rule.slow_steps();
        self.raise(look, EvidenceTest::Quick, quick.wrapping_mul(calls));
        self.raise(look, EvidenceTest::Patient, patient.wrapping_mul(calls));
        self.peak_stalled = self.peak_stalled.max(stalled);
    }

    /// So many calls that were counted when they stalled have ended ignored or were dropped: they count nowhere.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn withdraw_stalled(&mut self, rule: &EvidenceRule, calls: u16) {
        let at_once = i32::from(calls.min(MAX_AT_ONCE));
        for test in [EvidenceTest::Quick, EvidenceTest::Patient] {
            if let Some(cusum) = rule.cusum(test) {
                let head_start = self.head_start(cusum.step());
                self.sum_mut(test).withdraw(cusum, cusum.step().wrapping_mul(at_once), head_start);
            }
        }
        self.peak_stalled = self.peak_stalled.saturating_sub(calls);
    }

    /// A call has failed, fast or slow.
    pub(crate) fn failed_call(&mut self, look: Look<'_>) {
        let step = look.rule.cusum(EvidenceTest::Failures).map_or(0, Cusum::step);
        self.raise(look, EvidenceTest::Failures, step);
    }

    /// A call has not failed, fast or slow.
    pub(crate) fn good_call(&mut self, look: Look<'_>) {
        self.lower(look, EvidenceTest::Failures);
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn lower(&mut self, look: Look<'_>, test: EvidenceTest) {
        if self.sum(test).is_at_rest() {
            return;
        }
        if let Some(cusum) = look.rule.cusum(test) {
            let reached_ms = self.sum_mut(test).lower(cusum, look.now_ms());
            self.tolerance.passed(look.tolerance, reached_ms, test);
        }
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn raise(&mut self, look: Look<'_>, test: EvidenceTest, step: i32) {
        if let Some(cusum) = look.rule.cusum(test) {
            let reached_ms = self.sum_mut(test).raise(cusum, step, look.now_ms());
            self.tolerance.passed(look.tolerance, reached_ms, test);
        }
    }

    /// After a bad call: keeps the age of a sum at its bound, to learn from if it passes.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn note_age(&mut self, look: Look<'_>, test: EvidenceTest) {
        if let Some(cusum) = look.rule.cusum(test) {
            self.sum_mut(test).note_age(cusum, look.now_ms());
        }
    }

    /// The latency test whose evidence has lasted, with `stalled` calls beyond the threshold now.
    pub(crate) fn lasting_latency(&self, look: Look<'_>, stalled: u16) -> Option<EvidenceTest> {
        let test =
            [EvidenceTest::Quick, EvidenceTest::Patient].into_iter().find(|&test| self.has_lasted(look, test))?;
        (!self.is_queue_recovering(look, stalled)).then_some(test)
    }

    /// Whether the evidence of failures has lasted.
    pub(crate) fn lasting_failures(&self, look: Look<'_>) -> bool {
        self.has_lasted(look, EvidenceTest::Failures)
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn has_lasted(&self, look: Look<'_>, test: EvidenceTest) -> bool {
        if !look.rule.cusum(test).is_some_and(|cusum| self.sum(test).is_at_bound(cusum)) {
            return false;
        }
        let now_ms = look.now_ms();
        self.sum(test).age(now_ms) >= self.tolerance.needed_ms(look.tolerance, now_ms, test)
    }

    /// The queue-recovery hold: a queue drains, and the breaker waits up to twice as long.
    fn is_queue_recovering(&self, look: Look<'_>, stalled: u16) -> bool {
        self.peak_stalled >= MIN_QUEUE && stalled <= self.peak_stalled / 2 && {
            let now_ms = look.now_ms();
            let age = self.quick.age(now_ms).max(self.patient.age(now_ms));
            age < self.tolerance.lasting_ms(look.tolerance).saturating_mul(HOLD_FACTOR)
        }
    }

    /// The age of the evidence of a test, in milliseconds; 0 while its sum is down.
    pub(crate) fn age_ms(&self, test: EvidenceTest, look: Look<'_>) -> u32 {
        self.sum(test).age(look.now_ms())
    }

    /// The test whose evidence is oldest, if any has some.
    pub(crate) fn oldest(&self, look: Look<'_>) -> Option<EvidenceTest> {
        // Of two that are as old the last one is taken, which is the quick test.
        let up = EvidenceTest::ALL.into_iter().rev().filter(|&test| self.sum(test).is_up());
        up.max_by_key(|&test| self.age_ms(test, look))
    }

    const fn sum(&self, test: EvidenceTest) -> &Excursion {
        match test {
            EvidenceTest::Quick => &self.quick,
            EvidenceTest::Patient => &self.patient,
            EvidenceTest::Failures => &self.failures,
        }
    }

    const fn sum_mut(&mut self, test: EvidenceTest) -> &mut Excursion {
        match test {
            EvidenceTest::Quick => &mut self.quick,
            EvidenceTest::Patient => &mut self.patient,
            EvidenceTest::Failures => &mut self.failures,
        }
    }

    /// The tolerance in force.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn tolerance(&self, look: Look<'_>) -> Tolerance {
        let now_ms = look.now_ms();
        let needed = self.tolerance.needed_ms(look.tolerance, now_ms, EvidenceTest::Quick);
        let source = self.tolerance.source(look.tolerance, needed);
        Tolerance { millis: needed, source }
    }

    pub(crate) const fn learned_tolerance_ms(&self) -> u16 {
        self.tolerance.learned_ms()
    }

    pub(crate) fn restore_tolerance(&mut self, learned_ms: u16) {
        self.tolerance.restore(learned_ms);
    }

    pub(crate) fn forget_tolerance(&mut self) {
        self.tolerance.forget();
    }

    /// The first probes after a trip were all good.
    pub(crate) fn false_trip(&mut self, rule: ToleranceRule) {
        self.tolerance.false_trip(rule);
    }

    /// Another good call changes nothing.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn is_at_rest(&self, rule: &EvidenceRule) -> bool {
        EvidenceTest::ALL.into_iter().all(|test| self.sum(test).is_at_rest())
            && self.peak_stalled == 0
            && !self.has_head_start(rule)
    }

    fn has_head_start(&self, rule: &EvidenceRule) -> bool {
        let (quick, patient) = rule.slow_steps();
        self.head_start(quick.max(patient)) > 0
    }

    /// What is left of the head start of a test with this step.
    fn head_start(&self, step: i32) -> i32 {
        let used_up = i32::from(self.fast_calls).wrapping_mul(HEAD_START_STEP);
        step.wrapping_mul(HEAD_START).wrapping_sub(used_up).max(0)
    }
}

// No sum comes near the ends of its type: a step is below 2¹⁶, of at most 255 at once, and a bound below 2²⁶.

#[cfg(test)]
mod tests;
