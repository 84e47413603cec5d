//! Benchmarks of the hot path, with floors and peers in one run. Compare ratios within a run; absolute times vary
//! between machines.
//!
//! `cargo bench -p tripline-benches --bench hot_path`, or `bash benches/rounds.sh 10` for medians and ratios.
//!
//! In the groups `…_2t`, `…_4t` and `…_8t` so many threads share one breaker, and the time of an operation is that of the slowest
//! thread.
#![allow(missing_docs, clippy::unwrap_used)]

mod ours;
mod peers;
mod services;
mod threads;

use std::hint::black_box;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, criterion_group, criterion_main};
use tower::Layer as _;
use tripline_backends::memory::Sysinfo;
use tripline_backends::tower::BreakerLayer;
use tripline_runtime::core::{Breaker as Core, Outcome};
use tripline_runtime::{Breaker, Clock, MemorySource as _, SystemClock, TscClock};

use crate::threads::{Alone, at_once};

/// The rows of ours that record good calls: name, trend analysis, stall detection.
const RECORDING: [(&str, bool, bool); 3] =
    [("tripline", false, false), ("tripline_trend", true, false), ("tripline_default", false, true)];

/// Admission. With stall detection a permit must be returned, which is part of that row.
fn admit_closed(c: &mut Criterion) {
    let word = Alone(AtomicU64::new(1));
    let load = || black_box(&word.0).load(Ordering::Relaxed);
    let (off, on) = (ours::breaker(64, false, false), ours::breaker(64, false, true));
    let ask = |breaker: &Breaker| black_box(breaker).try_acquire().is_ok();
    let failsafe = peers::Failsafe::new();
    let ask_failsafe = || black_box(&failsafe).admits();

    let mut group = c.benchmark_group("admit_closed");
    group.bench_function("floor_relaxed_load", |b| b.iter(load));
    group.bench_function("tripline", |b| b.iter(|| ask(&off)));
    group.bench_function("tripline_stall_detection", |b| b.iter(|| ask(&on)));
    group.bench_function("failsafe", |b| b.iter(ask_failsafe));
    group.finish();

    let mut group = c.benchmark_group("admit_closed_2t");
    group.bench_function("floor_relaxed_load", |b| at_once(b, [|| _ = black_box(load()); 2]));
    group.bench_function("tripline", |b| at_once(b, [|| _ = black_box(ask(&off)); 2]));
    group.bench_function("tripline_stall_detection", |b| at_once(b, [|| _ = black_box(ask(&on)); 2]));
    group.bench_function("failsafe", |b| at_once(b, [|| _ = black_box(ask_failsafe()); 2]));
    group.finish();
}

/// Asks and records a finished call, with instants given.
fn admit_record(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit_record");
    let word = AtomicU64::new(1);
    group.bench_function("floor_fetch_add", |b| b.iter(|| black_box(&word).fetch_add(1, Ordering::Relaxed)));
    let mutex = Mutex::new(0_u64);
    group.bench_function("floor_mutex", |b| b.iter(|| *black_box(&mutex).lock().unwrap() += 1));
    for (name, trend, stalls) in RECORDING {
        let breaker = ours::breaker(64, trend, stalls);
        let mut call = ours::Call::<0>::new(&breaker);
        group.bench_function(name, |b| b.iter(|| call.make()));
    }
    let breaker = ours::breaker(64, false, true);
    let mut call = ours::Call::<100>::new(&breaker);
    group.bench_function("tripline_default_1_percent_slow", |b| b.iter(|| call.make()));
    let failsafe = peers::Failsafe::new();
    group.bench_function("failsafe", |b| b.iter(|| black_box(&failsafe).call()));
    let recloser = peers::recloser();
    group.bench_function("recloser", |b| b.iter(|| black_box(&recloser).call(|| Ok::<(), ()>(()))));
    let mut resilience = peers::Resilience::new();
    group.bench_function("tower_resilience", |b| b.iter(|| resilience.call()));
    let sorting = peers::MutexSort::new(64);
    let mut call = peers::SortedCall::new(&sorting);
    group.bench_function("mutex_sort_p95", |b| b.iter(|| call.make()));
    group.finish();
}

