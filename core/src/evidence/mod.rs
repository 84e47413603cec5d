//! How sure the breaker is that too many calls are slow: the tests behind `trip_confidence`.
//!
//! [`crate::guide::trip_decision`] explains the method, its source and what it promises. In short, with p₀ = 1 − percentile:
//! "above" alone is a weak sign, so with `trip_confidence` > 0 a breach is above *and* one of three tests, each of which
//! starts at zero, is moved by every call and cannot fall below zero:
//!
//! - the *quick* test is for many or very slow calls. A slow call counts in proportion to its latency, half at the threshold and
//!   in full from twice the threshold on; one that has not come back counts in full until it does.
//! - the *patient* test is for a few slow calls too many, for good. Each counts in full, however slow.
//! - the *hang* test is for calls that no longer come back, where slow ones used to be rare.
//!
//! A call enters a test once, when it is decided: a fast call when it finishes, a slow one as soon as it is seen to be older than
//! the threshold (stalled), at the latest when it finishes.

use crate::units::Latency;

mod rule;

pub(crate) use rule::EvidenceRule;
use rule::{Cusum, FAST};

/// How many slow calls a sum may run ahead of its bound: the more, the later good calls are believed again.
const CEILING_STEPS: i32 = 1;
/// How many slow calls a fresh test forgives, since a cold start is slow for good reasons; fast calls use this up.
const HEAD_START: i32 = 4;

/// Of calls that stall at one moment no more are looked at; these are more than enough for any test.
const MAX_AT_ONCE: u16 = 255;

/// The hang test believes no fewer calls than these, as the plateau does not.
const MIN_HANGING: u16 = 5;
/// So many slow calls that came back lately, and the hang test is silent: a slow call is no news then.
const RETURNED_ALLOWED: u16 = 4;
/// So many of them are remembered. A fresh test remembers as many, so that it has to see many calls first.
const RETURNED_REMEMBERED: u16 = 8;

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

/// The running sums.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Evidence {
    quick: i32,
    patient: i32,
    /// The hang test's sum: calls that began to hang, less those that came back and the fast ones.
    hanging: u16,
    /// Slow calls that came back lately.
    returned: u16,
}

impl Evidence {
    /// Nothing is known yet.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn new(rule: Option<&EvidenceRule>) -> Self {
        let Some(rule) = rule else { return Self { quick: 0, patient: 0, hanging: 0, returned: 0 } };
        Self {
            quick: start(rule.quick()),
            patient: start(rule.patient()),
            hanging: 0,
            returned: rule.returned().wrapping_mul(RETURNED_REMEMBERED),
        }
    }

    /// A call has finished; `counted` tells whether a slow one is in the sums since it stalled.
    pub(crate) fn finished(&mut self, rule: &EvidenceRule, slowness: Option<Slowness>, counted: bool) {
        let Some(slowness) = slowness else {
            self.quick = lower(self.quick);
            self.patient = lower(self.patient);
            self.hanging = self.hanging.saturating_sub(1);
            return self.good_call_at_rest();
        };
        self.remember(rule, 1);
        let step = rule.quick().slow();
        let deserved = slowness.part_of(step);
        if counted {
            // What was too much is taken back; what is forgiven stays forgiven.
            self.hanging = self.hanging.saturating_sub(rule.hanging());
            self.quick = self.quick.wrapping_sub(step.wrapping_sub(deserved)).max(self.quick.min(0));
        } else {
            self.raise(rule, deserved, rule.patient().slow());
        }
    }

    /// So many more calls are stalled. In a young breaker none may have come back yet.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn stalled(&mut self, rule: &EvidenceRule, more: u16, is_young: bool) {
        let more = more.min(MAX_AT_ONCE);
        if is_young || self.is_used_to_slow_calls(rule) {
            self.remember(rule, more);
        }
        let calls = i32::from(more);
        self.raise(rule, rule.quick().slow().wrapping_mul(calls), rule.patient().slow().wrapping_mul(calls));
        let most = rule.hanging().wrapping_mul(MIN_HANGING);
        self.hanging = self.hanging.wrapping_add(rule.hanging().wrapping_mul(more.min(MIN_HANGING))).min(most);
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn raise(&mut self, rule: &EvidenceRule, quick: i32, patient: i32) {
        self.quick = self.quick.wrapping_add(quick).min(ceiling(rule.quick()));
        self.patient = self.patient.wrapping_add(patient).min(ceiling(rule.patient()));
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn remember(&mut self, rule: &EvidenceRule, slow_calls: u16) {
        let most = rule.returned().wrapping_mul(RETURNED_REMEMBERED);
        let more = rule.returned().wrapping_mul(slow_calls.min(RETURNED_REMEMBERED));
        self.returned = self.returned.wrapping_add(more).min(most);
    }

    /// So many slow calls of late that another one is no news.
    fn is_used_to_slow_calls(&self, rule: &EvidenceRule) -> bool {
        self.returned > rule.returned().wrapping_mul(RETURNED_ALLOWED)
    }

    /// Whether the evidence of any test is at or over its bound, with so many calls that are stalled now.
    pub(crate) fn is_enough(&self, rule: &EvidenceRule, stalled: u16) -> bool {
        self.quick >= rule.quick().bound() || self.patient >= rule.patient().bound() || self.is_hanging(rule, stalled)
    }

    fn is_hanging(&self, rule: &EvidenceRule, stalled: u16) -> bool {
        // Where the test is off its sum stays 0, and so does its bound.
        stalled >= MIN_HANGING && self.hanging > rule.hanging_bound() && !self.is_used_to_slow_calls(rule)
    }

    /// Another good call changes nothing but what [`Evidence::good_call_at_rest`] does.
    #[cfg(target_pointer_width = "64")]
    pub(crate) const fn is_at_rest(&self) -> bool {
        self.quick == 0 && self.patient == 0 && self.hanging == 0
    }

    /// A good call, where everything else is at rest.
    #[inline]
    pub(crate) fn good_call_at_rest(&mut self) {
        if self.returned > 0 {
            self.returned = self.returned.wrapping_sub(1);
        }
    }
}

// No sum comes near the ends of its type: a step of a slow call is below 2¹⁶ and a bound below 2²³; the hang test's steps
// are below 2¹⁰, and its count of calls that came back is below 48 of them.

fn start(test: Cusum) -> i32 {
    test.slow().wrapping_mul(HEAD_START).wrapping_neg()
}

fn ceiling(test: Cusum) -> i32 {
    test.bound().wrapping_add(test.slow().wrapping_mul(CEILING_STEPS))
}

/// A fast call takes a sum nearer to zero; from below slowly, since with a cold start the fast calls finish first.
fn lower(sum: i32) -> i32 {
    if sum > 0 { sum.wrapping_sub(FAST).max(0) } else { sum.wrapping_add(FAST / 8).min(0) }
}

#[cfg(test)]
mod tests;
