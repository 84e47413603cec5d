//! Memory in the log. A separate process, because the test reads the log of all threads.
#![allow(clippy::unwrap_used)]

mod log_capture;

use std::time::Duration;

use log_capture::Lines;
use tripline_runtime::EscalationPolicy;
use tripline_runtime::core::{MemorySample, Policy};
use tripline_runtime::test_util::{Subject, World};

/// 150 s at 40 %, then half a percentage point per second up to `percent`.
fn leak(world: &World, subject: &Subject, percent: u64) {
    stay(world, subject, 400, 300);
    (400..=percent * 10).step_by(5).for_each(|used| stay(world, subject, used, 2));
}

fn stay(world: &World, subject: &Subject, used: u64, readings: usize) {
    subject.memory.set(Some(MemorySample { used, limit: Some(1_000) }));
    (0..readings).for_each(|_| world.advance(Duration::from_millis(500)));
}

#[test]
fn the_end_of_a_forecast_is_logged_only_where_memory_is_ok_and_a_horizon_is_set() {
    let lines = Lines::default();
    let writer = lines.clone();
    tracing::subscriber::set_global_default(tracing_subscriber::fmt().with_writer(move || writer.clone()).finish())
        .unwrap();
    let logged = |words: &str| lines.text().matches(words).count();
    let counts = || {
        [
            logged("memory is forecast to run out"),
            logged("memory is exhausted"),
            logged("no longer forecast to run out"),
        ]
    };
    let world = World::new(1);
    let mut policy = Policy::default();
    policy.memory_horizon = Duration::from_secs(60);
    let subjects = [(); 3].map(|()| world.staged_breaker(policy.clone(), EscalationPolicy::default()).unwrap());

    leak(&world, &subjects[0], 75);
    stay(&world, &subjects[0], 400, 10);
    assert_eq!(counts(), [1, 0, 1], "it was given back");
    subjects[1].memory.set_level(Some("memory.max of /pod1"));
    leak(&world, &subjects[1], 85);
    stay(&world, &subjects[1], 850, 120);
    assert_eq!(counts(), [2, 1, 1], "it is exhausted, and grows no more");
    let text = lines.text();
    let exhausted = text.lines().find(|line| line.contains("memory is exhausted")).unwrap();
    for field in ["level=\"memory.max of /pod1\"", "used=800", "limit=1000"] {
        assert!(exhausted.contains(field), "{field} in {exhausted}");
    }
    leak(&world, &subjects[2], 75);
    policy.memory_horizon = Duration::ZERO;
    subjects[2].breaker.set_policy(&policy).unwrap();
    stay(&world, &subjects[2], 750, 120);
    assert_eq!(counts(), [3, 1, 1], "no horizon is set");
}
