//! A cumulative sum test: its steps and its bound.

use core::num::NonZeroU32;

/// By so much a fast call lowers a sum of the quick or the patient test; all other steps are relative to it.
pub(super) const FAST: i32 = 64;

/// One cumulative sum: a bad call raises it by `step`, a good one lowers it by `down`, at `bound` it is enough.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cusum {
    bound: i32,
    step: i32,
    down: i32,
}

/// A [`Cusum`] as a rule keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PackedCusum {
    pub(super) bound: NonZeroU32,
    pub(super) step: u16,
    pub(super) down: u16,
}

impl PackedCusum {
    pub(super) const fn unpack(self) -> Cusum {
        Cusum::new(self.bound.get(), self.step, self.down)
    }
}

impl Cusum {
    /// The bound is below 2³¹.
    pub(super) const fn new(bound: u32, step: u16, down: u16) -> Self {
        Self { bound: bound.cast_signed(), step: step as i32, down: down as i32 }
    }

    pub(super) const fn step(self) -> i32 {
        self.step
    }

    pub(super) const fn bound(self) -> i32 {
        self.bound
    }

    pub(super) const fn down(self) -> i32 {
        self.down
    }

    /// Above this an excursion begins, at it one ends.
    pub(super) const fn half(self) -> i32 {
        self.bound / 2
    }
}
