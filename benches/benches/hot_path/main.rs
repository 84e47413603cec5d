//! The hot path beside its floors and its peers, in one run. Ratios within a run are what counts; machines are noisy.
//!
//! `cargo bench -p tripline-benches --bench hot_path`
#![allow(missing_docs, clippy::unwrap_used)]

mod ours;
mod peers;
mod threads;

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use tripline_runtime::core::{Breaker as Core, Outcome};
use tripline_runtime::{SystemClock, TscClock};

use criterion::{Criterion, criterion_group, criterion_main};

use crate::threads::two_threads;

fn admit_closed(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit_closed");
    let word = AtomicU64::new(1);
    group.bench_function("floor_relaxed_load", |b| b.iter(|| black_box(&word).load(Ordering::Relaxed)));
    let off = ours::breaker(64, false, false);
    group.bench_function("tripline", |b| b.iter(|| black_box(&off).try_acquire().is_ok()));
    let on = ours::breaker(64, false, true);
    group.bench_function("tripline_stall_detection", |b| b.iter(|| black_box(&on).try_acquire().is_ok()));
    let failsafe = peers::Failsafe::new();
    group.bench_function("failsafe", |b| b.iter(|| black_box(&failsafe).admits()));
    group.finish();

    let mut group = c.benchmark_group("admit_closed_2t");
    group.bench_function("floor_relaxed_load", |b| {
        two_threads(b, || {
            black_box(black_box(&word).load(Ordering::Relaxed));
        });
    });
    group.bench_function("tripline", |b| {
        two_threads(b, || {
            black_box(black_box(&off).try_acquire().is_ok());
        });
    });
    group.bench_function("failsafe", |b| {
        two_threads(b, || {
            black_box(black_box(&failsafe).admits());
        });
    });
    group.finish();
}

fn admit_record(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit_record");
    let word = AtomicU64::new(1);
    group.bench_function("floor_fetch_add", |b| b.iter(|| black_box(&word).fetch_add(1, Ordering::Relaxed)));
    let mutex = Mutex::new(0_u64);
    group.bench_function("floor_mutex", |b| b.iter(|| *black_box(&mutex).lock().unwrap() += 1));
    for (name, trend, stalls) in
        [("tripline", false, false), ("tripline_trend", true, false), ("tripline_stall_detection", false, true)]
    {
        let mut call = ours::Call::new(64, trend, stalls);
        group.bench_function(name, |b| b.iter(|| call.make()));
    }
    let failsafe = peers::Failsafe::new();
    group.bench_function("failsafe", |b| b.iter(|| black_box(&failsafe).call()));
    let recloser = peers::recloser();
    group.bench_function("recloser", |b| b.iter(|| black_box(&recloser).call(|| Ok::<(), ()>(()))));
    let mut resilience = peers::Resilience::new();
    group.bench_function("tower_resilience", |b| b.iter(|| resilience.call()));
    let sorting = peers::MutexSort::new(64);
    // Latencies that jump about, or there would be nothing to sort.
    let mut latency = 7_u32;
    group.bench_function("mutex_sort_p95", |b| {
        b.iter(|| {
            latency = latency.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            sorting.record(latency >> 8)
        });
    });
    group.finish();

    let mut group = c.benchmark_group("admit_record_2t");
    group.bench_function("floor_fetch_add", |b| {
        two_threads(b, || {
            word.fetch_add(1, Ordering::Relaxed);
        });
    });
    group.bench_function("floor_mutex", |b| {
        two_threads(b, || {
            *mutex.lock().unwrap() += 1;
        });
    });
    for (name, trend, stalls) in
        [("tripline", false, false), ("tripline_trend", true, false), ("tripline_stall_detection", false, true)]
    {
        let breaker = ours::breaker(64, trend, stalls);
        group.bench_function(name, |b| two_threads(b, || ours::call(&breaker)));
    }
    group.bench_function("failsafe", |b| two_threads(b, || failsafe.call()));
    group.bench_function("recloser", |b| {
        two_threads(b, || {
            let _ = black_box(recloser.call(|| Ok::<(), ()>(())));
        });
    });
    group.finish();
}

fn admit_record_timed(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit_record_timed");
    group.bench_function("floor_instant_now", |b| b.iter(Instant::now));
    let clocks = [
        ("tripline_system_clock", ours::on_clock(SystemClock::new())),
        ("tripline_tsc_clock", ours::on_clock(TscClock::new())),
    ];
    for (name, breaker) in clocks {
        group.bench_function(name, |b| {
            b.iter(|| {
                if let Ok(permit) = black_box(&breaker).try_start() {
                    permit.finish(Outcome::Ok);
                }
            });
        });
    }
    group.finish();
}

fn percentile_query(c: &mut Criterion) {
    let mut group = c.benchmark_group("percentile_query");
    for size in [64, 1_024] {
        let breaker = ours::breaker(size, false, false);
        group.bench_function(size.to_string(), |b| b.iter(|| black_box(&breaker).read(Core::percentile)));
    }
    group.finish();
}

fn window_growth(c: &mut Criterion) {
    let mut group = c.benchmark_group("window_growth");
    for size in [64, 256, 1_024] {
        let mut call = ours::Call::new(size, true, false);
        group.bench_function(size.to_string(), |b| b.iter(|| call.make()));
    }
    group.finish();
}

criterion_group!(benches, admit_closed, admit_record, admit_record_timed, window_growth, percentile_query);
criterion_main!(benches);
