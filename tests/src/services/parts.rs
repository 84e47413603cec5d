//! Building blocks of services.

use super::pool::{Job, Slowdown};
use super::trace::SECOND_US;
use crate::noise::Noise;

/// Minimum number of workers. With one or two workers a single long call blocks all others for many service times: such
/// a service is a kind of its own ([`Harsh::OneWorker`](super::Harsh)), not a healthy pool.
const MIN_WORKERS: f64 = 4.0;

/// The service in its ordinary state.
#[derive(Debug, Clone, Copy)]
pub(super) struct Base {
    pub(super) rate: f64,
    pub(super) workers: usize,
    /// The share of the time for which a worker is busy.
    pub(super) busy: f64,
    /// Mean service time in microseconds, and the deviation of its logarithm.
    pub(super) mean_us: f64,
    pub(super) sigma: f64,
}

impl Base {
    /// Creates a pool that is busy for about this share of the time, or less if the rate is too low for the smallest
    /// pool. The mean service time, 10 to 150 ms, does not depend on the rate.
    pub(super) fn new(noise: &mut Noise, rate: f64, busy: f64) -> Self {
        let mean_s = between_log(noise, 0.01, 0.15);
        let workers = (rate * mean_s / busy).round().max(MIN_WORKERS);
        let sigma = between(noise, 0.35, 0.85);
        let busy = rate * mean_s / workers;
        Self { rate, workers: workers as usize, busy, mean_us: mean_s * SECOND_US as f64, sigma }
    }

    /// Lengthens calls until the pool is busy for this share of the time.
    pub(super) fn as_busy_as(self, busy: f64) -> Self {
        Self { mean_us: self.mean_us * busy / self.busy, busy, ..self }
    }

    /// Puts the same load on one worker.
    pub(super) fn one_worker(self) -> Self {
        Self { mean_us: self.mean_us / self.workers as f64, workers: 1, ..self }
    }

    /// A log-normal service time.
    pub(super) fn work_us(&self, noise: &mut Noise) -> f64 {
        self.mean_us * (self.sigma * noise.gauss() - self.sigma * self.sigma / 2.0).exp()
    }

    /// Calls at the service's rate.
    pub(super) fn jobs(&self, noise: &mut Noise, length_s: f64) -> Vec<Job> {
        self.jobs_at(noise, length_s, 1.0, |_| 1.0)
    }

    /// Calls at `factor(t)` times the rate, at most `max` times it; t in seconds.
    pub(super) fn jobs_at(&self, noise: &mut Noise, length_s: f64, max: f64, factor: impl Fn(f64) -> f64) -> Vec<Job> {
        let mut jobs = Vec::with_capacity((self.rate * length_s) as usize);
        let mut now_s = 0.0;
        loop {
            now_s += exponential(noise, 1.0 / (self.rate * max));
            if now_s >= length_s {
                return jobs;
            }
            if max <= 1.0 || noise.unit() * max < factor(now_s) {
                let work_us = self.work_us(noise);
                jobs.push(Job::call(micros(now_s), work_us));
            }
        }
    }
}

/// Uniform.
pub(super) fn between(noise: &mut Noise, low: f64, high: f64) -> f64 {
    low + (high - low) * noise.unit()
}

/// Uniform in the logarithm.
pub(super) fn between_log(noise: &mut Noise, low: f64, high: f64) -> f64 {
    between(noise, low.ln(), high.ln()).exp()
}

/// Exponential with this mean.
pub(super) fn exponential(noise: &mut Noise, mean: f64) -> f64 {
    -mean * noise.unit().ln()
}

pub(super) fn micros(seconds: f64) -> u64 {
    (seconds * SECOND_US as f64) as u64
}

/// Returns instants with exponential gaps of this mean, each with a length from the range, in seconds; they do not
/// overlap.
pub(super) fn spells(noise: &mut Noise, length_s: f64, gap_s: f64, shortest_s: f64, longest_s: f64) -> Vec<(f64, f64)> {
    let mut spells = Vec::new();
    let mut now_s = exponential(noise, gap_s);
    while now_s < length_s {
        let long_s = between(noise, shortest_s, longest_s);
        spells.push((now_s, now_s + long_s));
        now_s += long_s + exponential(noise, gap_s);
    }
    spells
}

pub(super) fn slowdowns(spells: &[(f64, f64)], mut speed: impl FnMut() -> f64) -> Vec<Slowdown> {
    let slowdown = |&(from_s, until_s): &(f64, f64)| Slowdown {
        from_us: micros(from_s),
        until_us: micros(until_s),
        speed: speed(),
    };
    spells.iter().map(slowdown).collect()
}

pub(super) fn is_within(spells: &[(f64, f64)], at_us: u64) -> bool {
    let at_s = at_us as f64 / SECOND_US as f64;
    let next = spells.partition_point(|&(_, until)| until <= at_s);
    spells.get(next).is_some_and(|&(from, _)| from <= at_s)
}
