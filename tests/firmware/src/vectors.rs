//! The golden vectors of `tests/vectors`, compiled in and replayed.

use core::num::NonZeroU16;
use core::time::Duration;

use tripline_core::{Breaker, Confidence, Instant, Latency, Outcome, Percentile, Policy, Ratio, StateKind};

use crate::report::Report;
use crate::{Check, ensure};

/// A percentile of a window that has seen these latencies.
pub struct PercentileVector {
    window: u16,
    percentile: f64,
    latencies_ms: &'static [u16],
    expected_ms: u16,
}

/// A series, and the call that trips.
pub struct TripVector {
    threshold_ms: u16,
    window: u16,
    percentile: f64,
    trend: bool,
    trend_minimum: u16,
    latencies_ms: &'static [u16],
    spacing_s: u16,
    expected: Expected,
}

enum Expected {
    Never,
    At(u16),
    Somewhere,
}

include!(concat!(env!("OUT_DIR"), "/vectors.rs"));

type Wide = Breaker<1_024>;

/// Replays all of them; tells how many there were.
pub fn replay(report: &mut Report) -> u32 {
    let mut replayed = 0;
    for vector in PERCENTILES {
        report.take("percentile vector", check_percentile(vector));
        replayed += 1;
    }
    // Without the trend there is nothing to hold these against.
    for vector in TRIPS.iter().filter(|vector| cfg!(feature = "trend") || !vector.trend) {
        report.take("trip vector", check_trip(vector));
        replayed += 1;
    }
    replayed
}

/// The exact value, and the decision on both sides of it.
fn check_percentile(vector: &PercentileVector) -> Check {
    let expected =
        Latency::from_millis(if cfg!(feature = "seed-wrong-answer") { 1 } else { vector.expected_ms.into() });
    let mut policy = quick_policy(0, vector.window, vector.percentile)?;
    policy.latency_threshold = Latency::MAX;
    let mut breaker = breaker(policy.clone())?;
    for &latency in vector.latencies_ms {
        record(&mut breaker, Instant::ZERO, latency);
    }
    ensure!(breaker.percentile() == Some(expected));
    policy.latency_threshold = expected;
    ensure!(breaker.handle_policy(Instant::ZERO, &policy).is_ok());
    ensure!(!breaker.is_above());
    if let Some(below) = expected.as_micros().checked_sub(1) {
        policy.latency_threshold = Latency::from_micros(below);
        ensure!(breaker.handle_policy(Instant::ZERO, &policy).is_ok());
        ensure!(breaker.is_above());
    }
    Ok(())
}

fn check_trip(vector: &TripVector) -> Check {
    #[allow(unused_mut, reason = "there is a trend to set only with the feature")]
    let mut policy = quick_policy(vector.threshold_ms, vector.window, vector.percentile)?;
    #[cfg(feature = "trend")]
    {
        policy.trend_analysis = vector.trend;
        policy.trend_minimum_samples = vector.trend_minimum;
    }
    let _ = vector.trend_minimum;
    let mut breaker = breaker(policy)?;
    let mut now = Instant::ZERO;
    let tripped = vector.latencies_ms.iter().position(|&latency| {
        now = now + Duration::from_secs(vector.spacing_s.into());
        record(&mut breaker, now, latency);
        breaker.state().kind() == StateKind::Open
    });
    match vector.expected {
        Expected::Never => ensure!(tripped.is_none()),
        Expected::At(index) => ensure!(tripped == Some(index.into())),
        Expected::Somewhere => ensure!(tripped.is_some()),
    }
    Ok(())
}

fn record(breaker: &mut Wide, now: Instant, latency_ms: u16) {
    breaker.handle_finished(now, breaker.generation(), Latency::from_millis(latency_ms.into()), Outcome::Ok);
}

fn breaker(policy: Policy) -> Result<Wide, &'static str> {
    Breaker::new(policy, 1).map_err(|_| "the window does not fit")
}

/// The policy that the host's tests use for these vectors too.
fn quick_policy(threshold_ms: u16, window: u16, percentile: f64) -> Result<Policy, &'static str> {
    let mut policy = Policy::default();
    policy.latency_threshold = Latency::from_millis(threshold_ms.into());
    policy.latency_window_size = NonZeroU16::new(window).ok_or("a window of 0")?;
    policy.percentile = Percentile::new(percentile).map_err(|error| error.what)?;
    policy.minimum_samples = Some(1);
    policy.latency_max_age = Duration::from_secs(24 * 3_600);
    policy.wait_jitter = Ratio::ZERO;
    // The rule of the original.
    policy.trip_confidence = Confidence::ZERO;
    policy.failure_rate_threshold = Ratio::ZERO;
    Ok(policy)
}
