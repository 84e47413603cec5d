//! Measurement with several threads.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use criterion::Bencher;

/// A value on cache lines of its own, so that a row pays only for its own sharing.
#[repr(align(128))]
pub(crate) struct Alone<T>(pub(crate) T);

/// The time of one operation as the slowest of concurrent threads sees it, one thread for each operation.
pub(crate) fn at_once<const THREADS: usize>(bencher: &mut Bencher<'_>, mut operations: [impl FnMut() + Send; THREADS]) {
    bencher.iter_custom(|iterations| {
        let here = Alone(AtomicU32::new(0));
        let timed = |operation| time(operation, iterations, &here.0, THREADS as u32);
        std::thread::scope(|scope| {
            let [mine, others @ ..] = operations.as_mut_slice() else { return Duration::ZERO };
            let others: Vec<_> = others.iter_mut().map(|other| scope.spawn(move || timed(other))).collect();
            let mine = timed(mine);
            others.into_iter().map(|other| other.join().unwrap()).fold(mine, Duration::max)
        })
    });
}

fn time(operation: &mut impl FnMut(), iterations: u64, here: &AtomicU32, threads: u32) -> Duration {
    // Spinning, because a thread that is woken up may come when the others are nearly done.
    here.fetch_add(1, Ordering::AcqRel);
    while here.load(Ordering::Acquire) < threads {
        std::hint::spin_loop();
    }
    let start = Instant::now();
    for _ in 0..iterations {
        operation();
    }
    start.elapsed()
}
