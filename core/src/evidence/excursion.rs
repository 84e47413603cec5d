//! One cumulative sum, and for how long it has been high.
//!
//! An *excursion* lasts from the bad call that raises the sum above half of its bound to the good call that brings it back there.
//! Its age survives an interruption, less [`LEAK`] times the length of the interruption. Times are milliseconds that wrap after 49
//! days; the age of a sum that is down is forgotten long before. An age that is kept saturates at [`MAX_AGE_MS`].

use super::cusum::{Cusum, FAST};

/// An interruption takes this many times its length off the age of an excursion.
const LEAK: u32 = 2;
/// A fast call takes a sum below zero nearer to zero by this much: with a cold start the fast calls finish first.
pub(super) const HEAD_START_STEP: i32 = FAST / 8;
/// No age is kept above this; it is five times the longest tolerance that can be learned.
const MAX_AGE_MS: u32 = 0x7FFF;
/// Set in `reached_ms` while the sum is up.
const UP: u16 = 0x8000;

/// A sum with its excursion.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Excursion {
    sum: i32,
    /// When the sum last rose above half of its bound or fell back to it.
    turned_ms: u32,
    /// The age at that moment.
    age_at_turn_ms: u16,
    /// The greatest age at which the sum was at its bound, of all excursions that are not over for good; with [`UP`].
    reached_ms: u16,
}

impl Excursion {
    /// A sum that has seen nothing; it forgives calls worth `head_start`.
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

    /// A good call changes nothing, and no age is left.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.sum == 0 && self.age_at_turn_ms == 0 && self.reached_ms == 0
    }

    /// A bad call raises the sum by `step`; a good one, with `step` = 0, lowers it, towards zero. Returns the age that an earlier
    /// excursion, now over for good, reached at the bound.
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

    /// A good call, as in [`Excursion::count`].
    #[must_use]
    pub(super) fn count_good(&mut self, test: Cusum, now_ms: u32) -> u16 {
        if self.is_at_rest() { 0 } else { self.count(test, 0, now_ms) }
    }

    /// Takes back what a call added beyond its due. It ends no excursion: the next good call does.
    pub(super) fn correct(&mut self, excess: i32) {
        // A head start that was used up stays so.
        self.sum = self.sum.wrapping_sub(excess).max(self.sum.min(0));
    }

    /// Takes back all that calls added; `head_start` is what is left of it. If that ends the excursion it is as if it had not begun:
    /// the age of the one before has leaked since then.
    pub(super) fn withdraw(&mut self, test: Cusum, amount: i32, head_start: i32) {
        self.sum = self.sum.wrapping_sub(amount).max(head_start.wrapping_neg());
        if self.is_up() && self.sum <= test.half() {
            self.reached_ms = (self.reached_ms & !UP).min(self.age_at_turn_ms);
        }
    }

    /// The age of the excursion; while the sum is down, what is left of it.
    pub(super) const fn age(&self, now_ms: u32) -> u32 {
        let (since_ms, age_ms) = (now_ms.wrapping_sub(self.turned_ms), self.age_at_turn_ms as u32);
        if self.is_up() { since_ms.wrapping_add(age_ms) } else { age_ms.saturating_sub(LEAK.saturating_mul(since_ms)) }
    }

    pub(super) const fn is_at_bound(&self, test: Cusum) -> bool {
        self.is_up() && self.sum >= test.bound()
    }

    /// At a bad call that finds the sum at its bound: keeps the age.
    pub(super) fn note_age(&mut self, age_ms: u32) {
        self.reached_ms = self.reached_ms.max(age_ms.min(MAX_AGE_MS) as u16 | UP);
    }
}
