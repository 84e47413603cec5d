//! Renders the breakers of a process as Prometheus text.
//!
//! [`render`] collects on demand and keeps nothing. Each series has the label `breaker`, except those of the process
//! itself. `serve` adds the text of [`render_log`] to its page.
#![doc = include_str!("../../docs/metrics.md")]

mod delivery;
mod durations;
mod encoder;
mod families;
mod fleet;
mod followed_log;
mod key_series;
mod reading;

use tripline_runtime::core::{MemoryState, StateKind, TripAfter, TripReason};
use tripline_runtime::{Breaker, DeliveryStats, Mode};

pub use followed_log::{FollowedLog, render_followed_logs};

pub(crate) use encoder::Encoder;
#[cfg(feature = "cli")]
pub(crate) use encoder::label_value;
pub use families::render_families;
pub use fleet::render_fleet;
pub use key_series::KeySeries;
use reading::{Reading, seconds};

/// The media type of the text that [`render`] returns.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Renders all of `breakers`, sorted by name, in the Prometheus text format 0.0.4. `deliveries` are the counters of
/// their dispatcher, `resident_bytes` is the resident memory of the process.
///
/// It owns the core of each breaker a few times, for microseconds, and takes the lock of its alerts.
pub fn render(breakers: &[Breaker], deliveries: Option<&DeliveryStats>, resident_bytes: Option<u64>) -> String {
    let mut readings: Vec<Reading> = breakers.iter().map(Reading::take).collect();
    readings.sort_by(|a, b| a.name.cmp(&b.name));
    let mut text = Encoder::default();
    states(&mut text, &readings);
    decisions(&mut text, &readings);
    calls(&mut text, &readings);
    durations::write(&mut text, &readings);
    latency(&mut text, &readings);
    memory(&mut text, &readings);
    if let Some(deliveries) = deliveries {
        delivery::write(&mut text, deliveries);
    }
    if let Some(bytes) = resident_bytes {
        text.gauge("process_resident_memory_bytes", "Resident memory of this process.").sample(&[], bytes);
    }
    text.into_string()
}

/// Renders the number of lost log lines of this process, in the same format.
pub fn render_log(dropped_lines: u64) -> String {
    let mut text = Encoder::default();
    text.counter("tripline_log_lines_dropped_total", "Log lines that were dropped because the output was not read.")
        .sample(&[], dropped_lines);
    text.into_string()
}

fn states(text: &mut Encoder, readings: &[Reading]) {
    let mut family = text.gauge("tripline_state", "1 for the state that holds, 0 for the others.");
    for reading in readings {
        for state in StateKind::ALL {
            let holds = u8::from(reading.state == state);
            family.sample(&[("breaker", reading.name.as_str()), ("state", state.as_str())], holds);
        }
    }
    let mut family = text.counter("tripline_trips_total", "Number of trips, by reason.");
    for reading in readings {
        for reason in TripReason::ALL {
            let labels = [("breaker", reading.name.as_str()), ("reason", reason.as_str())];
            family.sample(&labels, reading.counts.trips(reason));
        }
    }
    text.gauge("tripline_probes_admitted", "Probes admitted while half-open, in flight or ended.")
        .each(readings, |reading| Some(reading.probes.0));
    text.gauge("tripline_probes_good", "Successful probes while half-open.")
        .each(readings, |reading| Some(reading.probes.1));
    text.gauge(
        "tripline_supervised",
        "Whether the breaker is supervised; if not, its memory rule and alerts do not work.",
    )
    .each(readings, |reading| Some(u8::from(reading.supervised)));
}

fn decisions(text: &mut Encoder, readings: &[Reading]) {
    text.counter("tripline_false_trips_total", "Trips that the first probes contradicted.")
        .each(readings, |reading| Some(reading.counts.false_trips));
    text.gauge("tripline_trip_tolerance_seconds", "How long evidence must last before the breaker opens.")
        .each(readings, |reading| reading.evidence.tolerance.map(|tolerance| millis(tolerance.millis)));
    text.gauge("tripline_trip_evidence_seconds", "Age of the oldest evidence of slow or failed calls.")
        .each(readings, |reading| Some(millis(reading.evidence.age_ms)));
    text.gauge("tripline_trip_after_seconds", "The time that replaces the learned tolerance.").each(
        readings,
        |reading| match reading.trip_after {
            TripAfter::Auto => None,
            TripAfter::Millis(after) => Some(millis(after.into())),
        },
    );
    text.gauge(
        "tripline_warm_up_seconds",
        "Time after the first call during which evidence must last at least half of this time.",
    )
    .each(readings, |reading| Some(reading.warm_up.as_secs_f64()));
    text.gauge(
        "tripline_trip_confidence_ratio",
        "Confidence that a trip requires; 0: exceeding a threshold is enough.",
    )
    .each(readings, |reading| Some(reading.trip_confidence));
    text.gauge("tripline_failed_ratio", "Share of failed calls in the window.")
        .each(readings, |reading| (reading.evidence.calls > 0).then(|| reading.evidence.failure_rate()));
    text.gauge("tripline_failure_threshold_ratio", "The share of failed calls at which the breaker opens; 0: never.")
        .each(readings, |reading| Some(reading.failure_threshold));
}