/// The same from two threads. The run fails if Tripline drops more than a few reports.
fn admit_record_2t(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit_record_2t");
    let word = Alone(AtomicU64::new(1));
    let add = || _ = black_box(black_box(&word.0).fetch_add(1, Ordering::Relaxed));
    group.bench_function("floor_fetch_add", |b| at_once(b, [add; 2]));
    let mutex = Alone(Mutex::new(0_u64));
    let lock = || *black_box(&mutex.0).lock().unwrap() += 1;
    group.bench_function("floor_mutex", |b| at_once(b, [lock; 2]));
    for (name, trend, stalls) in RECORDING {
        let breaker = ours::breaker(64, trend, stalls);
        let calls = [(); 2].map(|()| ours::Call::<0>::new(&breaker));
        record_at_once(&mut group, "admit_record_2t", name, &breaker, calls);
    }
    let breaker = ours::breaker(64, false, true);
    let calls = [(); 2].map(|()| ours::Call::<100>::new(&breaker));
    record_at_once(&mut group, "admit_record_2t", "tripline_default_1_percent_slow", &breaker, calls);
    let failsafe = peers::Failsafe::new();
    group.bench_function("failsafe", |b| at_once(b, [|| black_box(&failsafe).call(); 2]));
    let recloser = Alone(peers::recloser());
    let call = || _ = black_box(black_box(&recloser.0).call(|| Ok::<(), ()>(())));
    group.bench_function("recloser", |b| at_once(b, [call; 2]));
    let one = peers::Resilience::new();
    let mut both = [one.clone(), one];
    group.bench_function("tower_resilience", |b| at_once(b, both.each_mut().map(|service| || service.call())));
    let sorting = Alone(peers::MutexSort::new(64));
    let mut calls = [(); 2].map(|()| peers::SortedCall::new(&sorting.0));
    group.bench_function("mutex_sort_p95", |b| at_once(b, calls.each_mut().map(|call| || call.make())));
    group.finish();
}

/// A row of calls on threads that share a breaker.
fn record_at_once<const THREADS: usize, const SLOW_EVERY: u64>(
    group: &mut BenchmarkGroup<'_, WallTime>,
    group_name: &str,
    row: &str,
    breaker: &Breaker,
    mut calls: [ours::Call<'_, SLOW_EVERY>; THREADS],
) {
    group.bench_function(row, |b| at_once(b, calls.each_mut().map(|call| || call.make())));
    let made = calls.iter().map(ours::Call::made).sum();
    ours::check_accounts(&format!("{group_name}/{row}"), breaker, made);
}

/// The default configuration beside peers from four and eight threads, on machines with that many cores.
fn admit_record_many_threads(c: &mut Criterion) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    if cores >= 4 {
        admit_record_at_once::<4>(c);
    }
    if cores >= 8 {
        admit_record_at_once::<8>(c);
    }
    if cores < 8 {
        eprintln!("SKIPPED: rows for more threads than the {cores} cores of this machine, of admit_record_4t and _8t");
    }
}

fn admit_record_at_once<const THREADS: usize>(c: &mut Criterion) {
    let name = format!("admit_record_{THREADS}t");
    let mut group = c.benchmark_group(&name);
    let breaker = ours::breaker(64, false, true);
    let calls = [(); THREADS].map(|()| ours::Call::<0>::new(&breaker));
    record_at_once(&mut group, &name, "tripline_default", &breaker, calls);
    let failsafe = peers::Failsafe::new();
    group.bench_function("failsafe", |b| at_once(b, [|| black_box(&failsafe).call(); THREADS]));
    let recloser = Alone(peers::recloser());
    let call = || _ = black_box(black_box(&recloser.0).call(|| Ok::<(), ()>(())));
    group.bench_function("recloser", |b| at_once(b, [call; THREADS]));
    group.finish();
}

