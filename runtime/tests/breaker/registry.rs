//! The registry of breakers, and seeded traffic.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tripline_runtime::core::{Outcome, Policy, Ratio, StateKind};
use tripline_runtime::test_util::{Traffic, World};
use tripline_runtime::{Breaker, BreakerName, Registry};

fn name(name: &str) -> BreakerName {
    BreakerName::new(name).unwrap()
}

#[test]
fn threads_that_ask_for_the_same_name_get_the_same_breaker_made_once() {
    let (world, registry, made) = (World::new(1), Registry::new(), AtomicU32::new(0));
    let clock = world.clock();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let builder = || {
                    made.fetch_add(1, Ordering::Relaxed);
                    Breaker::builder(clock.clone())
                };
                registry.get_or_insert_with(name("tenant"), builder).unwrap().force_open();
            });
        }
    });
    assert_eq!(made.load(Ordering::Relaxed), 1);
    assert_eq!(registry.get("tenant").unwrap().state(), StateKind::ForcedOpen);
}

#[test]
fn a_breaker_that_cannot_be_made_is_not_added_and_one_that_is_removed_is_made_anew() {
    let (world, registry) = (World::new(1), Registry::new());
    let mut too_large = Policy::default();
    too_large.latency_window_size = NonZeroU16::MAX;
    let builder = || Breaker::builder(world.clock()).policy(too_large);
    assert!(registry.get_or_insert_with(name("a"), builder).is_err());
    assert!(registry.get("a").is_none());
    // The registry names it, whatever the builder says.
    let builder = || Breaker::builder(world.clock()).name(name("b"));
    let breaker = registry.get_or_insert_with(name("a"), builder).unwrap();
    assert_eq!(breaker.name().as_str(), "a");
    breaker.force_open();
    // The handle goes on after the removal.
    assert_eq!(registry.remove("a").unwrap().state(), StateKind::ForcedOpen);
    assert!(registry.remove("a").is_none());
    assert_eq!(registry.get_or_insert_with(name("a"), builder).unwrap().state(), StateKind::Closed);
}

#[test]
fn traffic_has_the_shares_it_was_asked_for_and_never_overflows() {
    let share = |value| Ratio::new(value).unwrap();
    let second = Duration::from_secs(1);
    let traffic = Traffic::new(3, 100.0, Duration::from_millis(10)).slow(share(0.1), second);
    let calls: Vec<_> = traffic.failed(share(0.2)).ignored(share(0.5)).take(20_000).collect();
    let count = |is: &dyn Fn(Outcome, Duration) -> bool| {
        calls.iter().filter(|call| is(call.outcome, call.latency)).count() as f64 / 20_000.0
    };
    let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 0.02, "{found} instead of {wanted}");
    near(count(&|_, latency| latency == second), 0.1);
    near(count(&|outcome, _| outcome == Outcome::Failed), 0.2);
    near(count(&|outcome, _| outcome == Outcome::Ignored), 0.4);
    let mut latencies: Vec<_> = calls.iter().map(|call| call.latency).filter(|&latency| latency != second).collect();
    latencies.sort_unstable();
    near(latencies[latencies.len() / 2].as_secs_f64() * 100.0, 1.0);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE, f64::MAX] {
        let _ = Traffic::new(1, rate, Duration::MAX).spread(f64::INFINITY).take(100).collect::<Vec<_>>();
        let _ = Traffic::new(1, rate, Duration::ZERO).spread(f64::NAN).take(100).collect::<Vec<_>>();
    }
}

#[test]
fn the_same_seeds_give_the_same_world() {
    let run = |seed| {
        let world = World::new(seed);
        let subject = world.breaker(Policy::default()).unwrap();
        let slow = Ratio::new(0.2).unwrap();
        let mut traffic = Traffic::new(seed, 40.0, Duration::from_millis(100)).slow(slow, Duration::from_secs(3));
        let answers = world.drive(&subject.breaker, &mut traffic, Duration::from_secs(120));
        assert_eq!(world.now().as_nanos(), 121_000_000_000);
        (answers, subject.breaker.read(|core| core.counts().ok), subject.alerts.all().len())
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5).0, run(6).0);
}
