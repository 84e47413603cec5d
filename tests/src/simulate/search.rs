//! Many seeds in parallel, until one fails.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::{Script, Violation, run};

/// A seed that fails.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) script: Script,
    pub(super) violation: Violation,
}

/// How far a search has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) seeds: AtomicU64,
    pub(super) millis: AtomicU64,
    pub(super) events: AtomicU64,
    stop: AtomicBool,
}

/// Runs seeds in parallel until one fails, or time is over.
pub(super) fn first_failure(
    first: u64,
    seeds: u64,
    hours: u32,
    at_most: Option<Duration>,
    progress: &Progress,
) -> Option<Failure> {
    let (next, failure, started) = (AtomicU64::new(0), Mutex::new(None), Instant::now());
    let worker = || {
        // Relaxed, here and below: counters, and a flag that may be seen late.
        while !progress.stop.load(Ordering::Relaxed) && at_most.is_none_or(|limit| started.elapsed() < limit) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= seeds {
                return;
            }
            let script = Script::new(first + number, hours);
            let outcome = run(&script, false);
            progress.seeds.fetch_add(1, Ordering::Relaxed);
            progress.millis.fetch_add(outcome.passed.as_millis() as u64, Ordering::Relaxed);
            progress.events.fetch_add(outcome.events, Ordering::Relaxed);
            if let Some(violation) = outcome.violation {
                progress.stop.store(true, Ordering::Relaxed);
                let mut failure = failure.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                failure.get_or_insert(Failure { script, violation });
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(worker))));
    failure.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
}
