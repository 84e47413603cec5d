//! One cumulative sum, with the time for which it has been high.
//!
//! An *excursion* lasts from the bad call that raises the sum above half of its bound to the good call that lowers it
//! to half or below. Its age survives an interruption, less [`LEAK`] times the length of the interruption. Times are
//! milliseconds that wrap after 49 days; the age of a low sum leaks away long before that. A kept age saturates at
//! [`MAX_AGE_MS`].

use super::cusum::{Cusum, FAST};

/// An interruption reduces the age of an excursion by this multiple of its length.
const LEAK: u32 = 2;
/// A fast call raises a negative sum towards zero by this amount: after a cold start the fast calls finish first.
pub(super) const HEAD_START_STEP: i32 = FAST / 8;
/// Upper limit of a kept age, in milliseconds; five times the longest tolerance that can be learned.
const MAX_AGE_MS: u32 = 0x7FFF;
/// Flag in `reached_ms`, set while the sum is above half of its bound.
const UP: u16 = 0x8000;

/// A sum with its excursion.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Excursion {
    sum: i32,
    /// When the sum last rose above half of its bound or fell back to it, in wrapping milliseconds.
    turned_ms: u32,
    /// The age at that time.
    age_at_turn_ms: u16,
    /// The greatest age at which the sum was at its bound, over all excursions whose age has not leaked away; with the
    /// flag [`UP`].
    reached_ms: u16,
}

impl Excursion {
    /// Creates a sum without calls. It starts below zero by `head_start`.
    pub(super) const fn new(head_start: i32) -> Self {
        Self { sum: head_start.wrapping_neg(), turned_ms: 0, age_at_turn_ms: 0, reached_ms: 0 }
    }

    #[cfg(test)]
    pub(super) const fn sum(&self) -> i32 {
        self.sum
    }

    pub(super) const fn is_up(&self) -> bool {
        self.reached_ms & UP != 0
    }

    /// Whether a good call changes nothing: the sum is zero and no age is left.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.sum == 0 && self.is_ageless()
    }

    /// Counts a call. A bad call raises the sum by `step`; a good one (`step` = 0) moves it towards zero. Returns the
    /// age that an earlier excursion reached at the bound, if its age has now leaked away.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(super) fn count(&mut self, test: Cusum, step: i32, now_ms: u32) -> u16 {
        let is_unhealthy = step > 0;
        self.sum = if is_unhealthy {
            self.sum.wrapping_add(step).min(test.bound().wrapping_add(test.step()))
        } else if self.sum > 0 {
            self.sum.wrapping_sub(test.down()).max(0)
        } else {
            self.sum.wrapping_add(HEAD_START_STEP).min(0)
        };
        let mut age = self.age(now_ms);
        let ends = self.is_up() && !is_unhealthy && self.sum <= test.half();
        let begins = !self.is_up() && is_unhealthy && self.sum > test.half();
        let mut reached_ms = 0;
        if !self.is_up() && age == 0 {
            self.age_at_turn_ms = 0;
            reached_ms = core::mem::take(&mut self.reached_ms);
        }
        if begins || ends {
            age = age.min(MAX_AGE_MS);
            self.age_at_turn_ms = age as u16;
            self.turned_ms = now_ms;
            self.reached_ms ^= UP;
        }
        reached_ms
    }

    /// Counts a good call, as [`Excursion::count`] does.
    #[cfg(target_pointer_width = "64")]
    #[must_use]
    pub(super) fn count_good(&mut self, test: Cusum, now_ms: u32) -> u16 {
        if self.is_at_rest() { 0 } else { self.count(test, 0, now_ms) }
    }

    /// Whether the times of good calls have no effect: the sum is not high, and no age is left.
    pub(super) const fn is_ageless(&self) -> bool {
        self.age_at_turn_ms == 0 && self.reached_ms == 0
    }

    /// Counts good calls, as [`Excursion::count`] does, while the sum [is ageless](Excursion::is_ageless).
    #[cfg(target_pointer_width = "64")]
    pub(super) fn count_ageless(&mut self, test: Cusum, calls: u64) {
        let calls = i64::try_from(calls).unwrap_or(i64::MAX);
        let towards_zero = |step: i32| calls.saturating_mul(step.into());
        let sum = i64::from(self.sum);
        let moved = if sum > 0 {
            sum.saturating_sub(towards_zero(test.down())).max(0)
        } else {
            sum.saturating_add(towards_zero(HEAD_START_STEP)).min(0)
        };
        self.sum = moved as i32;
    }

    /// Removes the amount that a stalled call added in excess of its latency. It ends no excursion; the next good call
    /// does.
    pub(super) fn correct(&mut self, excess: i32) {
        // A used head start is not restored.
        self.sum = self.sum.wrapping_sub(excess).max(self.sum.min(0));
    }

    /// Removes the full amount that calls added; `head_start` is the head start that remains. If this ends the
    /// excursion, the excursion is treated as if it had not begun: the age of the one before has leaked since then.
    pub(super) fn withdraw(&mut self, test: Cusum, amount: i32, head_start: i32) {
        self.sum = self.sum.wrapping_sub(amount).max(head_start.wrapping_neg());
        if self.is_up() && self.sum <= test.half() {
            self.reached_ms = (self.reached_ms & !UP).min(self.age_at_turn_ms);
        }
    }

    /// The age of the excursion; while the sum is low, the age that remains.
    pub(super) const fn age(&self, now_ms: u32) -> u32 {
        let (since_ms, age_ms) = (now_ms.wrapping_sub(self.turned_ms), self.age_at_turn_ms as u32);
        if self.is_up() { since_ms.wrapping_add(age_ms) } else { age_ms.saturating_sub(LEAK.saturating_mul(since_ms)) }
    }

    pub(super) const fn is_at_bound(&self, test: Cusum) -> bool {
        self.is_up() && self.sum >= test.bound()
    }

    /// Keeps the age when a bad call finds the sum at its bound.
    pub(super) fn note_age(&mut self, age_ms: u32) {
        self.reached_ms = self.reached_ms.max(age_ms.min(MAX_AGE_MS) as u16 | UP);
    }
}
