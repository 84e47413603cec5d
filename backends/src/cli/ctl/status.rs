//! The status: parsed from the server's response and formatted.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::show::{number, plain};
use super::style::{Line, Style, bar, sparkline};

/// Width of the labels, in characters.
const LABELS: usize = 11;
const BAR: usize = 14;

/// The body of `/breaker/status`. A field that the server leaves out is unknown.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct StatusView {
    pub(super) state: String,
    pub(super) triggered: bool,
    #[serde(default)]
    pub(super) name: String,
    mode: Option<String>,
    would_reject: Option<u64>,
    followed_log: Option<FollowedLogView>,
    trip_reason: Option<String>,
    trip: Option<TripView>,
    decision: Option<DecisionView>,
    #[serde(default)]
    drill: bool,
    retry_after_ms: Option<u64>,
    last_trip_time: Option<String>,
    memory_ok: Option<bool>,
    current_memory_usage_mb: Option<u64>,
    memory_threshold_percent: Option<f64>,
    total_memory_mb: Option<u64>,
    memory_usage_percent: Option<f64>,
    memory_exhausted_in_seconds: Option<f64>,
    latency_ok: Option<bool>,
    breach: Option<bool>,
    current_percentile_ms: Option<f64>,
    latency_threshold_ms: Option<u32>,
    percentile_value: Option<f64>,
    latency_window_size: Option<u64>,
    samples: Option<u64>,
    wait_time_seconds: Option<f64>,
    #[serde(default)]
    recent_latencies_ms: Vec<u32>,
    trend_analysis_enabled: Option<bool>,
    trend: Option<String>,
    in_flight: Option<u64>,
    stalled: Option<u64>,
    memory_source: Option<String>,
    memory_level: Option<String>,
    supervisor: Option<String>,
    incident_ends_in_seconds: Option<f64>,
    alert_problem: Option<String>,
    #[serde(default)]
    fleet: Option<String>,
    config_error: Option<String>,
}

/// Why the breaker is open. A server of an earlier version does not send it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct TripView {
    text: String,
}

/// The basis of the breaker's decisions. A server of an earlier version does not send it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct DecisionView {
    tolerance_ms: Option<u32>,
    tolerance_source: Option<String>,
    test: Option<String>,
    #[serde(default)]
    age_ms: u32,
    failed_percent: Option<f64>,
    failed_threshold_percent: Option<f64>,
    #[serde(default)]
    false_trips: u32,
}

/// The log that the breaker follows.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct FollowedLogView {
    file: String,
    #[serde(default)]
    lines: u64,
    #[serde(default)]
    unusable: BTreeMap<String, u64>,
    #[serde(default)]
    unrouted: BTreeMap<String, u64>,
    problem: Option<String>,
}

impl FollowedLogView {
    fn line(&self) -> Line {
        let (file, unused) = (plain(&self.file), self.unusable.values().sum::<u64>());
        let line = labelled("log").with(Style::Plain, format!("{file}, {} lines, {unused} not used", self.lines));
        let line = match self.unrouted.values().sum::<u64>() {
            0 => line,
            calls => line.with(Style::Plain, format!(", {calls} for no breaker")),
        };
        match &self.problem {
            Some(problem) => line.with(Style::Bad, format!("; {}", plain(problem))),
            None => line,
        }
    }
}

