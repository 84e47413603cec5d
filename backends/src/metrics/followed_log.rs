//! A log that a breaker follows, as its reader publishes it.

use std::time::Duration;

use super::encoder::Encoder;

/// The figures of a log that a breaker follows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FollowedLog {
    /// The path of the file.
    pub file: String,
    /// The format; `None` until it is known.
    pub format: Option<&'static str>,
    /// Lines that were read.
    pub lines: u64,
    /// Lines that were not used, by reason.
    pub unusable: Vec<(&'static str, u64)>,
    /// Calls that were left out by their path.
    pub excluded: u64,
    /// Calls that were known too late to say whether they would have been rejected.
    pub unplaced: u64,
    /// How far behind the log the breaker is; `None` before the first line.
    pub delay: Option<Duration>,
    /// Why the log is not read now; `None` while it is.
    pub problem: Option<String>,
}

/// The logs that breakers follow, each with the name of its breaker, in the Prometheus text format 0.0.4.
pub fn render_followed_logs(logs: &[(String, FollowedLog)]) -> String {
    let mut text = Encoder::default();
    let mut family = text.gauge("tripline_log_readable", "Whether the log that is followed can be read.");
    for (breaker, log) in logs {
        family.sample(&[("breaker", breaker)], u8::from(log.problem.is_none()));
    }
    let mut family = text.counter("tripline_log_lines_total", "Lines of the log that is followed.");
    for (breaker, log) in logs {
        family.sample(&[("breaker", breaker)], log.lines);
    }
    let mut family = text.counter("tripline_log_unusable_lines_total", "Lines that were not used, by reason.");
    for (breaker, log) in logs {
        for (reason, count) in &log.unusable {
            family.sample(&[("breaker", breaker), ("reason", reason)], count);
        }
    }
    let mut family = text.counter("tripline_log_excluded_calls_total", "Calls that were left out by their path.");
    for (breaker, log) in logs {
        family.sample(&[("breaker", breaker)], log.excluded);
    }
    let mut family = text.counter(
        "tripline_log_unplaced_calls_total",
        "Calls that were known too late to say whether they would be rejected.",
    );
    for (breaker, log) in logs {
        family.sample(&[("breaker", breaker)], log.unplaced);
    }
    let mut family = text.gauge("tripline_log_delay_seconds", "How far behind the log the breaker is.");
    for (breaker, log) in logs {
        if let Some(delay) = log.delay {
            family.sample(&[("breaker", breaker)], delay.as_secs_f64());
        }
    }
    text.into_string()
}
