//! A cumulative sum test: its steps and its bound.

use core::num::NonZeroU32;

/// A fast call lowers a sum of the quick or the patient test by this much; all other steps are relative to it.
pub(super) const FAST: i32 = 64;

/// One cumulative sum: a bad call raises it by `step`, a good one lowers it by `down`, at `bound` it is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cusum {
    bound: NonZeroU32,
    step: u16,
    down: u16,
}

impl Cusum {
    /// A test that no call moves.
    pub(super) const OFF: Self = Self { bound: NonZeroU32::MIN, step: 0, down: 0 };

    /// The bound is below 2³¹.
    pub(super) const fn new(bound: NonZeroU32, step: u16, down: u16) -> Self {
        Self { bound, step, down }
    }

    pub(super) const fn step(self) -> i32 {
        self.step as i32
    }

    pub(super) const fn bound(self) -> i32 {
        self.bound.get().cast_signed()
    }

    pub(super) const fn down(self) -> i32 {
        self.down as i32
    }

    /// Above this an excursion begins, at it one ends.
    pub(super) const fn half(self) -> i32 {
        self.bound() / 2
    }
}