impl DecisionView {
    fn lines(&self) -> Vec<Line> {
        let mut lines = Vec::new();
        if let (Some(millis), Some(source)) = (self.tolerance_ms, &self.tolerance_source) {
            let why = words(source);
            let tolerance = format!("opens after {} s of evidence ({why})", figure(f64::from(millis) / 1e3));
            let line = labelled("tolerance").with(Style::Plain, tolerance);
            lines.push(match &self.test {
                Some(test) => {
                    let age = figure(f64::from(self.age_ms) / 1e3);
                    line.with(Style::Warning, format!("; {} evidence for {age} s", words(test)))
                }
                None => line,
            });
        }
        if let Some(limit) = self.failed_threshold_percent {
            let failed = self.failed_percent.map_or_else(|| "no calls".to_owned(), |at| format!("{} %", number(at)));
            lines.push(labelled("failed").with(Style::Plain, format!("{failed}, opens at {} %", figure(limit))));
        }
        if self.false_trips > 0 {
            let text = format!("{} that the first probes contradicted", self.false_trips);
            lines.push(labelled("false trips").with(Style::Warning, format!(" {text}")));
        }
        lines
    }
}

impl StatusView {
    /// Parses a status; `None` if `body` is not one.
    pub(super) fn read(body: &Value) -> Option<Self> {
        Self::deserialize(body).ok()
    }

    /// The status in the data of an event: the data itself or its field `status`.
    pub(super) fn of_event(data: &str) -> Option<Self> {
        let data: Value = serde_json::from_str(data).ok()?;
        let whole = |body: &Value| body.get("recent_latencies_ms").and_then(|_| Self::read(body));
        whole(&data).or_else(|| whole(data.get("status")?))
    }

    /// The lines for people. Changing figures have a bar if `bars`.
    pub(super) fn lines(&self, columns: usize, bars: bool) -> Vec<Line> {
        let mut lines = vec![self.headline(), Line::default(), self.latency(bars), self.trend(), self.window()];
        lines.extend([self.memory(bars), self.calls(), self.wait()]);
        lines.extend(self.decision.iter().flat_map(DecisionView::lines));
        lines.extend(self.last_trip_time.as_deref().map(|at| labelled("last trip").with(Style::Plain, plain(at))));
        lines.extend(self.trip.as_ref().map(|trip| labelled("opened on").with(Style::Plain, plain(&trip.text))));
        if self.mode.as_deref() == Some("observe") {
            let would = self.would_reject.unwrap_or(0);
            let text = format!("observe: no call is rejected; {would} would have been");
            lines.push(labelled("mode").with(Style::Warning, text));
        }
        if let Some(log) = &self.followed_log {
            lines.push(log.line());
        }
        if self.drill {
            lines.push(labelled("drill").with(Style::Warning, "an operator simulated a fault"));
        }
        lines.push(self.recent(columns));
        if let Some(supervisor) = self.supervisor.as_deref().filter(|word| *word != "running") {
            lines.push(labelled("supervisor").with(Style::Warning, plain(supervisor)));
        }
        if let Some(seconds) = self.incident_ends_in_seconds {
            lines.push(
                labelled("incident").with(Style::Plain, format!("ends in {} s if all stays well", number(seconds))),
            );
        }
        if let Some(fleet) = &self.fleet {
            lines.push(labelled("fleet").with(Style::Plain, plain(fleet)));
        }
        if let Some(problem) = &self.alert_problem {
            lines.push(labelled("alerts").with(Style::Bad, plain(problem)));
        }
        for (row, problem) in self.config_error.iter().flat_map(|error| error.lines()).enumerate() {
            let label = if row == 0 { "config" } else { "" };
            lines.push(labelled(label).with(Style::Warning, plain(problem)));
        }
        lines
    }

    fn headline(&self) -> Line {
        let name = if self.name.is_empty() { "breaker".to_owned() } else { plain(&self.name) };
        let reason = self.trip_reason.as_ref().map(|reason| format!(", because of {}", words(reason)));
        let wait = self.retry_after_ms.map(|wait| match wait.div_ceil(1_000) {
            0 => "; the next call is a probe".to_owned(),
            seconds => format!("; next try in {seconds} s"),
        });
        let why: String = reason.into_iter().chain(wait).collect();
        Line::default()
            .with(Style::Bold, format!("{name}: "))
            .with(self.style(), words(&self.state))
            .with(Style::Plain, why)
    }

