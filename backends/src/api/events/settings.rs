//! The settings that operators change, and the totals beside the status.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Number;
use tripline_runtime::Breaker;
use tripline_runtime::core::TripReason;

use crate::text::{percent, tidy};

/// The settings in force, each under the name that its route's GET gives it.
#[derive(Debug, Serialize)]
pub(super) struct Settings {
    enabled: bool,
    /// In percent.
    memory: Option<Number>,
    /// In milliseconds.
    latency: u32,
    latency_window_size: u16,
    /// As a ratio.
    percentile: Option<Number>,
    /// In seconds.
    wait: Option<Number>,
    trend_analysis: bool,
}

impl Settings {
    pub(super) fn of(breaker: &Breaker) -> Self {
        let policy = breaker.read(|core| core.policy().clone());
        Self {
            enabled: policy.enabled,
            memory: percent(policy.memory_threshold.get()),
            latency: policy.latency_threshold.as_millis(),
            latency_window_size: policy.latency_window_size.get(),
            percentile: tidy(policy.percentile.get()),
            wait: tidy(policy.wait_time.as_secs_f64()),
            trend_analysis: policy.trend_analysis,
        }
    }
}

/// Totals since the breaker was made.
#[derive(Debug, Serialize)]
pub(super) struct Totals {
    ok: u64,
    failed: u64,
    ignored: u64,
    slow: u64,
    stale: u64,
    dropped: u64,
    refused: u64,
    would_reject: u64,
    trips: u64,
    /// Those that there were.
    trips_by_reason: BTreeMap<&'static str, u32>,
}

impl Totals {
    pub(super) fn of(breaker: &Breaker) -> Self {
        let counts = breaker.read(|core| *core.counts());
        let by_reason = TripReason::ALL.map(|reason| (reason.as_str(), counts.trips(reason)));
        let trips_by_reason: BTreeMap<_, _> = by_reason.into_iter().filter(|(_, trips)| *trips > 0).collect();
        Self {
            ok: counts.ok,
            failed: counts.failed,
            ignored: counts.ignored,
            slow: counts.slow,
            stale: counts.stale,
            dropped: counts.dropped,
            refused: breaker.rejected(),
            would_reject: breaker.would_reject(),
            trips: trips_by_reason.values().map(|trips| u64::from(*trips)).sum(),
            trips_by_reason,
        }
    }
}
