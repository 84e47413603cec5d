//! Which log an input is, by its first lines.

use super::problem::LogProblem;
use super::{Rules, parse};
use crate::replay::error::LineProblem;
use crate::replay::format::{Input, LatencyUnit, LogFormat};
use crate::replay::lines::Line;

/// So many lines are looked at.
pub(in crate::replay) const SAMPLE_LINES: usize = 20;
/// Where no whole number is as large, it is hardly microseconds: that is less than a millisecond.
const LARGE_NUMBER: u64 = 1_000;

/// What the first lines of an input say.
#[derive(Debug)]
pub(in crate::replay) enum Choice {
    Log(Rules),
    /// It does not look like a log.
    NoLog,
    /// It is one, or was said to be, and cannot be read.
    Problem {
        line: u64,
        problem: LineProblem,
    },
}

/// Chooses the format that understands most of the sample, of those that are allowed.
pub(in crate::replay) fn choose(sample: &[Line], forced: Option<LogFormat>, input: Input) -> Choice {
    let candidates = match forced {
        Some(format) => &[format][..],
        None => &[LogFormat::Envoy, LogFormat::Nginx, LogFormat::Apache],
    };
    let rules = |format| Rules {
        format,
        // The unit tells nginx and Apache apart by their own habits only.
        unit: if forced.is_none() && format == LogFormat::Nginx { None } else { input.latency_unit },
        field: input.latency_field,
        is_guessed: forced.is_none(),
    };
    let understood = |format: &LogFormat| {
        let rules = rules(*format);
        sample.iter().filter(|line| parse(line, &rules).is_ok()).count()
    };
    // Of equals the first.
    let best = candidates.iter().rev().max_by_key(|format| understood(format));
    match best.copied() {
        Some(format) if understood(&format) > 0 => {
            let unclear = forced.is_none() && format == LogFormat::Apache && input.latency_unit.is_none();
            match unclear.then(|| line_with_unclear_unit(sample, &rules(format))).flatten() {
                Some(line) => Choice::Problem { line, problem: no_log(Some(format), LogProblem::Unit) },
                None => Choice::Log(Rules { unit: input.latency_unit, ..rules(format) }),
            }
        }
        _ => nothing_understood(sample, forced, &rules),
    }
}

/// The first line whose unit is not clear, if none of the sample makes it clear.
fn line_with_unclear_unit(sample: &[Line], rules: &Rules) -> Option<u64> {
    let mut first = None;
    for line in sample {
        let Ok(call) = parse(line, rules) else { continue };
        // What is said by its name or by a fraction is clear.
        let named = call.written.nanos(LatencyUnit::Micros) != Some(call.latency);
        if named || call.written.whole().is_none_or(|number| number >= LARGE_NUMBER) {
            return None;
        }
        first = first.or(Some(line.number()));
    }
    first
}

fn nothing_understood(sample: &[Line], forced: Option<LogFormat>, rules: &impl Fn(LogFormat) -> Rules) -> Choice {
    let Some(first) = sample.first() else { return forced.map_or(Choice::NoLog, |format| Choice::Log(rules(format))) };
    if forced.is_none() && !looks_like_log(first.text()) {
        return Choice::NoLog;
    }
    let likely = if first.text().starts_with(b"[") { LogFormat::Envoy } else { LogFormat::Nginx };
    let problem = parse(first, &rules(forced.unwrap_or(likely))).err().unwrap_or(LogProblem::Time);
    Choice::Problem { line: first.number(), problem: no_log(forced, problem) }
}

fn no_log(format: Option<LogFormat>, problem: LogProblem) -> LineProblem {
    LineProblem::Log { format, problem }
}

/// A header of CSV has no brackets.
fn looks_like_log(line: &[u8]) -> bool {
    line.contains(&b'[') && line.contains(&b'"')
}
