//! Two threads on one breaker.

use std::sync::Barrier;
use std::time::{Duration, Instant};

use criterion::Bencher;

/// The time of one operation as the slower of two threads sees it, both doing it at once.
pub(crate) fn two_threads(bencher: &mut Bencher<'_>, operation: impl Fn() + Sync) {
    bencher.iter_custom(|iterations| {
        let barrier = Barrier::new(2);
        let run = || -> Duration {
            barrier.wait();
            let start = Instant::now();
            for _ in 0..iterations {
                operation();
            }
            start.elapsed()
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(run);
            let this = run();
            this.max(other.join().unwrap())
        })
    });
}
