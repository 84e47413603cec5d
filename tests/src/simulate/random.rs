//! Draws from a seed.

use std::time::Duration;

/// Draws from a seed.
#[derive(Debug)]
pub(super) struct Random(fastrand::Rng);

impl Random {
    /// `salt` separates draws for different purposes from one seed.
    pub(super) fn new(seed: u64, salt: u64) -> Self {
        Self(fastrand::Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ salt))
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.0.f64() < share
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        self.0.usize(..end.max(1))
    }

    pub(super) fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    pub(super) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.0.u64(from..to))
    }

    /// Exponentially distributed around a mean, at most three times that.
    pub(super) fn around(&mut self, mean: Duration) -> Duration {
        mean.mul_f64((-(1.0 - self.0.f64()).ln()).min(3.0))
    }
}
