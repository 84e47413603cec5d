//! Healthy services with hiccups that resemble a failure.

use super::healthy;
use super::parts::{Base, between, exponential, is_within, micros, slowdowns, spells};
use super::pool::{Job, Slowdown, run};
use super::trace::{SECOND_US, Trace};
use crate::noise::Noise;

/// A kind of harsher healthy service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Harsh {
    /// A neighbour on the machine leaves 40 to 60 % of the speed for 1 to 5 s, each 1 to 5 minutes.
    NoisyNeighbour,
    /// A CPU quota: what is used up early in each 100 ms is not there for the rest of it.
    CpuQuota,
    /// Each 200 to 900 s a new version: 0.1 to 1.5 s without service, and then cold caches for 0.3 to 2 s.
    Deploys,
    /// Pauses of up to 1 s, after which half of the waiting callers call again.
    Retries,
    /// Pareto service times with an exponent of 1.4 to 2.3.
    HeavyTails,
    /// Two classes of calls, one ten times as slow, in a mix that drifts.
    TwoClasses,
    /// Up to 60 calls at once, each 20 to 120 s.
    Batches,
    /// Service times that drift, up to twice and down to half, over minutes.
    Drift,
    /// Load doubles within seconds, and capacity follows 5 to 20 s later.
    AutoScaling,
    /// A quarter of the calls fails, half of the limit.
    FailuresInBackground,
    /// 3 % of the calls fail, and for 0.2 to 1 s each half minute 80 % do.
    FailuresInBursts,
    /// A network stall of 0.2 to 1.2 s each 30 to 120 s: calls that are on their way arrive together afterwards.
    NetworkStalls,
    /// One worker does it all, so that a single long call blocks all others for many service times.
    OneWorker,
    /// 75 to 85 % busy also at a low rate, because the calls take long: half a second and more at 5 a second.
    LongCalls,
}

impl Harsh {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::NoisyNeighbour,
        Self::CpuQuota,
        Self::Deploys,
        Self::Retries,
        Self::HeavyTails,
        Self::TwoClasses,
        Self::Batches,
        Self::Drift,
        Self::AutoScaling,
        Self::FailuresInBackground,
        Self::FailuresInBursts,
        Self::NetworkStalls,
        Self::OneWorker,
        Self::LongCalls,
    ];
}

