//! The figures behind the report, as JSON inside the page.

use std::fmt::Display;
use std::io::{self, Write};

use tripline_runtime::core::{Latency, Percentile, StateKind};

use super::model::{Interval, Report, Segment, part_within};
use super::tables::why;
use crate::replay::compare::Setting;
use crate::replay::decimal::Millis;
use crate::replay::figures::Figures;
use crate::replay::human_format::{Clock, on_one_line};
use crate::replay::timeline::Timeline;

/// Columns of numbers, one for each stretch of time; latencies in microseconds.
pub(super) fn write(report: &Report, output: &mut impl Write) -> io::Result<()> {
    let utc = Clock::of(report.from) == Clock::Utc;
    let start = report.recorded.all().map_or(report.from, |(start, _)| start);
    write!(output, "{{\"utc\":{utc},\"from\":{},\"to\":{},", Millis(report.from), Millis(report.to))?;
    write!(output, "\"start\":{},\"width\":{}", Millis(start), Millis(report.recorded.width()))?;
    let quantile = |p: f64| move |s: &Interval| micros(Percentile::new(p).ok().and_then(|p| s.latencies.quantile(p)));
    column(output, "calls", &report.recorded, |s| s.latencies.count())?;
    column(output, "least", &report.recorded, |s| micros(s.latencies.least()))?;
    column(output, "p50", &report.recorded, quantile(0.5))?;
    column(output, "p95", &report.recorded, quantile(0.95))?;
    column(output, "p99", &report.recorded, quantile(0.99))?;
    column(output, "most", &report.recorded, |s| micros(s.latencies.largest()))?;
    if report.recorded.all().is_some_and(|(_, mut stretches)| stretches.any(|s| s.memory.is_some())) {
        column(output, "memoryLow", &report.recorded, |s| percent(s.memory.map(|memory| memory.0)))?;
        column(output, "memoryHigh", &report.recorded, |s| percent(s.memory.map(|memory| memory.1)))?;
    }
    write!(output, ",\"settings\":[")?;
    for (i, setting) in report.settings.iter().enumerate() {
        if i > 0 {
            write!(output, ",")?;
        }
        if let (Some(line), Some(figures)) = (report.series.get(i), report.figures.get(i)) {
            of_setting(report, setting, line, figures, output)?;
            states(report.changes(i), output)?;
        }
    }
    write!(output, "]}}")
}

fn of_setting(
    report: &Report,
    setting: &Setting,
    line: &Timeline<Segment>,
    figures: &Figures,
    output: &mut impl Write,
) -> io::Result<()> {
    let policy = &setting.policy;
    write!(output, "{{\"name\":{},", text(&setting.name)?)?;
    write!(output, "\"threshold\":{},", policy.latency_threshold.as_micros())?;
    write!(output, "\"percentile\":{},", policy.percentile.get())?;
    write!(output, "\"memoryThreshold\":{}", percent(Some(policy.memory_threshold.get())))?;
    column(output, "admitted", line, |p| p.admitted)?;
    column(output, "rejected", line, |p| p.rejected)?;
    column(output, "low", line, |p| micros(p.percentile.map(|range| range.0)))?;
    column(output, "high", line, |p| micros(p.percentile.map(|range| range.1)))?;
    column(output, "recoveries", line, |p| p.recoveries)?;
    let start = line.all().map_or(0, |(start, _)| start);
    let shares = |part: fn(&Segment) -> u64| {
        let mut begin = start;
        move |segment: &Segment| {
            let whole = part_within(begin, line.width(), report.from, report.to).as_nanos() as f64;
            begin = begin.saturating_add(line.width());
            let share = if whole > 0.0 { part(segment) as f64 / whole } else { 0.0 };
            // Three digits, and what is not nothing stays that.
            (share * 1_000.0).ceil().min(1_000.0) / 1_000.0
        }
    };
    column(output, "open", line, shares(|p| p.open_nanos))?;
    column(output, "halfOpen", line, shares(|p| p.half_open_nanos))?;
    // Those beyond the ones that are listed one by one are at the middle of their interval.
    write!(output, ",\"trips\":[")?;
    for (i, trip) in figures.first_trips.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(output, "{comma}[{},{},{}]", Millis(trip.at_nanos), trip.index, text(&why(trip))?)?;
    }
    write!(output, "]")?;
    column(output, "tripCount", line, |p| p.trips)
}

/// The end of a setting: each change of state with its instant, or `null` where there are too many.
fn states(changes: Option<&[(i64, StateKind)]>, output: &mut impl Write) -> io::Result<()> {
    let Some(changes) = changes else { return write!(output, ",\"changes\":null}}") };
    write!(output, ",\"changes\":[")?;
    for (i, (at, state)) in changes.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(output, "{comma}[{},\"{state}\"]", Millis(*at))?;
    }
    write!(output, "]}}")
}

fn column<B: crate::replay::timeline::Bucket, T: Display>(
    output: &mut impl Write,
    name: &str,
    line: &Timeline<B>,
    mut value: impl FnMut(&B) -> T,
) -> io::Result<()> {
    write!(output, ",\"{name}\":[")?;
    for (i, bucket) in line.all().into_iter().flat_map(|(_, buckets)| buckets).enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(output, "{comma}{}", value(bucket))?;
    }
    write!(output, "]")
}

fn micros(latency: Option<Latency>) -> String {
    latency.map_or_else(|| "null".into(), |latency| latency.as_micros().to_string())
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "null".into(), |share| ((share * 1_000.0).round() / 10.0).to_string())
}

/// A text as JSON that cannot end the script it stands in.
fn text(text: &str) -> io::Result<String> {
    Ok(serde_json::to_string(&on_one_line(text))?.replace('<', "\\u003c"))
}
