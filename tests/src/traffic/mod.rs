//! Synthetic services, healthy and failing, from a seed: the traffic on which the trip decision is scored.
//!
//! A [`Setting`] is the rate of calls and the threshold; a [`Shape`] is the behaviour of the latencies. Every service
//! draws its own parameters within the ranges of its shape, so no two are alike.

use crate::noise::Noise;

mod failing;
mod healthy;
mod shape;

use shape::Draw;
pub use shape::{NORMAL_95, PERCENTILE, Setting, Shape};

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

impl Service {
    /// Draws the service of this shape from the seed.
    pub fn draw(shape: Shape, setting: &Setting, seed: u64) -> Self {
        let mut noise = Noise::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) ^ shape as u64);
        let mut draw = Draw { noise: &mut noise, setting: *setting };
        let (latencies_ms, crossing) = match shape {
            Shape::Step
            | Shape::FastRamp
            | Shape::SlowRamp
            | Shape::Hanging
            | Shape::Alternating
            | Shape::JustAbove => {
                let (latencies, crossing) = failing::latencies(shape, &mut draw);
                (latencies, Some(crossing))
            }
            _ => (healthy::latencies(shape, &mut draw), None),
        };
        Self { shape, calls: calls(setting, &latencies_ms, &mut noise), crossing }
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