fn millis(millis: u32) -> f64 {
    f64::from(millis) / 1e3
}

fn calls(text: &mut Encoder, readings: &[Reading]) {
    let mut family = text.counter("tripline_calls_total", "Completed calls, by outcome.");
    for Reading { name, counts, .. } in readings {
        let outcomes = [
            ("ok", counts.ok),
            ("failed", counts.failed),
            ("ignored", counts.ignored),
            ("stale", counts.stale),
            ("dropped", counts.dropped),
        ];
        for (outcome, count) in outcomes {
            family.sample(&[("breaker", name.as_str()), ("outcome", outcome)], count);
        }
    }
    text.counter("tripline_slow_calls_total", "Calls that took longer than the threshold.")
        .each(readings, |reading| Some(reading.counts.slow));
    let mut family = text.counter("tripline_refused_calls_total", "Rejected calls, by reason.");
    for reading in readings {
        family.by_reason(&reading.name, &reading.rejected);
    }
    let mut family = text.counter(
        "tripline_would_reject_total",
        "Calls that were made although the breaker would reject them, by reason.",
    );
    for reading in readings {
        family.by_reason(&reading.name, &reading.would_reject);
    }
    text.gauge("tripline_observing", "1: observe mode, no call is rejected.")
        .each(readings, |reading| Some(u8::from(reading.mode == Mode::Observe)));
    text.counter("tripline_dropped_reports_total", "Ends of calls that were lost because too many came at once.")
        .each(readings, |reading| Some(reading.reports_dropped));
    text.gauge("tripline_calls_in_flight", "Admitted calls that have not ended.")
        .each(readings, |reading| reading.in_flight);
    text.gauge("tripline_calls_stalled", "Calls in flight for longer than the threshold.")
        .each(readings, |reading| reading.stalled);
}

fn latency(text: &mut Encoder, readings: &[Reading]) {
    text.gauge("tripline_latency_percentile_seconds", "The configured percentile of the window.")
        .each(readings, |reading| reading.percentile.map(seconds));
    text.gauge("tripline_latency_threshold_seconds", "The percentile above which calls are too slow.")
        .each(readings, |reading| Some(seconds(reading.threshold)));
    text.gauge("tripline_window_samples", "Calls in the window.").each(readings, |reading| Some(reading.samples));
}

fn memory(text: &mut Encoder, readings: &[Reading]) {
    text.gauge("tripline_memory_known", "Whether memory is known; if not, its rule cannot trip.")
        .each(readings, |reading| Some(u8::from(reading.memory_state != MemoryState::Unknown)));
    text.gauge("tripline_memory_threshold_ratio", "The share of the limit at which memory counts as exhausted.")
        .each(readings, |reading| Some(reading.memory_threshold.get()));
    text.gauge("tripline_memory_used_bytes", "Memory in use.")
        .each(readings, |reading| reading.memory.map(|memory| memory.used));
    text.gauge("tripline_memory_limit_bytes", "The memory limit.")
        .each(readings, |reading| reading.memory.and_then(|memory| memory.limit));
    let mut family = text.gauge("tripline_memory_level", "The limit that the memory figures refer to.");
    for Reading { name, memory_level, .. } in readings {
        if let Some(level) = memory_level {
            family.sample(&[("breaker", name.as_str()), ("level", level)], 1_u8);
        }
    }
    text.gauge("tripline_memory_exhausted_in_seconds", "Time until memory reaches its limit at the current rate.")
        .each(readings, |reading| reading.memory_exhausted_in.map(|left| left.as_secs_f64()));
}

#[cfg(test)]
mod tests;
