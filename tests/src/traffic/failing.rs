//! Services that are healthy at first and then fail.

use super::healthy::log_normal;
use super::shape::{Draw, NORMAL_95, Shape};

/// Returns the latencies, and the first call from which on the true percentile is above the threshold.
pub(super) fn latencies(shape: Shape, draw: &mut Draw<'_>) -> (Vec<f64>, usize) {
    let threshold = draw.threshold();
    let percentile = draw.between(0.3, 0.8) * threshold;
    let mut latencies = log_normal(draw, percentile);
    let begin = (draw.between(0.3, 0.6) * draw.calls() as f64) as usize;
    let mut crossing = begin;
    match shape {
        Shape::FastRamp => crossing = ramp(draw, &mut latencies, percentile, begin, (40.0, 160.0)),
        Shape::SlowRamp => crossing = ramp(draw, &mut latencies, percentile, begin, (600.0, 1_200.0)),
        Shape::Hanging => {
            let hanging = latencies[begin..].iter_mut().filter(|_| draw.noise.chance(HANGING_SHARE));
            hanging.for_each(|latency| *latency = HANGING_FOR * threshold);
        }
        Shape::Alternating => {
            let slow = draw.between(1.3, 5.0) * threshold;
            latencies[begin..].iter_mut().step_by(2).for_each(|latency| *latency = slow);
        }
        Shape::JustAbove => {
            let level = draw.between(1.03, 1.2) * threshold;
            let deviation = draw.between(0.03, 0.1) * threshold;
            latencies[begin..].iter_mut().for_each(|latency| *latency = level + deviation * draw.noise.gauss());
        }
        _ => {
            let median = draw.between(1.8, 5.0) * threshold;
            latencies[begin..].iter_mut().for_each(|latency| *latency = draw.log_normal(median, 0.25));
        }
    }
    (latencies, crossing)
}

/// Share of the calls that hang.
const HANGING_SHARE: f64 = 0.12;
/// Latency of a hanging call in thresholds: 5 s at 300 ms.
const HANGING_FOR: f64 = 50.0 / 3.0;

/// Raises the level of log-normal latencies to a multiple of the threshold within a number of calls. Returns the first
/// call at which their percentile is above the threshold.
fn ramp(draw: &mut Draw<'_>, latencies: &mut [f64], percentile: f64, begin: usize, calls: (f64, f64)) -> usize {
    let sigma = draw.between(0.2, 0.6);
    let from = percentile / (NORMAL_95 * sigma).exp();
    let to = draw.between(2.0, 4.0) * draw.threshold();
    let length = draw.between(calls.0, calls.1);
    let median = |place: usize| from + (to - from) * (place as f64 / length).min(1.0);
    for (place, latency) in latencies[begin..].iter_mut().enumerate() {
        *latency = draw.log_normal(median(place), sigma);
    }
    let threshold = draw.threshold();
    let is_above = |&place: &usize| median(place) * (NORMAL_95 * sigma).exp() > threshold;
    begin + (0..latencies.len() - begin).find(is_above).unwrap_or_default()
}
