//! Waits between attempts.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const MAX: Duration = Duration::from_secs(60);
const FIRST_SLOW: Duration = Duration::from_secs(5);
const MAX_SLOW: Duration = Duration::from_secs(300);

/// Exponential backoff with full jitter: each wait is drawn uniformly from zero to a ceiling that doubles up to a
/// minute, so that many clients do not retry in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    attempts: u32,
    rejections: u32,
    random: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { attempts: 0, rejections: 0, random: fastrand::Rng::with_seed(seed) }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.attempts.min(10)).min(MAX);
        self.attempts = self.attempts.saturating_add(1);
        ceiling.mul_f64(self.random.f64())
    }

    /// Returns a wait of the slow rate after a rejection: a ceiling that doubles from 5 seconds to 5 minutes, less up
    /// to a half at random.
    pub(crate) fn next_slow(&mut self) -> Duration {
        let ceiling = FIRST_SLOW.saturating_mul(1 << self.rejections.min(10)).min(MAX_SLOW);
        self.rejections = self.rejections.saturating_add(1);
        ceiling.mul_f64(1.0 - self.random.f64() / 2.0)
    }

    pub(crate) fn reset(&mut self) {
        (self.attempts, self.rejections) = (0, 0);
    }
}
