//! Recorded memory readings are forecast like live ones.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::format_push_string)]

use std::time::Duration;

use tripline_backends::replay::{Mode, Options, run};
use tripline_runtime::core::Policy;

/// One reading per second: 150 s at 40 %, then half a percentage point per second for 75 s.
fn leak() -> String {
    let mut input = String::from("at_ms,memory_percent\n");
    for second in 0..225_u32 {
        input += &format!("{},{}\n", second * 1_000, 40.0 + 0.5 * f64::from(second.saturating_sub(150)));
    }
    input
}

fn replay(policy: &Policy) -> String {
    let mut output = Vec::new();
    run(&Options::new(policy.clone(), Mode::Summary), leak().as_bytes(), &mut output).unwrap();
    String::from_utf8(output).unwrap()
}

fn policy() -> Policy {
    let mut policy = Policy::default();
    policy.sample_interval = Duration::from_secs(1);
    policy
}

#[test]
fn a_recorded_leak_trips_when_the_horizon_reaches_its_end() {
    let mut policy = policy();
    policy.memory_horizon = Duration::from_secs(60);
    policy.memory_horizon_trips = true;
    let output = replay(&policy);
    // At 210 s exhaustion is exactly 60 s away, except for rounding.
    assert!(output.contains("\"at_ms\":211000,\"reason\":\"memory_forecast\",\"why\":\"memory forecast: 70.5 % in use, at this pace exhausted within "), "{output}");
}

#[test]
fn without_a_horizon_or_without_trips_it_does_not() {
    let mut warning = policy();
    warning.memory_horizon = Duration::from_secs(60);
    for policy in [policy(), warning] {
        let output = replay(&policy);
        assert!(output.contains("\"trips\":[]"), "{output}");
    }
}
