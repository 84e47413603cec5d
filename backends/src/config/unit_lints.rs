//! Values that are allowed but look as if they were written in another unit: pure.

use std::time::Duration;

use tripline_runtime::core::TripAfter;

use super::model::Config;

/// Under this, a threshold in milliseconds looks like seconds.
const MIN_PLAUSIBLE_THRESHOLD_MS: f64 = 10.0;
/// Over this, a threshold in milliseconds looks like microseconds: 5 min.
const MAX_PLAUSIBLE_THRESHOLD_MS: f64 = 300_000.0;
/// Up to this, an interval in milliseconds looks like seconds.
const MAX_IMPLAUSIBLE_INTERVAL_MS: f64 = 60.0;
/// Up to this many seconds, an escalation time looks as if it were in minutes.
const MAX_IMPLAUSIBLE_ESCALATION_SECONDS: f64 = 15.0;
/// Over this, a factor looks like percent.
const MAX_PLAUSIBLE_FACTOR: f64 = 10.0;
/// Under this, a confidence looks like a significance level (1 - confidence).
const MIN_PLAUSIBLE_CONFIDENCE: f64 = 0.5;

/// The key that a warning is about, and the warning.
pub(super) fn unit_lints(config: &Config) -> Vec<(&'static str, String)> {
    let policy = &config.breaker.policy;
    let seconds = |time: Duration| round(time.as_secs_f64());
    let millis = |time: Duration| round(time.as_secs_f64() * 1_000.0);
    let lints = [
        ("latency_threshold", threshold(round(policy.latency_threshold.as_millis_f64()))),
        ("latency_max_age", in_seconds(seconds(policy.latency_max_age))),
        ("wait_time", in_seconds(seconds(policy.wait_time))),
        ("max_wait_time", in_seconds(seconds(policy.max_wait_time))),
        ("recovery_time", in_seconds(seconds(policy.recovery_time))),
        ("memory_horizon", in_seconds(seconds(policy.memory_horizon))),
        ("trip_after", duration_in_millis(policy.trip_after)),
        ("warm_up", in_seconds(seconds(policy.warm_up))),
        ("sample_interval_ms", interval(millis(policy.sample_interval))),
        ("memory_threshold", percent(round(policy.memory_threshold.get() * 100.0), "percent", true)),
        ("memory_hysteresis", percent(round(policy.memory_hysteresis.get() * 100.0), "percentage points", false)),
        ("failure_rate_threshold", whole(policy.failure_rate_threshold.get())),
        ("trip_confidence", confidence(round(policy.trip_confidence.get()))),
        ("wait_backoff", factor(round(policy.wait_backoff.get()))),
        ("fleet.fallback_after", in_seconds(seconds(config.fleet.fallback_after))),
        ("opsgenie.alert_cooldown_seconds", in_seconds(f64::from(config.breaker.opsgenie.alert_cooldown_seconds))),
        ("proxy.drain_delay", in_seconds(seconds(config.proxy.drain_delay))),
        ("proxy.drain_timeout", in_seconds(seconds(config.proxy.drain_timeout))),
        ("proxy.header_timeout", in_seconds(seconds(config.proxy.header_timeout))),
        ("proxy.tunnel_idle_timeout", in_seconds(seconds(config.proxy.tunnel_idle_timeout))),
        ("opsgenie.time_before_send_alert", escalation(f64::from(config.breaker.opsgenie.time_before_send_alert))),
    ];
    lints.into_iter().filter_map(|(key, lint)| Some((key, lint?))).collect()
}

/// Without what only the arithmetic of percent and seconds adds to a number.
fn round(x: f64) -> f64 {
    (x * 1e9).round() / 1e9
}

fn threshold(ms: f64) -> Option<String> {
    if ms < MIN_PLAUSIBLE_THRESHOLD_MS {
        return Some(format!("{ms} milliseconds; if seconds are meant, set {}", round(ms * 1_000.0)));
    }
    let micros = || format!("{ms} milliseconds are {}; if microseconds are meant, set {}", length(ms / 1e3), ms / 1e3);
    (ms > MAX_PLAUSIBLE_THRESHOLD_MS).then(micros)
}

