//! All golden vectors against the core.

use std::collections::HashMap;
use std::time::Duration;

use tripline_core::{Latency, Policy, State, Trend};
use tripline_tests::setup::{Bench, quick_policy};
use tripline_tests::vectors::{self, Config, Pattern, PatternKind};

type Wide = Bench<1_024>;

#[test]
fn every_percentile_is_the_originals() {
    let vectors = vectors::percentiles();
    assert_eq!(vectors.len(), 195);
    for (line, vector) in vectors.iter().enumerate() {
        let bench = observe(&quick_policy(1, vector.window, vector.percentile), &vector.latencies_ms);
        let expected = Latency::from_millis(vector.expected_percentile_ms);
        assert_eq!(bench.breaker.percentile(), Some(expected), "line {} ({})", line + 1, vector.family);
    }
    println!("{} percentile vectors", vectors.len());
}

/// The index also decides, so the decision is held against the exact value on both sides of it.
#[test]
fn above_agrees_with_every_percentile() {
    for (line, vector) in vectors::percentiles().iter().enumerate() {
        let exact = Latency::from_millis(vector.expected_percentile_ms);
        let just_below = exact.as_micros().checked_sub(1).map(Latency::from_micros);
        for (threshold, above) in [(Some(exact), false), (just_below, true)] {
            let Some(threshold) = threshold else { continue };
            let mut policy = quick_policy(1, vector.window, vector.percentile);
            policy.latency_threshold = threshold;
            let bench = observe(&policy, &vector.latencies_ms);
            assert_eq!(bench.breaker.is_above(), above, "line {}, threshold {threshold:?}", line + 1);
        }
    }
}

#[test]
fn every_series_trips_at_the_originals_call() {
    let vectors = vectors::trips();
    assert_eq!(vectors.len(), 60);
    for (line, vector) in vectors.iter().enumerate() {
        let mut bench = Wide::new(policy(&vector.config));
        let first_trip = feed(&mut bench, &vector.latencies_ms, 0);
        let expected = usize::try_from(vector.first_trip).ok();
        assert_eq!(first_trip, expected, "line {} ({})", line + 1, vector.family);
    }
    println!("{} trip vectors", vectors.len());
}

#[test]
fn every_pattern_decides_as_documented() {
    let patterns = vectors::patterns();
    let mut used: HashMap<PatternKind, u32> = HashMap::new();
    for pattern in &patterns {
        let asked = match pattern.kind {
            PatternKind::Trip => check_trip(pattern),
            PatternKind::Trend => check_trend(pattern),
            PatternKind::Window | PatternKind::Expiry => check_window(pattern),
        };
        // One pattern of the original asserts nothing: it only prints a value.
        assert!(asked || pattern.note.contains("asserts nothing"), "{}: nothing was compared", pattern.name);
        *used.entry(pattern.kind).or_default() += 1;
    }
    assert_eq!(used[&PatternKind::Trip], 22);
    assert_eq!(used[&PatternKind::Trend], 3);
    assert_eq!(used[&PatternKind::Window], 2);
    assert_eq!(used[&PatternKind::Expiry], 1);
    println!("{} patterns: {used:?}", patterns.len());
}

fn check_trip(pattern: &Pattern) -> bool {
    let config = pattern.config.as_ref().expect("a trip pattern has settings");
    let mut bench = Wide::new(policy(config));
    let first_trip = feed(&mut bench, &pattern.latencies_ms, pattern.spacing_s * 1_000);
    let expected = &pattern.expected;
    let name = &pattern.name;
    if let Some(triggered) = expected.triggered {
        assert_eq!(first_trip.is_some(), triggered, "{name}: tripped at {first_trip:?}");
    }
    if let Some(index) = expected.first_trip_index {
        assert_eq!(first_trip, Some(index), "{name}");
    }
    if let Some(admitted) = expected.allow_after {
        assert_eq!(bench.breaker.try_admit(bench.now()).is_ok(), admitted, "{name}");
    }
    expected.triggered.is_some() || expected.first_trip_index.is_some() || expected.allow_after.is_some()
}

fn check_trend(pattern: &Pattern) -> bool {
    let minimum = number_after(&pattern.note, "min_samples").expect("the note names the minimum");
    let latencies = pattern.latencies_ms.iter().copied().map(Latency::from_millis);
    let trend = Trend::of(latencies, minimum.try_into().unwrap());
    let expected = pattern.expected.positive_trend.expect("a trend pattern names the trend");
    assert_eq!(trend == Trend::Rising, expected, "{}: {trend:?}", pattern.name);
    true
}

fn check_window(pattern: &Pattern) -> bool {
    let size = number_after(&pattern.note, "window size").expect("the note names the window");
    let mut policy = quick_policy(500, size.try_into().unwrap(), 0.95);
    if let Some(seconds) = number_after(&pattern.note, "max age") {
        policy.latency_max_age = Duration::from_secs(seconds.into());
    }
    let mut bench = observe(&policy, &pattern.latencies_ms);

    let expected = &pattern.expected;
    let name = &pattern.name;
    let held: Vec<u32> = bench.breaker.latencies().map(Latency::as_millis).collect();
    let newest = &pattern.latencies_ms[pattern.latencies_ms.len().saturating_sub(size as usize)..];
    assert_eq!(held, newest, "{name}");
    if let Some(above) = expected.above_500 {
        assert_eq!(bench.breaker.is_above(), above, "{name}");
    }
    if let Some(below) = expected.below_500 {
        assert_eq!(!bench.breaker.is_above(), below, "{name}");
    }
    if let Some(slow) = &expected.latencies_above_500 {
        let held_slow: Vec<u32> = held.into_iter().filter(|&latency| latency > 500).collect();
        assert_eq!(&held_slow, slow, "{name}");
        assert_eq!(usize::from(bench.breaker.samples_above()), slow.len(), "{name}");
    }
    if let Some(count) = expected.recent_count {
        assert_eq!(usize::from(bench.breaker.samples()), count, "{name}");
        bench.pass(300_001);
        assert_eq!(bench.breaker.samples(), 0, "{name}: and later they have expired");
    }
    expected.above_500.is_some() || expected.below_500.is_some() || expected.recent_count.is_some()
}

fn policy(config: &Config) -> Policy {
    let mut policy = quick_policy(config.latency_threshold, config.window, config.percentile);
    policy.trend_analysis = config.trend_analysis_enabled;
    policy.trend_minimum_samples = config.trend_min_samples;
    policy
}

/// The window after these calls. The threshold comes last, since a trip would end the recording.
fn observe(policy: &Policy, latencies_ms: &[u32]) -> Wide {
    let mut silent = policy.clone();
    silent.latency_threshold = Latency::MAX;
    let mut bench = Wide::new(silent);
    for &latency in latencies_ms {
        bench.record(latency);
    }
    bench.breaker.handle_policy(bench.now(), policy).unwrap();
    bench
}

/// Feeds the calls one by one; the index of the one that trips, where feeding stops.
fn feed(bench: &mut Wide, latencies_ms: &[u32], spacing_ms: u64) -> Option<usize> {
    latencies_ms.iter().position(|&latency| {
        bench.now_ms += spacing_ms;
        bench.record(latency);
        matches!(bench.breaker.state(), State::Open { .. })
    })
}

/// The first number behind `word` in a note.
fn number_after(note: &str, word: &str) -> Option<u32> {
    let behind = note.split_once(word)?.1.trim_start();
    behind.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}
