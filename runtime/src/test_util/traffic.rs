//! Reproducible traffic from a seed.

use std::time::Duration;

use tripline_core::{Outcome, Ratio};

/// One call of a [`Traffic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficCall {
    /// The time since the call before it started.
    pub gap: Duration,
    /// Duration of the call.
    pub latency: Duration,
    /// Outcome of the call.
    pub outcome: Outcome,
}

/// Traffic of independent calls, drawn from a seed: the same seed gives the same calls.
///
/// Gaps are exponentially distributed (a Poisson process), latencies log-normally. It is an infinite iterator; for a
/// breaker in a [`World`](super::World) see [`World::drive`](super::World::drive).
///
/// ```
/// use std::time::Duration;
/// use tripline_runtime::core::Ratio;
/// use tripline_runtime::test_util::Traffic;
///
/// let slow = Ratio::new(0.03)?;
/// let traffic = || Traffic::new(7, 20.0, Duration::from_millis(80)).slow(slow, Duration::from_secs(2));
/// assert!(traffic().take(100).eq(traffic().take(100)));
/// let mean = traffic().take(10_000).map(|call| call.gap).sum::<Duration>() / 10_000;
/// assert!((45..55).contains(&mean.as_millis()), "{mean:?}");
/// # Ok::<(), tripline_runtime::core::OutOfRange>(())
/// ```
#[derive(Debug, Clone)]
pub struct Traffic {
    random: fastrand::Rng,
    mean_gap: Duration,
    median: Duration,
    sigma: f64,
    slow: (f64, Duration),
    failed: f64,
    ignored: f64,
}

/// 95 % of the latencies are below 2.3 times the median.
const SIGMA: f64 = 0.5;

impl Traffic {
    /// Creates traffic of `per_second` calls on average with this median latency and outcome `Ok`. A rate that is not
    /// positive counts as one call a day.
    pub fn new(seed: u64, per_second: f64, median: Duration) -> Self {
        let mean_gap = Duration::try_from_secs_f64(1.0 / per_second).unwrap_or(DAY).min(DAY);
        let random = fastrand::Rng::with_seed(seed);
        Self { random, mean_gap, median, sigma: SIGMA, slow: (0.0, Duration::ZERO), failed: 0.0, ignored: 0.0 }
    }

    /// Sets the spread of the latencies: the standard deviation of their logarithm; 0 = all equal. Default: 0.5, with
    /// 95 % of the calls below 2.3 medians.
    #[must_use]
    pub fn spread(mut self, sigma: f64) -> Self {
        self.sigma = sigma.max(0.0);
        self
    }

    /// Sets the share of calls that take `latency` instead.
    #[must_use]
    pub fn slow(mut self, share: Ratio, latency: Duration) -> Self {
        self.slow = (share.get(), latency);
        self
    }

    /// Sets the share of calls that fail.
    #[must_use]
    pub fn failed(mut self, share: Ratio) -> Self {
        self.failed = share.get();
        self
    }

    /// Sets the share of the remaining calls that are ignored.
    #[must_use]
    pub fn ignored(mut self, share: Ratio) -> Self {
        self.ignored = share.get();
        self
    }

    fn draw(&mut self) -> TrafficCall {
        // Every call draws the same number of times, so that a changed share does not affect the rest.
        let [gap, radius, angle, slow, failed, ignored] = std::array::from_fn(|_| self.random.f64());
        let gap = self.mean_gap.mul_f64(exponential(gap).min(MAX_FACTOR));
        let normal = (2.0 * exponential(radius)).sqrt() * (std::f64::consts::TAU * angle).cos();
        let latency = if slow < self.slow.0 {
            self.slow.1
        } else {
            self.median.min(DAY).mul_f64((normal * self.sigma).exp().min(MAX_FACTOR))
        };
        let outcome = match () {
            () if failed < self.failed => Outcome::Failed,
            () if ignored < self.ignored => Outcome::Ignored,
            () => Outcome::Ok,
        };
        TrafficCall { gap, latency, outcome }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// Keeps every duration far from overflow.
const MAX_FACTOR: f64 = 1e6;

/// Converts a number that is uniform in 0..1 to an exponentially distributed one with mean 1.
fn exponential(uniform: f64) -> f64 {
    -(1.0 - uniform).ln()
}

impl Iterator for Traffic {
    type Item = TrafficCall;

    fn next(&mut self) -> Option<TrafficCall> {
        Some(self.draw())
    }
}