/// The least that a call with two clock reads costs that is counted when it starts and when it ends, on a clock behind a pointer.
fn timed_floor(clock: &dyn Clock, counts: &[AtomicU64; 2]) -> u64 {
    let start = black_box(clock).now();
    counts[0].fetch_add(1, Ordering::Relaxed);
    let end = black_box(clock).now();
    counts[1].fetch_add(1, Ordering::Relaxed);
    end.as_nanos() - start.as_nanos()
}

/// The same with the two clock reads of a call.
fn admit_record_timed(c: &mut Criterion) {
    let mut group = c.benchmark_group("admit_record_timed");
    group.bench_function("floor_instant_now", |b| b.iter(std::time::Instant::now));
    let counts = [AtomicU64::new(0), AtomicU64::new(0)];
    let (system, tsc) = (SystemClock::new(), TscClock::new());
    group.bench_function("floor_system_clock", |b| b.iter(|| timed_floor(&system, black_box(&counts))));
    group.bench_function("floor_tsc_clock", |b| b.iter(|| timed_floor(&tsc, black_box(&counts))));
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

/// A recorded call must not cost more in a larger window, trend analysis included.
fn window_growth(c: &mut Criterion) {
    let mut group = c.benchmark_group("window_growth");
    for size in [64, 256, 1_024] {
        let breaker = ours::breaker(size, true, false);
        let mut call = ours::Call::<0>::new(&breaker);
        group.bench_function(size.to_string(), |b| b.iter(|| call.make()));
    }
    group.finish();
}

/// Not on the hot path: the status reads it.
fn percentile_query(c: &mut Criterion) {
    let mut group = c.benchmark_group("percentile_query");
    for size in [64, 1_024] {
        let breaker = ours::breaker(size, false, false);
        group.bench_function(size.to_string(), |b| b.iter(|| black_box(&breaker).read(Core::percentile)));
    }
    group.finish();
}

/// Not on the hot path: the supervisor does it.
fn memory_sample(c: &mut Criterion) {
    let mut group = c.benchmark_group("memory_sample");
    let cgroup = ours::cgroup();
    group.bench_function("cgroup", |b| b.iter(|| black_box(&cgroup).sample().unwrap()));
    let sysinfo = Sysinfo::new().unwrap();
    group.bench_function("sysinfo", |b| b.iter(|| black_box(&sysinfo).sample().unwrap()));
    group.finish();
}

/// A service that is ready and responds at once, alone and behind the layer with its defaults: the system's clock, stall
/// detection.
fn tower_layer(c: &mut Criterion) {
    let mut group = c.benchmark_group("tower_layer");
    let mut bare = services::bare();
    group.bench_function("bare", |b| b.iter(|| services::call(black_box(&mut bare)).unwrap()));
    let (clock, counts) = (SystemClock::new(), [AtomicU64::new(0), AtomicU64::new(0)]);
    group.bench_function("floor", |b| {
        b.iter(|| {
            let start = black_box::<&dyn Clock>(&clock).now();
            black_box(&counts)[0].fetch_add(1, Ordering::Relaxed);
            let response = services::call(black_box(&mut bare)).unwrap();
            black_box(&counts)[1].fetch_add(1, Ordering::Relaxed);
            (response, black_box::<&dyn Clock>(&clock).now().as_nanos() - start.as_nanos())
        });
    });
    let breaker = Breaker::builder(std::sync::Arc::new(SystemClock::new())).build().unwrap();
    let mut service = BreakerLayer::new(breaker).layer(services::bare());
    group.bench_function("tripline", |b| b.iter(|| services::call(black_box(&mut service)).unwrap()));
    group.finish();
}

criterion_group!(
    benches,
    admit_closed,
    admit_record,
    admit_record_2t,
    admit_record_many_threads,
    admit_record_timed,
    window_growth,
    percentile_query,
    memory_sample,
    tower_layer,
);
criterion_main!(benches);