/// A long time that is unusual as seconds but usual as milliseconds.
fn in_seconds(seconds: f64) -> Option<String> {
    let is_usual = |unit: f64| seconds % unit == 0.0;
    let looks_like_millis = match seconds {
        ..1_000.0 => false,
        ..=21_600.0 => is_usual(500.0) && !is_usual(1_800.0),
        ..=86_400.0 => !is_usual(3_600.0),
        _ => !is_usual(86_400.0),
    };
    looks_like_millis
        .then(|| format!("{seconds} seconds are {}; if milliseconds are meant, set {}", length(seconds), seconds / 1e3))
}

fn escalation(seconds: f64) -> Option<String> {
    let is_short = seconds > 0.0 && seconds <= MAX_IMPLAUSIBLE_ESCALATION_SECONDS;
    is_short
        .then(|| format!("{seconds} seconds; if minutes are meant, set {}", seconds * 60.0))
        .or_else(|| in_seconds(seconds))
}

/// A few milliseconds, which look like seconds.
fn duration_in_millis(trip_after: TripAfter) -> Option<String> {
    match trip_after {
        TripAfter::Millis(ms) if ms > 0 => interval(f64::from(ms)),
        _ => None,
    }
}

fn interval(ms: f64) -> Option<String> {
    let words = || format!("{ms} milliseconds; if seconds are meant, set {}", round(ms * 1e3));
    (ms <= MAX_IMPLAUSIBLE_INTERVAL_MS).then(words)
}

/// A share that should be in percent; whether 1 looks like a ratio too.
fn percent(x: f64, unit: &str, is_one_a_ratio: bool) -> Option<String> {
    let is_ratio = x > 0.0 && (x < 1.0 || is_one_a_ratio && x <= 1.0);
    is_ratio.then(|| {
        // A ratio of 1 is no allowed percentage.
        let meant = if x < 1.0 { round(x * 100.0) } else { 99.0 };
        format!("{x} {unit}; if a ratio is meant, set {meant}")
    })
}

/// A ratio of 1 looks like 1 %.
fn whole(ratio: f64) -> Option<String> {
    (ratio >= 1.0).then(|| "100 %, so that every call must fail; if 1 % is meant, set 0.01".into())
}

fn confidence(x: f64) -> Option<String> {
    let is_significance = x > 0.0 && x < MIN_PLAUSIBLE_CONFIDENCE;
    is_significance.then(|| {
        format!("a confidence of {} %; if a significance level is meant, set {}", round(x * 100.0), round(1.0 - x))
    })
}

fn factor(x: f64) -> Option<String> {
    let words = || format!("a factor of {x}; if {x} % more are meant, set {}", round(1.0 + x / 100.0));
    (x > MAX_PLAUSIBLE_FACTOR).then(words)
}

/// A time in its two largest units, e.g. `16 h 40 min`.
fn length(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    let units = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(size, _)| seconds >= *size).unwrap_or(units.len() - 1);
    let mut rest = seconds;
    let mut parts = Vec::new();
    for (size, unit) in units.into_iter().skip(first).take(2) {
        if rest >= size {
            parts.push(format!("{} {unit}", rest / size));
        }
        rest %= size;
    }
    if parts.is_empty() { "0 s".into() } else { parts.join(" ") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_is_shown_in_its_two_largest_units() {
        for (seconds, expected) in [
            (0.0, "0 s"),
            (59.0, "59 s"),
            (60.0, "1 min"),
            (1_500.0, "25 min"),
            (60_000.0, "16 h 40 min"),
            (86_400.0, "1 d"),
            (90_061.0, "1 d 1 h"),
        ] {
            assert_eq!(length(seconds), expected);
        }
    }

    #[test]
    fn usual_times_are_no_milliseconds_and_usual_milliseconds_are() {
        for usual in
            [1.0, 10.5, 60.0, 300.0, 600.0, 900.0, 999.0, 1_200.0, 1_800.0, 3_600.0, 7_200.0, 86_400.0, 604_800.0]
        {
            assert_eq!(in_seconds(usual), None, "{usual}");
        }
        for millis in [1_000.0, 1_500.0, 2_000.0, 5_000.0, 10_000.0, 15_000.0, 30_000.0, 45_000.0, 60_000.0, 300_000.0]
        {
            assert!(in_seconds(millis).is_some(), "{millis}");
        }
    }

    proptest! {
        #[test]
        fn no_number_makes_it_panic(x: f64) {
            let _ = (threshold(x), escalation(x), interval(x), percent(x, "", true), confidence(x), factor(x), length(x));
        }
    }
}
