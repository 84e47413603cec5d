//! Many seeds in parallel, until one fails.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::run::run_counted;
use super::{Script, Violation};

/// A seed that fails.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) script: Script,
    pub(super) violation: Violation,
}

/// The progress of a search.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) seeds: AtomicU64,
    pub(super) millis: AtomicU64,
    pub(super) events: AtomicU64,
    stop: AtomicBool,
}

/// One thread of a search.
#[derive(Debug, Default)]
struct Worker {
    seed: AtomicU64,
    events: AtomicU64,
    is_done: AtomicBool,
}

/// A run is stuck if this many checks of [`watch`] find no new event.
const MAX_IDLE_CHECKS: u32 = 60;
const CHECK_EVERY: Duration = Duration::from_secs(1);

/// Runs seeds in parallel until one fails, or time is over.
pub(super) fn first_failure(
    first: u64,
    seeds: u64,
    hours: u32,
    at_most: Option<Duration>,
    progress: &Progress,
) -> Option<Failure> {
    let (next, failure, started) = (AtomicU64::new(0), Mutex::new(None), Instant::now());
    let work = |worker: &Worker| {
        // Relaxed, here and below: counters, and flags that may be seen late.
        while !progress.stop.load(Ordering::Relaxed) && at_most.is_none_or(|limit| started.elapsed() < limit) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= seeds {
                break;
            }
            let script = Script::new(first + number, hours);
            worker.seed.store(script.seed, Ordering::Relaxed);
            let outcome = run_counted(&script, false, &worker.events);
            progress.seeds.fetch_add(1, Ordering::Relaxed);
            progress.millis.fetch_add(outcome.passed.as_millis() as u64, Ordering::Relaxed);
            progress.events.fetch_add(outcome.events, Ordering::Relaxed);
            if let Some(violation) = outcome.violation {
                progress.stop.store(true, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                failure.get_or_insert(Failure { script, violation });
            }
        }
        worker.is_done.store(true, Ordering::Relaxed);
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let workers: Vec<Worker> = (0..threads).map(|_| Worker::default()).collect();
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| watch(&workers));
        let all: Vec<_> = workers.iter().map(|worker| scope.spawn(|| work(worker))).collect();
        for worker in all {
            let _ = worker.join();
        }
        watcher.thread().unpark();
    });
    failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Prints the seed of a run that is stuck, and ends the process: a loop that does not read the clock cannot be ended alone.
#[allow(clippy::print_stdout)]
fn watch(workers: &[Worker]) {
    let mut seen: Vec<(u64, u32)> = workers.iter().map(|_| (0, 0)).collect();
    while !workers.iter().all(|worker| worker.is_done.load(Ordering::Relaxed)) {
        std::thread::park_timeout(CHECK_EVERY);
        for (worker, (events, quiet)) in workers.iter().zip(&mut seen) {
            let now = worker.events.load(Ordering::Relaxed);
            *quiet = if *events == now && !worker.is_done.load(Ordering::Relaxed) { *quiet + 1 } else { 0 };
            *events = now;
            if *quiet > MAX_IDLE_CHECKS {
                println!("seed {} is stuck: it has had no event for a minute", worker.seed.load(Ordering::Relaxed));
                std::process::exit(1);
            }
        }
    }
}
