//! Metrics of a log that a breaker follows.

use std::time::Duration;

use super::encoder::Encoder;

/// The figures of a log that a breaker follows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct FollowedLog {
    /// The path of the log file.
    pub file: String,
    /// The format; `None` until it is known.
    pub format: Option<&'static str>,
    /// Number of lines read.
    pub lines: u64,
    /// Number of unusable lines, by reason.
    pub unusable: Vec<(&'static str, u64)>,
    /// Number of calls excluded by their path.
    pub excluded: u64,
    /// Number of calls for no breaker, by reason.
    pub unrouted: Vec<(&'static str, u64)>,
    /// Number of calls that arrived too late to decide whether they would have been rejected.
    pub unplaced: u64,
    /// The breaker's lag behind the log; `None` before the first line.
    pub delay: Option<Duration>,
    /// Why the log cannot be read now, or is read for other breakers than those of the configuration; `None` while all is well.
    pub problem: Option<String>,
}

/// Renders the logs that breakers follow, each with the name of its breaker, in the Prometheus text format 0.0.4.
pub fn render_followed_logs(logs: &[(String, FollowedLog)]) -> String {
    let mut text = Encoder::default();
    let mut family = text.gauge("tripline_log_readable", "Whether the log is read, as configured.");
    for (breaker, log) in logs {
        family.sample(&[("breaker", breaker)], u8::from(log.problem.is_none()));
    }
    let mut family = text.counter("tripline_log_lines_total", "Lines of the followed log.");
    for (breaker, log) in logs {
        family.sample(&[("breaker", breaker)], log.lines);
    }
    let mut family = text.counter("tripline_log_unusable_lines_total", "Unusable lines, by reason.");
    for (breaker, log) in logs {
        for (reason, count) in &log.unusable {
            family.sample(&[("breaker", breaker), ("reason", reason)], count);
        }
    }
    let mut family = text.counter("tripline_log_excluded_calls_total", "Calls excluded by their path.");
    for (breaker, log) in logs {
        family.sample(&[("breaker", breaker)], log.excluded);
    }
    let mut family = text.counter("tripline_log_unrouted_calls_total", "Calls for no breaker, by reason.");
    for (breaker, log) in logs {
        for (reason, count) in &log.unrouted {
            family.sample(&[("breaker", breaker), ("reason", reason)], count);
        }
    }
    let mut family = text
        .counter("tripline_log_unplaced_calls_total", "Calls read too late to decide whether they would be rejected.");
    for (breaker, log) in logs {
        family.sample(&[("breaker", breaker)], log.unplaced);
    }
    let mut family = text.gauge("tripline_log_delay_seconds", "Lag of the breaker behind the log.");
    for (breaker, log) in logs {
        if let Some(delay) = log.delay {
            family.sample(&[("breaker", breaker)], delay.as_secs_f64());
        }
    }
    text.into_string()
}
