//! The cost of a known key of a family beside a single breaker, in one run: `cargo bench -p tripline-benches --bench family`.
//!
//! Each row asks and records one call on one thread. `one_key` calls the same member each time; `all_keys` calls the members in turn, and
//! so includes reading each of them from memory.
#![allow(missing_docs, clippy::unwrap_used)]

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use tripline_runtime::core::Outcome;
use tripline_runtime::{Breaker, Builder, Family, FamilyLimits, SystemClock};

fn builder() -> Builder {
    Breaker::builder(Arc::new(SystemClock::new()))
}

#[inline]
fn call(breaker: &Breaker) {
    if let Ok(permit) = breaker.try_start() {
        permit.finish(Outcome::Ok);
    }
}

fn known_key(c: &mut Criterion) {
    let mut group = c.benchmark_group("known_key");
    let single = builder().build().unwrap();
    group.bench_function("single_breaker", |b| b.iter(|| call(black_box(&single))));
    let compact = builder().compact(true).build().unwrap();
    group.bench_function("single_compact_breaker", |b| b.iter(|| call(black_box(&compact))));
    for keys in [10, 100, 1_000, 10_000, 100_000] {
        let family = Family::new(builder(), FamilyLimits::default().max_keys(keys)).unwrap();
        let names: Vec<String> = (0..keys).map(|number| format!("tenant-{number}")).collect();
        for name in &names {
            call(&family.get(name).unwrap());
        }
        assert_eq!(family.len(), keys);
        group.bench_function(format!("family_one_key_of_{keys}"), |b| {
            b.iter(|| call(&family.get(black_box(&names[keys / 2])).unwrap()));
        });
        let mut next = 0;
        group.bench_function(format!("family_all_keys_of_{keys}"), |b| {
            b.iter(|| {
                next = (next + 1) % keys;
                call(&family.get(black_box(&names[next])).unwrap());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, known_key);
criterion_main!(benches);
