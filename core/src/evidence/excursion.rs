//! One cumulative sum, and for how long it has been high.
//!
//! An *excursion* lasts from the call that raises the sum above half of its bound to the call that brings it back there. Its age
//! survives an interruption, less [`LEAK`] times the length of the interruption. Times are milliseconds that wrap after 49 days;
//! the age of a sum that is down is forgotten long before.

use super::cusum::{Cusum, FAST};

/// An interruption takes this many times its length off the age of an excursion.
const LEAK: u32 = 2;
/// A fast call takes a sum below zero nearer to zero by this much: with a cold start the fast calls finish first.
pub(super) const HEAD_START_STEP: i32 = FAST / 8;

/// A sum with its excursion.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Excursion {
    sum: i32,
    /// While up: when it began, moved back by the age that was left of the one before. While down: its age at its end.
    start_ms: u32,
    /// When the sum last rose above half of its bound or fell back to it.
    turned_ms: u32,
    /// The greatest age at which the sum was at its bound, of all excursions that are not over for good.
    reached_ms: u16,
    up: bool,
}

impl Excursion {
    /// A sum that has seen nothing; it forgives calls worth `head_start`.
    pub(super) const fn new(head_start: i32) -> Self {
        Self { sum: head_start.wrapping_neg(), start_ms: 0, turned_ms: 0, reached_ms: 0, up: false }
    }

    #[cfg(test)]
    pub(super) const fn sum(&self) -> i32 {
        self.sum
    }

    pub(super) const fn is_up(&self) -> bool {
        self.up
    }

    /// A fast (good) call changes nothing, and no age is left.
    pub(super) const fn is_at_rest(&self) -> bool {
        self.sum == 0 && !self.up && self.start_ms == 0 && self.reached_ms == 0
    }

    /// A bad call raises the sum by `step`. Returns the age that an earlier excursion, now over for good, reached at the bound.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(super) fn raise(&mut self, test: Cusum, step: i32, now_ms: u32) -> u16 {
        self.sum = self.sum.wrapping_add(step).min(test.bound().wrapping_add(test.step()));
        if self.up || self.sum <= test.half() {
            return 0;
        }
        let learned = self.settle(now_ms);
        self.start_ms = now_ms.wrapping_sub(self.credit(now_ms));
        self.turned_ms = now_ms;
        self.up = true;
        learned
    }

    /// A good call lowers the sum, towards zero. Returns the age that the excursion reached at the bound, once it is over for good.
    #[must_use]
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(super) fn lower(&mut self, test: Cusum, now_ms: u32) -> u16 {
        self.sum = if self.sum > 0 {
            self.sum.wrapping_sub(test.down()).max(0)
        } else {
            self.sum.wrapping_add(HEAD_START_STEP).min(0)
        };
        if self.up && self.sum <= test.half() {
            self.start_ms = self.age(now_ms);
            self.turned_ms = now_ms;
            self.up = false;
        }
        self.settle(now_ms)
    }

    /// Takes back what a call added beyond its due. It ends no excursion: the next good call does.
    pub(super) fn correct(&mut self, excess: i32) {
        // A head start that was used up stays so.
        self.sum = self.sum.wrapping_sub(excess).max(self.sum.min(0));
    }

    /// Takes back all that calls added, as if they had not been made; `head_start` is what is left of it.
    pub(super) fn withdraw(&mut self, test: Cusum, amount: i32, head_start: i32) {
        self.sum = self.sum.wrapping_sub(amount).max(head_start.wrapping_neg());
        if self.up && self.sum <= test.half() {
            // The age at the turn leaks on from there.
            self.start_ms = self.turned_ms.wrapping_sub(self.start_ms);
            self.reached_ms = self.reached_ms.min(saturate(self.start_ms));
            self.up = false;
        }
    }

    /// The age of the excursion; 0 while the sum is down.
    pub(super) const fn age(&self, now_ms: u32) -> u32 {
        if self.up { now_ms.wrapping_sub(self.start_ms) } else { 0 }
    }

    pub(super) const fn is_at_bound(&self, test: Cusum) -> bool {
        self.up && self.sum >= test.bound()
    }

    /// At a bad call: keeps the age at which the sum was at its bound.
    pub(super) fn note_age(&mut self, test: Cusum, now_ms: u32) {
        if self.is_at_bound(test) {
            self.reached_ms = self.reached_ms.max(saturate(self.age(now_ms)));
        }
    }

    /// What is left of the age of an excursion that has ended.
    const fn credit(&self, now_ms: u32) -> u32 {
        self.start_ms.saturating_sub(LEAK.saturating_mul(now_ms.wrapping_sub(self.turned_ms)))
    }

    /// Forgets an excursion of which no age is left, and returns the age that it reached at the bound.
    #[must_use]
    pub(super) fn settle(&mut self, now_ms: u32) -> u16 {
        if self.up || self.credit(now_ms) > 0 {
            return 0;
        }
        self.start_ms = 0;
        core::mem::take(&mut self.reached_ms)
    }
}

fn saturate(ms: u32) -> u16 {
    u16::try_from(ms).unwrap_or(u16::MAX)
}
