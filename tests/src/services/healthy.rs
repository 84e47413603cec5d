//! Services that must not cause a page.

use super::parts::{Base, between, exponential, micros, slowdowns, spells};
use super::pool::{Job, Slowdown, run};
use super::trace::Trace;
use crate::noise::Noise;

/// A kind of healthy service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Healthy {
    /// A plain queue, 25 to 65 % busy; at 5 calls a second less, as all of these are.
    Plain,
    /// Pauses of 50 to 600 ms, each 15 to 60 s: a garbage collector.
    Pauses,
    /// 5 to 25 calls at once, each 5 to 60 s.
    Bursts,
    /// A cold start of 0.5 to 2 s.
    ColdStart,
    /// A load that swings by 40 %.
    Swing,
    /// 75 to 85 % busy.
    Busy,
    /// Each minute a batch job takes half of the workers for 1 to 5 s.
    Batch,
    /// 2 % of the calls are long polls of 2 to 8 s.
    LongPolls,
    /// 1.5 % of the calls take 0.2 to 1 s more.
    Retransmissions,
}

impl Healthy {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Plain,
        Self::Pauses,
        Self::Bursts,
        Self::ColdStart,
        Self::Swing,
        Self::Busy,
        Self::Batch,
        Self::LongPolls,
        Self::Retransmissions,
    ];
}

pub(super) fn trace(kind: Healthy, rate: f64, seed: u64, length_s: f64) -> Trace {
    let noise = &mut Noise::new(seed ^ (kind as u64 + 1) << 40);
    let busy = match kind {
        Healthy::Busy => between(noise, 0.75, 0.85),
        Healthy::Swing => between(noise, 0.35, 0.55),
        Healthy::Batch => between(noise, 0.25, 0.4),
        _ => between(noise, 0.25, 0.65),
    };
    let base = Base::new(noise, rate, busy);
    let mut slow: Vec<Slowdown> = Vec::new();
    let mut jobs = match kind {
        Healthy::Swing => {
            let period_s = between(noise, 300.0, 900.0);
            base.jobs_at(noise, length_s, 1.4, |t| 1.0 + 0.4 * (t / period_s * std::f64::consts::TAU).sin())
        }
        _ => base.jobs(noise, length_s),
    };
    match kind {
        Healthy::Pauses => {
            let gap_s = between(noise, 15.0, 60.0);
            let longest_s = between(noise, 0.15, 0.6);
            let pauses = spells(noise, length_s, gap_s, longest_s / 3.0, longest_s);
            slow = slowdowns(&pauses, || 0.0);
        }
        Healthy::Bursts => {
            let (size, gap_s) = (between(noise, 5.0, 25.0), between(noise, 5.0, 60.0));
            add_bursts(noise, &base, &mut jobs, length_s, gap_s, size);
        }
        Healthy::ColdStart => {
            slow = vec![Slowdown { from_us: 0, until_us: micros(between(noise, 0.5, 2.0)), speed: 0.05 }];
        }
        Healthy::Batch => {
            let long_s = between(noise, 1.0, 5.0);
            add_batches(&base, &mut jobs, length_s, long_s);
        }
        Healthy::LongPolls => {
            for job in &mut jobs {
                if noise.chance(0.02) {
                    *job = Job::call(job.arrives_us, between(noise, 2e6, 8e6)).without_worker();
                }
            }
        }
        Healthy::Retransmissions => {
            for job in &mut jobs {
                if noise.chance(0.015) {
                    job.extra_us = between(noise, 0.2e6, 1e6);
                }
            }
        }
        Healthy::Plain | Healthy::Swing | Healthy::Busy => {}
    }
    let calls = run(jobs, base.workers, &slow);
    Trace { calls, length_us: micros(length_s), onset_us: None }
}

/// Up to `size` more calls at once, every `gap_s` seconds on average.
pub(super) fn add_bursts(noise: &mut Noise, base: &Base, jobs: &mut Vec<Job>, length_s: f64, gap_s: f64, size: f64) {
    let mut now_s = exponential(noise, gap_s);
    while now_s < length_s {
        for _ in 0..between(noise, size / 2.0, size) as usize {
            let work_us = base.work_us(noise);
            jobs.push(Job::call(micros(now_s), work_us));
        }
        now_s += exponential(noise, gap_s);
    }
}

fn add_batches(base: &Base, jobs: &mut Vec<Job>, length_s: f64, long_s: f64) {
    let mut now_s = 30.0;
    while now_s < length_s {
        for _ in 0..base.workers / 2 {
            jobs.push(Job { is_call: false, ..Job::call(micros(now_s), long_s * 1e6) });
        }
        now_s += 60.0;
    }
}
