//! Results of other settings, calculated by hand.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::time::Duration;

use tripline_backends::replay::{Figures, MAX_TRIPS_LISTED, Reading, Setting, compare};
use tripline_runtime::core::{Latency, Policy, TripReason};

fn setting(threshold_ms: u32) -> Setting {
    let mut policy = Policy::default();
    policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
    policy.latency_threshold = Latency::from_millis(threshold_ms);
    Setting::new(format!("{threshold_ms} ms"), policy)
}

fn of(settings: &[Setting], input: &str) -> Vec<Figures> {
    compare(settings, &Reading::default(), input.as_bytes()).unwrap().0
}

/// One call ends every 100 ms; from the 41st on each takes 900 ms instead of 50. With a threshold of 300 ms the breaker opens at
/// 3,600, with the second call that hangs. Calls 1 to 36 and 41 to 44 were admitted. Calls 37 to 40, of 50 ms, are rejected and
/// would have been fine; calls 45 to 100 are rejected and slow. The wait of 10 s does not end: the recording ends at 10,000.
#[test]
fn rejected_calls_are_distinguished_by_how_they_would_have_gone() {
    let mut input = "at_ms,latency_ms\n".to_owned();
    for call in 1..=100 {
        writeln!(input, "{},{}", call * 100, if call > 40 { 900 } else { 50 }).unwrap();
    }
    let found = of(&[setting(300), setting(5_000)], &input);
    let figures = &found[0];
    assert_eq!((figures.admitted, figures.rejected, figures.calls()), (40, 60, 100));
    assert_eq!((figures.rejected_fine, figures.rejected_bad, figures.admitted_bad), (4, 56, 4));
    assert_eq!((figures.trips, figures.recoveries), (1, 0));
    assert_eq!(figures.reasons, [(TripReason::Latency, 1)]);
    let trip = figures.first_trips[0];
    assert_eq!((trip.index, trip.at_nanos, trip.reason), (41, 3_600_000_000, TripReason::Latency));
    assert_eq!((figures.open, figures.half_open), (Duration::from_millis(6_400), Duration::ZERO));
    assert_eq!(figures.longest_outage, figures.open);
    // Measured from the start of the first call.
    assert_eq!((figures.began_nanos, figures.span), (50_000_000, Duration::from_millis(9_950)));
    assert!((figures.open_share() - 6.4 / 9.95).abs() < 1e-12);
    let patient = &found[1];
    assert_eq!((patient.admitted, patient.admitted_bad, patient.trips, patient.open), (100, 0, 0, Duration::ZERO));
}

/// Memory runs out at 20 s and is fine again at 30 s. The breaker is open for the wait of 10 s, and half-open until five calls
/// have ended: they take 40 ms and start every second from 30.96 s on, so the last ends at 35 s.
#[test]
fn an_outage_lasts_until_the_breaker_has_closed() {
    let mut input = "at_ms,latency_ms,memory_percent,outcome\n".to_owned();
    for second in 1..=60 {
        let (memory, outcome) = match second {
            25 => (95, "error"),
            20..30 => (95, "ignored"),
            _ => (50, "ok"),
        };
        writeln!(input, "{},40,{memory},{outcome}", second * 1_000).unwrap();
    }
    let figures = &of(&[setting(300)], &input)[0];
    assert_eq!((figures.trips, figures.recoveries), (1, 1));
    assert_eq!(figures.reasons, [(TripReason::Memory, 1)]);
    // Calls 21 to 29 and the one that starts at 29.96 s: it ends at 30 s, before memory is read there.
    assert_eq!(figures.rejected, 10);
    // One of these failed and one was ok; the ignored ones count as neither.
    assert_eq!((figures.rejected_bad, figures.rejected_fine), (1, 1));
    assert_eq!((figures.open, figures.longest_outage), (Duration::from_secs(15), Duration::from_secs(15)));
    assert_eq!(figures.half_open, Duration::from_millis(4_040));
}

#[test]
fn trips_beyond_those_that_are_listed_are_counted() {
    // Memory runs out and recovers every other second, with a wait of one second.
    let mut policy = Policy::default();
    policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
    policy.wait_time = Duration::from_secs(1);
    policy.half_open_max_calls = 0;
    let mut input = "at_ms,memory_percent,latency_ms\n".to_owned();
    for step in 0..1_000 {
        writeln!(input, "{},{},1", step * 1_000, if step % 2 == 0 { 99 } else { 10 }).unwrap();
    }
    let figures = &of(&[Setting::new("flapping", policy)], &input)[0];
    assert!(figures.trips > 2 * MAX_TRIPS_LISTED as u64, "{}", figures.trips);
    assert_eq!(figures.first_trips.len(), MAX_TRIPS_LISTED);
    assert!(figures.longest_outage <= Duration::from_secs(2));
}
