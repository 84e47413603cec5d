//! Values that seem to be in another unit: each gets a warning with the value that is probably intended.
#![allow(clippy::unwrap_used, clippy::panic)]

use tripline_backends::config::{key_names, parse};

/// The warnings about this key with this value.
fn warnings(key: &str, value: &str) -> Vec<String> {
    let warnings = parse(&format!("{key} = {value}\n"), "f").unwrap().1;
    let found = warnings.iter().filter(|warning| warning.key == key);
    found.map(|warning| warning.message.clone()).filter(|message| message.contains(" meant, set ")).collect()
}

#[test]
fn each_suspicious_value_names_the_likely_one() {
    for (key, value, expected) in [
        ("memory_threshold", "0.8", "0.8 percent; if a ratio is meant, set 80"),
        ("memory_threshold", "1", "1 percent; if a ratio is meant, set 99"),
        ("memory_hysteresis", "0.05", "0.05 percentage points; if a ratio is meant, set 5"),
        ("recovery_time", "60000", "60000 seconds are 16 h 40 min; if milliseconds are meant, set 60"),
        ("latency_max_age", "30000", "30000 seconds are 8 h 20 min; if milliseconds are meant, set 30"),
        ("wait_time", "2500", "2500 seconds are 41 min 40 s; if milliseconds are meant, set 2.5"),
        ("max_wait_time", "5000", "5000 seconds are 1 h 23 min; if milliseconds are meant, set 5"),
        ("memory_horizon", "60000", "60000 seconds are 16 h 40 min; if milliseconds are meant, set 60"),
        ("latency_threshold", "1.5", "1.5 milliseconds; if seconds are meant, set 1500"),
        ("latency_threshold", "2", "2 milliseconds; if seconds are meant, set 2000"),
        ("latency_threshold", "1500000", "1500000 milliseconds are 25 min; if microseconds are meant, set 1500"),
        ("trip_after", "2", "2 milliseconds; if seconds are meant, set 2000"),
        ("warm_up", "2500", "2500 seconds are 41 min 40 s; if milliseconds are meant, set 2.5"),
        ("sample_interval_ms", "30", "30 milliseconds; if seconds are meant, set 30000"),
        ("failure_rate_threshold", "1", "100 %, so that every call must fail; if 1 % is meant, set 0.01"),
        ("trip_confidence", "0.05", "a confidence of 5 %; if a significance level is meant, set 0.95"),
        ("wait_backoff", "50", "a factor of 50; if 50 % more are meant, set 1.5"),
        (
            "opsgenie.time_before_send_alert",
            "300000",
            "300000 seconds are 3 d 11 h; if milliseconds are meant, set 300",
        ),
        ("opsgenie.time_before_send_alert", "10", "10 seconds; if minutes are meant, set 600"),
        (
            "opsgenie.alert_cooldown_seconds",
            "60000",
            "60000 seconds are 16 h 40 min; if milliseconds are meant, set 60",
        ),
    ] {
        assert_eq!(warnings(key, value), [expected], "{key} = {value}");
    }
}

#[test]
fn usual_values_get_no_warning() {
    for (key, values) in [
        ("memory_threshold", &["1.5", "50", "80", "99.9"][..]),
        ("memory_hysteresis", &["0", "1", "5", "50"]),
        ("recovery_time", &["1", "30", "60", "300", "600", "3600", "86400"]),
        ("latency_max_age", &["2", "60", "225", "900", "3600"]),
        ("wait_time", &["1", "10", "60", "600", "1800", "3600"]),
        ("max_wait_time", &["60", "300", "3600", "43200"]),
        ("memory_horizon", &["0", "0.5", "600", "7200", "86400"]),
        ("latency_threshold", &["10", "300", "5000", "60000", "300000"]),
        ("trip_after", &["\"auto\"", "0", "500", "1500", "60000"]),
        ("warm_up", &["0", "10", "60", "600"]),
        ("sample_interval_ms", &["100", "500", "5000", "60000"]),
        ("failure_rate_threshold", &["0", "0.5", "0.99"]),
        ("trip_confidence", &["0", "0.5", "0.95", "0.999"]),
        ("wait_backoff", &["1", "2", "10"]),
        ("opsgenie.time_before_send_alert", &["0", "60", "300", "900", "3600", "86400", "604800"]),
        ("opsgenie.alert_cooldown_seconds", &["0", "1", "300", "86400"]),
    ] {
        for value in values {
            assert_eq!(warnings(key, value), [""; 0], "{key} = {value}");
        }
    }
}

/// Every key of a time or a share is covered, including new ones.
#[test]
fn every_time_and_share_has_a_suspicious_value() {
    for key in key_names() {
        // The error for an invalid value names the unit.
        let errors = parse(&format!("{key} = -1e300\n"), "f").map(|_| ()).unwrap_err().to_string();
        let suspicious: &[&str] = if errors.contains("seconds") {
            &["1.5", "15", "60000", "2500"]
        } else if errors.contains("(percent") || errors.contains("(ratio") || errors.contains("(factor") {
            &["0.05", "1", "50"]
        } else {
            continue;
        };
        // Full jitter, and a percentile, which accepts both units.
        if ["wait_jitter", "percentile"].contains(&key.as_str()) {
            continue;
        }
        let is_found =
            |value: &str| parse(&format!("{key} = {value}\n"), "f").is_ok() && !warnings(&key, value).is_empty();
        assert!(suspicious.iter().any(|value| is_found(value)), "{key}");
    }
}