    fn style(&self) -> Style {
        match self.state.as_str() {
            "closed" => Style::Good,
            "half_open" | "disabled" => Style::Warning,
            _ => Style::Bad,
        }
    }

    fn latency(&self, bars: bool) -> Line {
        let quantile =
            self.percentile_value.map_or_else(|| "percentile".to_owned(), |at| format!("p{}", figure(at * 100.0)));
        let at = self.current_percentile_ms.map_or_else(|| "no calls".to_owned(), |ms| format!("{} ms", number(ms)));
        let mut line = labelled("latency");
        if let (true, Some(threshold)) = (bars, self.latency_threshold_ms) {
            let threshold = f64::from(threshold);
            // The threshold is at two thirds of the bar.
            let gauge = bar(self.current_percentile_ms.unwrap_or(0.0), threshold, threshold * 1.5, BAR);
            line = line.with(Style::Quiet, gauge + " ");
        }
        line = line.with(Style::Plain, format!("{quantile} {at}"));
        line = match (self.breach, self.latency_ok) {
            (Some(true), _) => line.with(Style::Bad, ", in breach"),
            (_, Some(false)) => line.with(Style::Warning, ", above"),
            (_, Some(true)) => line.with(Style::Good, ", ok"),
            _ => line,
        };
        line.with(Style::Plain, format!(", threshold {}", milliseconds(self.latency_threshold_ms)))
    }

    fn trend(&self) -> Line {
        let trend = self.trend.as_deref().map_or_else(|| "unknown".to_owned(), words);
        let style = if trend == "rising" { Style::Warning } else { Style::Plain };
        let line = labelled("trend").with(style, trend);
        match self.trend_analysis_enabled {
            Some(true) => line.with(Style::Plain, ", and it decides"),
            Some(false) => line.with(Style::Plain, ", analysis is off"),
            None => line,
        }
    }

    fn window(&self) -> Line {
        labelled("window")
            .with(Style::Plain, format!("{} of {} samples", count(self.samples), count(self.latency_window_size)))
    }

    fn memory(&self, bars: bool) -> Line {
        let threshold = self.memory_threshold_percent;
        let mut source = self.memory_source.as_deref().map_or_else(|| "no source".to_owned(), plain);
        if let Some(level) = &self.memory_level {
            source = format!("{source}: {}", plain(level));
        }
        let rule = threshold.map_or_else(String::new, |at| format!(", threshold {} %", figure(at)));
        let mut line = labelled("memory");
        let Some(percent) = self.memory_usage_percent else {
            return line.with(Style::Warning, "unknown").with(Style::Plain, format!("{rule} ({source})"));
        };
        if let (true, Some(threshold)) = (bars, threshold) {
            line = line.with(Style::Quiet, bar(percent, threshold, 100.0, BAR) + " ");
        }
        line = line.with(Style::Plain, format!("{} %", number(percent)));
        line = match self.memory_ok {
            Some(true) => line.with(Style::Good, ", ok"),
            Some(false) => line.with(Style::Bad, ", too full"),
            None => line,
        };
        if let Some(seconds) = self.memory_exhausted_in_seconds {
            line = line.with(Style::Warning, format!(", runs out in {} s", number(seconds)));
        }
        let (used, total) = (count(self.current_memory_usage_mb), count(self.total_memory_mb));
        line.with(Style::Plain, format!(", {used} of {total} MiB{rule} ({source})"))
    }

    fn calls(&self) -> Line {
        let (Some(in_flight), Some(stalled)) = (self.in_flight, self.stalled) else {
            return labelled("calls").with(Style::Plain, "those in flight are not tracked");
        };
        let style = if stalled > 0 { Style::Bad } else { Style::Plain };
        labelled("calls")
            .with(Style::Plain, format!("{in_flight} in flight, "))
            .with(style, format!("{stalled} stalled"))
    }

