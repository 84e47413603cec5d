//! Healthy services: at most one call in twenty is slow at any time.

use super::shape::{Draw, NORMAL_95, Shape};

/// Range of the percentile of a healthy service, as a share of the threshold.
const PERCENTILE_FROM: f64 = 0.4;
const PERCENTILE_TO: f64 = 0.9;

pub(super) fn latencies(shape: Shape, draw: &mut Draw<'_>) -> Vec<f64> {
    let threshold = draw.threshold();
    let percentile = draw.between(PERCENTILE_FROM, PERCENTILE_TO) * threshold;
    match shape {
        Shape::HeavyTail => {
            let exponent = draw.between(1.3, 3.0);
            let scale = percentile / 20_f64.powf(1.0 / exponent);
            each(draw, |draw, _| (scale * draw.noise.unit().powf(-1.0 / exponent)).min(100.0 * threshold))
        }
        Shape::Pauses => pauses(draw, percentile),
        Shape::ColdStart => cold_start(draw, percentile),
        Shape::JustBelow => {
            let percentile = draw.between(0.88, 0.96) * threshold;
            let deviation = draw.between(0.04, 0.15) * threshold;
            each(draw, |draw, _| percentile + deviation * (draw.noise.gauss() - NORMAL_95))
        }
        Shape::Swing => {
            let peak = draw.between(0.8, 0.92) * threshold;
            let sigma = draw.between(0.25, 0.6);
            let calls_per_day = draw.between(0.5, 1.0) * draw.calls() as f64;
            let phase = draw.noise.unit();
            each(draw, |draw, i| {
                let height = 0.5 + 0.5 * (std::f64::consts::TAU * (i as f64 / calls_per_day + phase)).sin();
                draw.log_normal(peak * (0.4 + 0.6 * height) / (NORMAL_95 * sigma).exp(), sigma)
            })
        }
        _ => log_normal(draw, percentile),
    }
}

fn each(draw: &mut Draw<'_>, mut latency: impl FnMut(&mut Draw<'_>, usize) -> f64) -> Vec<f64> {
    (0..draw.calls()).map(|i| latency(draw, i)).collect()
}

pub(super) fn log_normal(draw: &mut Draw<'_>, percentile: f64) -> Vec<f64> {
    let sigma = draw.between(0.2, 0.9);
    let median = percentile / (NORMAL_95 * sigma).exp();
    each(draw, |draw, _| draw.log_normal(median, sigma))
}

/// Calls that start during a pause of the service wait for its end: three in a row are slow.
fn pauses(draw: &mut Draw<'_>, percentile: f64) -> Vec<f64> {
    const CALLS_IN_A_PAUSE: usize = 3;
    let threshold = draw.threshold();
    let mut latencies = log_normal(draw, 0.7 * percentile);
    let calls_between = draw.between(120.0, 500.0);
    let mut next = draw.between(0.0, calls_between) as usize;
    while next + CALLS_IN_A_PAUSE <= latencies.len() {
        let longest = draw.between(1.3, 4.0) * threshold;
        for (place, latency) in latencies[next..next + CALLS_IN_A_PAUSE].iter_mut().enumerate() {
            *latency = (longest - place as f64 * draw.setting.interval_ms).max(1.05 * threshold);
        }
        next += CALLS_IN_A_PAUSE + (calls_between * draw.between(0.6, 1.4)) as usize;
    }
    latencies
}

/// Caches are cold: up to eight calls are slow, and some more are almost slow.
fn cold_start(draw: &mut Draw<'_>, percentile: f64) -> Vec<f64> {
    let threshold = draw.threshold();
    let mut latencies = log_normal(draw, percentile);
    let slow = draw.between(1.0, 9.0) as usize;
    let longest = draw.between(1.5, 5.0) * threshold;
    for (place, latency) in latencies.iter_mut().take(slow + 15).enumerate() {
        let left = 1.0 - place as f64 / slow as f64;
        *latency = if place < slow { threshold * 1.05 + (longest - threshold) * left } else { 0.8 * threshold };
    }
    latencies
}
