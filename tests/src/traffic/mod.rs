//! Synthetic services, healthy and failing, seeded: what the trip decision is judged on.
//!
//! A [`Setting`] says how often calls start and what is slow; a [`Shape`] says how the latencies behave. Every service draws
//! its own parameters within the ranges of its shape, so that no two are alike.

use crate::noise::Noise;

mod failing;
mod healthy;

/// The percentile that all services are held against.
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
    /// Starts are a Poisson process, not a metronome.
    pub poisson: bool,
    /// A call that takes longer is slow, in milliseconds.
    pub threshold_ms: f64,
}

impl Setting {
    /// A call every 20 ms, slow above 300 ms, 3,000 of them.
    pub const STEADY: Self = Self { calls: 3_000, interval_ms: 20.0, poisson: false, threshold_ms: 300.0 };
}

/// A call: when it starts, and how long it takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Call {
    /// In microseconds.
    pub start_us: u64,
    /// In microseconds.
    pub latency_us: u32,
}

/// A service's calls in the order of their starts.
#[derive(Debug, Clone)]
pub struct Service {
    /// How it behaves.
    pub shape: Shape,
    /// All of its calls.
    pub calls: Vec<Call>,
    /// The first call from which on the true percentile is above the threshold; `None` for a healthy service.
    pub crossing: Option<usize>,
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
    /// Those that are not to trip.
    pub const HEALTHY: [Self; 6] =
        [Self::LogNormal, Self::HeavyTail, Self::Pauses, Self::ColdStart, Self::JustBelow, Self::Swing];
    /// Those that are.
    pub const FAILING: [Self; 6] =
        [Self::Step, Self::FastRamp, Self::SlowRamp, Self::Hanging, Self::Alternating, Self::JustAbove];

    /// The service of this shape that the seed stands for.
    pub fn service(self, setting: &Setting, seed: u64) -> Service {
        let mut noise = Noise::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ self as u64);
        let mut draw = Draw { noise: &mut noise, setting: *setting };
        let (latencies_ms, crossing) = match self {
            Self::Step | Self::FastRamp | Self::SlowRamp | Self::Hanging | Self::Alternating | Self::JustAbove => {
                let (latencies, crossing) = failing::latencies(self, &mut draw);
                (latencies, Some(crossing))
            }
            _ => (healthy::latencies(self, &mut draw), None),
        };
        Service { shape: self, calls: calls(setting, &latencies_ms, &mut noise), crossing }
    }
}

fn calls(setting: &Setting, latencies_ms: &[f64], noise: &mut Noise) -> Vec<Call> {
    let mut start_ms = 0.0;
    let call = |&latency_ms: &f64| {
        let gap = if setting.poisson { -noise.unit().ln() } else { 1.0 };
        start_ms += gap * setting.interval_ms;
        Call { start_us: (start_ms * 1_000.0) as u64, latency_us: (latency_ms.max(0.5) * 1_000.0) as u32 }
    };
    latencies_ms.iter().map(call).collect()
}

/// Draws what the shapes need.
struct Draw<'a> {
    noise: &'a mut Noise,
    setting: Setting,
}

impl Draw<'_> {
    fn between(&mut self, least: f64, most: f64) -> f64 {
        least + (most - least) * self.noise.unit()
    }

    fn log_normal(&mut self, median: f64, sigma: f64) -> f64 {
        median * (sigma * self.noise.gauss()).exp()
    }

    fn threshold(&self) -> f64 {
        self.setting.threshold_ms
    }

    fn calls(&self) -> usize {
        self.setting.calls
    }
}
