//! The figures behind the drawing, as JSON inside the page.

use std::fmt::Display;
use std::io::{self, Write};

use tripline_runtime::core::{Latency, Percentile, StateKind};

use crate::replay::chart::{Drawing, Passage, Stretch, part_within};
use crate::replay::compare::Setting;
use crate::replay::decimal::Millis;
use crate::replay::figures::Figures;
use crate::replay::timeline::Timeline;
use crate::replay::words::{Clock, on_one_line};

/// Columns of numbers, one for each stretch of time; latencies in microseconds.
pub(super) fn write(drawing: &Drawing, output: &mut impl Write) -> io::Result<()> {
    let utc = Clock::of(drawing.from) == Clock::Utc;
    let start = drawing.recorded.all().map_or(drawing.from, |(start, _)| start);
    write!(output, "{{\"utc\":{utc},\"from\":{},\"to\":{},", Millis(drawing.from), Millis(drawing.to))?;
    write!(output, "\"start\":{},\"width\":{}", Millis(start), Millis(drawing.recorded.width()))?;
    let quantile = |p: f64| move |s: &Stretch| micros(Percentile::new(p).ok().and_then(|p| s.latencies.quantile(p)));
    column(output, "calls", &drawing.recorded, |s| s.latencies.count())?;
    column(output, "least", &drawing.recorded, |s| micros(s.latencies.least()))?;
    column(output, "p50", &drawing.recorded, quantile(0.5))?;
    column(output, "p95", &drawing.recorded, quantile(0.95))?;
    column(output, "p99", &drawing.recorded, quantile(0.99))?;
    column(output, "most", &drawing.recorded, |s| micros(s.latencies.largest()))?;
    if drawing.recorded.all().is_some_and(|(_, mut stretches)| stretches.any(|s| s.memory.is_some())) {
        column(output, "memoryLow", &drawing.recorded, |s| percent(s.memory.map(|memory| memory.0)))?;
        column(output, "memoryHigh", &drawing.recorded, |s| percent(s.memory.map(|memory| memory.1)))?;
    }
    write!(output, ",\"settings\":[")?;
    for (i, setting) in drawing.settings.iter().enumerate() {
        if i > 0 {
            write!(output, ",")?;
        }
        if let (Some(line), Some(figures)) = (drawing.courses.get(i), drawing.figures.get(i)) {
            of_setting(drawing, setting, line, figures, output)?;
            states(drawing.changes(i), output)?;
        }
    }
    write!(output, "]}}")
}

fn of_setting(
    drawing: &Drawing,
    setting: &Setting,
    line: &Timeline<Passage>,
    figures: &Figures,
    output: &mut impl Write,
) -> io::Result<()> {
    let policy = &setting.policy;
    write!(output, "{{\"name\":{},", text(&setting.name)?)?;
    write!(output, "\"threshold\":{},", policy.latency_threshold.as_micros())?;
    write!(output, "\"percentile\":{},", policy.percentile.get())?;
    write!(output, "\"memoryThreshold\":{}", percent(Some(policy.memory_threshold.get())))?;
    column(output, "admitted", line, |p| p.admitted)?;
    column(output, "refused", line, |p| p.refused)?;
    column(output, "low", line, |p| micros(p.percentile.map(|range| range.0)))?;
    column(output, "high", line, |p| micros(p.percentile.map(|range| range.1)))?;
    column(output, "recoveries", line, |p| p.recoveries)?;
    let start = line.all().map_or(0, |(start, _)| start);
    let shares = |part: fn(&Passage) -> u64| {
        let mut begin = start;
        move |passage: &Passage| {
            let whole = part_within(begin, line.width(), drawing.from, drawing.to).as_nanos() as f64;
            begin = begin.saturating_add(line.width());
            let share = if whole > 0.0 { part(passage) as f64 / whole } else { 0.0 };
            // Three digits, and what is not nothing stays that.
            (share * 1_000.0).ceil().min(1_000.0) / 1_000.0
        }
    };
    column(output, "open", line, shares(|p| p.open_nanos))?;
    column(output, "halfOpen", line, shares(|p| p.half_open_nanos))?;
    // Those beyond the ones that are told one by one are at the middle of their stretch.
    write!(output, ",\"trips\":[")?;
    for (i, trip) in figures.first_trips.iter().enumerate() {
        let comma = if i == 0 { "" } else { "," };
        write!(output, "{comma}[{},{},\"{}\",{}]", Millis(trip.at_nanos), trip.index, trip.reason, trip.stalled)?;
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

fn column<B: super::super::timeline::Bucket, T: Display>(
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
