//! A pool of workers that takes jobs in the order in which they arrive.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::trace::{Call, SECOND_US};

/// Work for the pool, or work that occupies no worker.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job {
    pub(super) arrives_us: u64,
    /// Time that a worker at full speed takes.
    pub(super) work_us: f64,
    /// Additional wait of the caller, without a worker.
    pub(super) extra_us: f64,
    pub(super) needs_worker: bool,
    /// Whether a caller waits for it; otherwise it only occupies a worker.
    pub(super) is_call: bool,
    pub(super) failed: bool,
}

impl Job {
    pub(super) const fn call(arrives_us: u64, work_us: f64) -> Self {
        Self { arrives_us, work_us, extra_us: 0.0, needs_worker: true, is_call: true, failed: false }
    }

    /// Waits for a resource of unlimited capacity.
    pub(super) const fn without_worker(self) -> Self {
        Self { needs_worker: false, ..self }
    }
}

/// A period in which all workers are slower or stopped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slowdown {
    pub(super) from_us: u64,
    pub(super) until_us: u64,
    pub(super) speed: f64,
}

/// Maximum time that a caller waits.
const PATIENCE_US: f64 = 60.0 * SECOND_US as f64;

/// Runs the jobs on `workers` workers; the slowdowns do not overlap and are in order.
pub(super) fn run(mut jobs: Vec<Job>, workers: usize, slowdowns: &[Slowdown]) -> Vec<Call> {
    jobs.sort_by_key(|job| job.arrives_us);
    let mut free: BinaryHeap<Reverse<u64>> = (0..workers.max(1)).map(|_| Reverse(0)).collect();
    let mut calls = Vec::with_capacity(jobs.len());
    for job in jobs {
        let end_us = if job.needs_worker {
            let Reverse(free_us) = free.pop().unwrap_or(Reverse(0));
            let end_us = finish(free_us.max(job.arrives_us), job.work_us, slowdowns);
            free.push(Reverse(end_us));
            end_us
        } else {
            finish(job.arrives_us, job.work_us, slowdowns)
        };
        if job.is_call {
            let latency_us = ((end_us - job.arrives_us) as f64 + job.extra_us).min(PATIENCE_US);
            calls.push(Call { start_us: job.arrives_us, latency_us: latency_us as u32, failed: job.failed });
        }
    }
    calls
}

/// Returns when a worker that begins at `start_us` is done.
fn finish(start_us: u64, work_us: f64, slowdowns: &[Slowdown]) -> u64 {
    let (mut now, mut left) = (start_us as f64, work_us);
    let first = slowdowns.partition_point(|slow| slow.until_us <= start_us);
    for slow in &slowdowns[first..] {
        let (from, until) = (slow.from_us as f64, slow.until_us as f64);
        if now < from {
            if left <= from - now {
                break;
            }
            left -= from - now;
            now = from;
        }
        let done = (until - now) * slow.speed;
        if left <= done {
            return (now + left / slow.speed.max(1e-9)) as u64;
        }
        left -= done;
        now = until;
    }
    (now + left) as u64
}
