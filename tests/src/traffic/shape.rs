//! Settings and shapes of synthetic services, and the random draws that they need.

use crate::noise::Noise;

/// The percentile of all services.
pub const PERCENTILE: f64 = 0.95;
/// The normal quantile of [`PERCENTILE`].
pub const NORMAL_95: f64 = 1.644_853_627;

/// How calls arrive, and which of them are slow.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Calls of a service.
    pub calls: usize,
    /// Mean time between two starts, in milliseconds.
    pub interval_ms: f64,
    /// Whether starts are a Poisson process or evenly spaced.
    pub poisson: bool,
    /// Threshold of a slow call, in milliseconds.
    pub threshold_ms: f64,
}

impl Setting {
    /// A call every 20 ms, slow above 300 ms, 3,000 of them.
    pub const STEADY: Self = Self { calls: 3_000, interval_ms: 20.0, poisson: false, threshold_ms: 300.0 };
}

/// How a service behaves. The first six never have a true percentile above the threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Shape {
    /// Log-normal latencies.
    LogNormal,
    /// Pareto latencies.
    HeavyTail,
    /// Pauses, each of which makes a few calls in a row slow.
    Pauses,
    /// The first calls are slow.
    ColdStart,
    /// The percentile lies just below the threshold.
    JustBelow,
    /// The level swings, its peaks near the threshold.
    Swing,
    /// From one call to the next nearly all are slow.
    Step,
    /// Within seconds the level rises over the threshold.
    FastRamp,
    /// The same within half a minute.
    SlowRamp,
    /// Some calls hang, the others are as before.
    Hanging,
    /// Every other call is slow.
    Alternating,
    /// The level lies just above the threshold, with noise.
    JustAbove,
}

impl Shape {
    /// Shapes that must not trip.
    pub const HEALTHY: [Self; 6] =
        [Self::LogNormal, Self::HeavyTail, Self::Pauses, Self::ColdStart, Self::JustBelow, Self::Swing];
    /// Shapes that must trip.
    pub const FAILING: [Self; 6] =
        [Self::Step, Self::FastRamp, Self::SlowRamp, Self::Hanging, Self::Alternating, Self::JustAbove];
}

/// The source of random values for one service.
pub(super) struct Draw<'a> {
    pub(super) noise: &'a mut Noise,
    pub(super) setting: Setting,
}

impl Draw<'_> {
    pub(super) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.noise.unit()
    }

    pub(super) fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.noise.gauss()).exp()
    }

    pub(super) fn threshold(&self) -> f64 {
        self.setting.threshold_ms
    }

    pub(super) fn calls(&self) -> usize {
        self.setting.calls
    }
}