    fn wait(&self) -> Line {
        let wait = self.wait_time_seconds.map_or_else(|| "unknown".to_owned(), |at| format!("{} s", figure(at)));
        labelled("wait").with(Style::Plain, wait)
    }

    fn recent(&self, columns: usize) -> Line {
        let latencies = &self.recent_latencies_ms;
        let (Some(least), Some(most)) = (latencies.iter().min(), latencies.iter().max()) else {
            return labelled("recent").with(Style::Plain, "no calls");
        };
        let range = if least == most { format!("  {most} ms") } else { format!("  {least} to {most} ms") };
        let width = columns.saturating_sub(LABELS + range.chars().count()).max(8);
        let threshold = self.latency_threshold_ms.unwrap_or(u32::MAX);
        sparkline(labelled("recent"), latencies, threshold, width).with(Style::Plain, range)
    }

    /// The status on one line, for logs.
    pub(super) fn short(&self) -> String {
        let unknown = || "unknown".to_owned();
        let reason = self.trip_reason.as_ref().map_or_else(String::new, |reason| {
            format!(" ({}{})", if self.drill { "drill: " } else { "" }, words(reason))
        });
        let at = self.current_percentile_ms.map_or_else(|| "none".to_owned(), |ms| format!("{} ms", number(ms)));
        let breach = if self.breach == Some(true) { ", in breach" } else { "" };
        let memory = self.memory_usage_percent.map_or_else(unknown, |at| format!("{} %", number(at)));
        let runs_out = self.memory_exhausted_in_seconds;
        let runs_out = runs_out.map_or_else(String::new, |seconds| format!(", runs out in {} s", number(seconds)));
        let mut parts = vec![
            format!("{} {}{reason}", plain(&self.name), words(&self.state)),
            format!("latency {at} of {}{breach}", milliseconds(self.latency_threshold_ms)),
            format!("trend {}", self.trend.as_deref().map_or_else(unknown, words)),
            format!("memory {memory}{runs_out}"),
            format!("{} in flight, {} stalled", count(self.in_flight), count(self.stalled)),
        ];
        parts.extend(self.alert_problem.iter().map(|problem| format!("alerts: {}", plain(problem))));
        parts.extend(self.config_error.iter().map(|error| format!("config: {}", plain(error))));
        parts.join("; ")
    }

    /// Whether the status differs from `before` in more than figures that change all the time.
    pub(super) fn matters_beside(&self, before: &Self) -> bool {
        let moving = |seen: &Self| Self {
            retry_after_ms: None,
            current_memory_usage_mb: None,
            memory_usage_percent: None,
            // Whether memory runs out matters, not when.
            memory_exhausted_in_seconds: seen.memory_exhausted_in_seconds.map(|_| 0.0),
            incident_ends_in_seconds: seen.incident_ends_in_seconds.map(|_| 0.0),
            current_percentile_ms: None,
            samples: None,
            decision: seen.decision.as_ref().map(|decision| DecisionView {
                age_ms: 0,
                failed_percent: None,
                test: None,
                ..decision.clone()
            }),
            recent_latencies_ms: Vec::new(),
            in_flight: None,
            would_reject: None,
            followed_log: None,
            stalled: seen.stalled.map(|stalled| u64::from(stalled > 0)),
            ..seen.clone()
        };
        moving(self) != moving(before)
    }
}

pub(super) fn labelled(label: &str) -> Line {
    Line::default().with(Style::Quiet, format!("{label:LABELS$}"))
}

/// A word of the API for people.
fn words(word: &str) -> String {
    plain(word).replace('_', " ")
}

/// A setting, with as many digits as it was set with.
fn figure(value: f64) -> String {
    ((value * 1e6).round() / 1e6).to_string()
}

fn count(value: Option<u64>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| value.to_string())
}

fn milliseconds(value: Option<u32>) -> String {
    value.map_or_else(|| "unknown".to_owned(), |value| format!("{value} ms"))
}