pub(super) fn trace(kind: Harsh, rate: f64, seed: u64, length_s: f64) -> Trace {
    let noise = &mut Noise::new(seed ^ (kind as u64 + 101) << 40);
    let busy = if kind == Harsh::AutoScaling { between(noise, 0.35, 0.45) } else { between(noise, 0.25, 0.6) };
    let base = Base::new(noise, rate, busy);
    let base = match kind {
        Harsh::OneWorker => base.as_busy_as(busy).one_worker(),
        Harsh::LongCalls => base.as_busy_as(between(noise, 0.75, 0.85)),
        _ => base,
    };
    let mut slow: Vec<Slowdown> = Vec::new();
    let mut jobs = match kind {
        Harsh::AutoScaling => {
            let surges = spells(noise, length_s, 240.0, 60.0, 180.0);
            let lag_s = between(noise, 5.0, 20.0);
            // While capacity lags behind, twice the calls come; afterwards twice the pool takes twice the calls.
            let lags: Vec<_> = surges.iter().map(|&(from, until)| (from, (from + lag_s).min(until))).collect();
            base.jobs_at(noise, length_s, 2.0, |t| if is_within(&lags, micros(t)) { 2.0 } else { 1.0 })
        }
        _ => base.jobs(noise, length_s),
    };
    match kind {
        Harsh::NoisyNeighbour => {
            let gap_s = between(noise, 60.0, 300.0);
            let spells = spells(noise, length_s, gap_s, 1.0, 5.0);
            slow = slowdowns(&spells, || between(noise, 0.4, 0.6));
        }
        Harsh::CpuQuota => slow = quota(noise, &jobs, &base),
        Harsh::Deploys => slow = deploys(noise, length_s),
        Harsh::Retries => {
            let gap_s = between(noise, 20.0, 90.0);
            let pauses = spells(noise, length_s, gap_s, 0.1, 1.0);
            slow = slowdowns(&pauses, || 0.0);
            let again: Vec<Job> = jobs
                .iter()
                .filter(|job| is_within(&pauses, job.arrives_us))
                .filter(|_| noise.chance(0.5))
                .map(|job| Job::call(job.arrives_us + SECOND_US / 2, job.work_us))
                .collect();
            jobs.extend(again);
        }
        Harsh::HeavyTails => {
            let exponent = between(noise, 1.4, 2.3);
            for job in &mut jobs {
                let least = base.mean_us * (exponent - 1.0) / exponent;
                job.work_us = (least * noise.unit().powf(-1.0 / exponent)).min(30e6);
            }
        }
        Harsh::TwoClasses => {
            let period_s = between(noise, 120.0, 900.0);
            let share = between(noise, 0.01, 0.03);
            for job in &mut jobs {
                let phase = job.arrives_us as f64 / SECOND_US as f64 / period_s * std::f64::consts::TAU;
                if noise.chance(share * (1.0 + phase.sin())) {
                    job.work_us *= 10.0;
                    *job = job.without_worker();
                }
            }
        }
        Harsh::Batches => {
            let (size, gap_s) = (between(noise, 20.0, 60.0), between(noise, 20.0, 120.0));
            healthy::add_bursts(noise, &base, &mut jobs, length_s, gap_s, size);
        }
        Harsh::Drift => {
            let (period_s, height) = (between(noise, 120.0, 600.0), between(noise, 0.2, 0.5));
            for job in &mut jobs {
                let phase = job.arrives_us as f64 / SECOND_US as f64 / period_s * std::f64::consts::TAU;
                job.work_us *= (height * phase.sin()).exp();
            }
        }
        Harsh::FailuresInBackground => jobs.iter_mut().for_each(|job| job.failed = noise.chance(0.25)),
        Harsh::FailuresInBursts => {
            let bursts = spells(noise, length_s, 30.0, 0.2, 1.0);
            for job in &mut jobs {
                job.failed = noise.chance(if is_within(&bursts, job.arrives_us) { 0.8 } else { 0.03 });
            }
        }
        Harsh::NetworkStalls => {
            let gap_s = between(noise, 30.0, 120.0);
            let stalls = spells(noise, length_s, gap_s, 0.2, 1.2);
            for job in &mut jobs {
                let at_s = job.arrives_us as f64 / SECOND_US as f64;
                let next = stalls.partition_point(|&(_, until)| until <= at_s);
                if let Some(&(from, until)) = stalls.get(next)
                    && from <= at_s
                {
                    job.extra_us = (until - at_s) * 1e6;
                }
            }
        }
        Harsh::AutoScaling | Harsh::OneWorker | Harsh::LongCalls => {}
    }
    let calls = run(jobs, base.workers, &slow);
    Trace { calls, length_us: micros(length_s), onset_us: None }
}

/// Deploys take the pool down for a while, and it comes back cold.
fn deploys(noise: &mut Noise, length_s: f64) -> Vec<Slowdown> {
    let gap_s = between(noise, 200.0, 900.0);
    let down = spells(noise, length_s, gap_s, 0.1, 1.5);
    let cold_s = between(noise, 0.3, 2.0);
    down.iter()
        .flat_map(|&(from, until)| {
            let cold = Slowdown { from_us: micros(until), until_us: micros(until + cold_s), speed: 0.5 };
            [Slowdown { from_us: micros(from), until_us: micros(until), speed: 0.0 }, cold]
        })
        .collect()
}

/// In each 100 ms the pool may work for a quota; when the work that arrived exceeds it, it stands still for the rest.
fn quota(noise: &mut Noise, jobs: &[Job], base: &Base) -> Vec<Slowdown> {
    const PERIOD_US: u64 = 100_000;
    let demand_us = base.rate * base.mean_us * 0.1;
    let quota_us = demand_us * between(noise, 1.3, 2.0) + exponential(noise, base.mean_us);
    let mut slow = Vec::new();
    let (mut debt_us, mut next) = (0.0, 0);
    let mut period = 0;
    while next < jobs.len() {
        let until_us = (period + 1) * PERIOD_US;
        while next < jobs.len() && jobs[next].arrives_us < until_us {
            debt_us += jobs[next].work_us;
            next += 1;
        }
        if debt_us > quota_us {
            let share = (quota_us / debt_us).max(0.1);
            let from_us = period * PERIOD_US + (share * PERIOD_US as f64) as u64;
            slow.push(Slowdown { from_us, until_us, speed: 0.0 });
        }
        debt_us = (debt_us - quota_us).max(0.0);
        period += 1;
    }
    slow
}
