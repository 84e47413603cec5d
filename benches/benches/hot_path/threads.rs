//! Measurement with two threads.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use criterion::Bencher;

/// A value on cache lines of its own, so that a row pays only for its own sharing.
#[repr(align(128))]
pub(crate) struct Alone<T>(pub(crate) T);

/// The time of one operation as the slower of two concurrent threads sees it.
pub(crate) fn two_threads(bencher: &mut Bencher<'_>, mut operations: [impl FnMut() + Send; 2]) {
    bencher.iter_custom(|iterations| {
        let here = Alone(AtomicU32::new(0));
        let [mine, its] = &mut operations;
        std::thread::scope(|scope| {
            let other = scope.spawn(|| time(its, iterations, &here.0));
            time(mine, iterations, &here.0).max(other.join().unwrap())
        })
    });
}

fn time(operation: &mut impl FnMut(), iterations: u64, here: &AtomicU32) -> Duration {
    // Spinning, because a thread that is woken up may come when the other one is nearly done.
    here.fetch_add(1, Ordering::AcqRel);
    while here.load(Ordering::Acquire) < 2 {
        std::hint::spin_loop();
    }
    let start = Instant::now();
    for _ in 0..iterations {
        operation();
    }
    start.elapsed()
}
