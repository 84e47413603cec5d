//! A cumulative sum (CUSUM) test: its steps and its bound.

use core::num::NonZeroU32;

/// The amount by which a fast call lowers the sum of the quick or the patient test. All other steps are relative to it.
pub(super) const FAST: i32 = 64;

/// A CUSUM test. A bad call raises the sum by `step`, a good one lowers it by `down`; evidence is sufficient at
/// `bound`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cusum {
    bound: NonZeroU32,
    step: u16,
    down: u16,
}

impl Cusum {
    /// A test that no call changes.
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

    /// An excursion begins when the sum rises above this value and ends when it falls back to it.
    pub(super) const fn half(self) -> i32 {
        self.bound() / 2
    }
}
