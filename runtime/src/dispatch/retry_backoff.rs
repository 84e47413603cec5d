//! How long to wait before another attempt.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// Exponential backoff with full jitter: each wait is drawn evenly from zero to a ceiling that doubles up to a minute, so
/// that many clients do not come back in step.
#[derive(Debug)]
pub(crate) struct Backoff {
    attempts: u32,
    random: fastrand::Rng,
}

impl Backoff {
    pub(crate) fn new(seed: u64) -> Self {
        Self { attempts: 0, random: fastrand::Rng::with_seed(seed) }
    }

    pub(crate) fn next(&mut self) -> Duration {
        let ceiling = FIRST.saturating_mul(1 << self.attempts.min(10)).min(LONGEST);
        self.attempts = self.attempts.saturating_add(1);
        ceiling.mul_f64(self.random.f64())
    }

    pub(crate) fn reset(&mut self) {
        self.attempts = 0;
    }
}
