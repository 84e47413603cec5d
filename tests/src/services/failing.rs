//! Services that fail from their onset on.

use super::parts::{Base, between, exponential, micros};
use super::pool::{Job, Slowdown, run};
use super::trace::{SECOND_US, Trace};
use crate::noise::Noise;

/// A kind of failing service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failing {
    /// Load rises within 10 s to 1.15 to 1.6 times what the pool can do.
    Overload,
    /// A dependency becomes 4 to 8 times as slow.
    SlowDependency,
    /// 3 to 10 % of the calls hold their worker for 20 to 40 s.
    StuckWorkers,
    /// One of four replicas takes 10 to 30 times as long.
    BadReplica,
    /// Service times grow, to twice within 20 to 60 s, and on.
    SlowLeak,
    /// All calls hang until their callers give up after 20 s.
    AllHang,
    /// All calls fail within milliseconds.
    AllFail,
    /// A lock lets through a fifth of what comes.
    LockConvoy,
    /// The share of failures grows to all within 20 to 60 s.
    GrowingFailures,
    /// 15 to 30 % of the calls hang for 20 s.
    SomeHang,
    /// 70 to 90 % of the calls fail.
    MostFail,
}

impl Failing {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Overload,
        Self::SlowDependency,
        Self::StuckWorkers,
        Self::BadReplica,
        Self::SlowLeak,
        Self::AllHang,
        Self::AllFail,
        Self::LockConvoy,
        Self::GrowingFailures,
        Self::SomeHang,
        Self::MostFail,
    ];

    /// It gets worse by and by.
    pub const fn is_gradual(self) -> bool {
        matches!(self, Self::Overload | Self::SlowLeak | Self::GrowingFailures | Self::StuckWorkers)
    }

    /// It is a step that concerns all or a fixed large share of the calls.
    pub const fn is_sudden(self) -> bool {
        matches!(self, Self::SlowDependency | Self::BadReplica | Self::AllHang | Self::AllFail)
    }
}

const HANG_US: f64 = 20e6;

pub(super) fn trace(kind: Failing, rate: f64, seed: u64) -> Trace {
    let noise = &mut Noise::new(seed ^ (kind as u64 + 201) << 40);
    let busy = between(noise, 0.3, 0.6);
    let base = Base::new(noise, rate, busy);
    let busy = base.busy;
    // Enough calls before the onset to have a percentile, and after it to be found.
    let onset_s = (2_000.0 / rate).clamp(60.0, 7_200.0) + exponential(noise, 20.0);
    let length_s = onset_s + (2_000.0 / rate).clamp(180.0, 3_600.0);
    let onset_us = micros(onset_s);
    let mut slow = Vec::new();
    let mut jobs = match kind {
        Failing::Overload => {
            let peak = between(noise, 1.15, 1.6) / busy;
            base.jobs_at(noise, length_s, peak, |t| 1.0 + ((t - onset_s) / 10.0).clamp(0.0, 1.0) * (peak - 1.0))
        }
        _ => base.jobs(noise, length_s),
    };
    let (factor, share, ramp_s) = (between(noise, 4.0, 8.0), between(noise, 0.03, 0.1), between(noise, 20.0, 60.0));
    let some = between(noise, 0.15, 0.3);
    if kind == Failing::LockConvoy {
        // A fifth of what comes: the speed at which the pool does that.
        slow = vec![Slowdown { from_us: onset_us, until_us: u64::MAX, speed: busy * 0.2 }];
    }
    for job in &mut jobs {
        if matches!(kind, Failing::SlowDependency | Failing::BadReplica) {
            *job = job.without_worker();
        }
        if job.arrives_us >= onset_us {
            let since_s = (job.arrives_us - onset_us) as f64 / SECOND_US as f64;
            fail(kind, noise, job, since_s, (factor, share, ramp_s, some));
        }
    }
    let calls = run(jobs, base.workers, &slow);
    Trace { calls, length_us: micros(length_s), onset_us: Some(onset_us) }
}

fn fail(kind: Failing, noise: &mut Noise, job: &mut Job, since_s: f64, drawn: (f64, f64, f64, f64)) {
    let (factor, share, ramp_s, some) = drawn;
    let hang = |job: &Job| Job { failed: true, ..Job::call(job.arrives_us, HANG_US).without_worker() };
    match kind {
        Failing::SlowDependency => job.work_us *= factor,
        Failing::StuckWorkers if noise.chance(share) => job.work_us = between(noise, 20e6, 40e6),
        Failing::BadReplica if noise.chance(0.25) => job.work_us *= factor * 2.5 + 5.0,
        Failing::SlowLeak => job.work_us *= 1.0 + since_s / ramp_s,
        Failing::AllHang => *job = hang(job),
        Failing::SomeHang if noise.chance(some) => *job = hang(job),
        Failing::AllFail => {
            *job = Job { failed: true, ..Job::call(job.arrives_us, between(noise, 500.0, 5_000.0)).without_worker() };
        }
        Failing::MostFail => job.failed = noise.chance(1.0 - some),
        Failing::GrowingFailures => job.failed = noise.chance((since_s / ramp_s).min(1.0)),
        _ => {}
    }
}
