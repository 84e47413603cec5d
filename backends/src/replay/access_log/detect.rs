//! Which format an input has, by its first lines.

use std::sync::Arc;

use super::error::LogProblem;
use super::log::{LineReader, Log, Understood};
use super::routing::Routing;
use super::row::{LogFormat, Rules};
use crate::replay::error::LineProblem;
use crate::replay::field_map::Role;
use crate::replay::format::Input;
use crate::replay::lines::Line;
use crate::replay::path_filter::PathFilter;

/// So many lines are looked at.
pub(in crate::replay) const SAMPLE_LINES: usize = 20;

/// The evidence in the first lines of an input.
#[derive(Debug)]
pub(in crate::replay) enum Choice {
    Log(Box<Log>),
    /// It does not look like a log.
    NoLog,
    /// It is one, or was said to be, and cannot be read.
    Problem {
        line: u64,
        problem: LineProblem,
    },
}

/// Chooses the format that understands most of the sample, of those that are allowed; `longest` is the longest call in
/// nanoseconds.
pub(in crate::replay) fn choose(
    sample: &[Line],
    forced: Option<LogFormat>,
    input: &Input,
    longest: i64,
    routing: Option<&Arc<dyn Routing>>,
) -> Choice {
    let log = |rules: &Rules| log(rules, input, longest, routing);
    let fields = input.fields();
    let is_mapped = fields.iter().any(|field| matches!(field.role, Role::Time | Role::Start | Role::Latency));
    let is_tried = |format: &LogFormat| match forced {
        Some(forced) => forced == *format,
        None => format.0.reads_fields || !is_mapped,
    };
    let trials = LogFormat::all().filter(is_tried);
    let trials: Vec<Trial> = trials.map(|format| Trial::new(sample, rules(format, forced, input))).collect();
    // Of equals the first.
    let best = trials.iter().rev().max_by_key(|trial| trial.understood);
    match best {
        Some(best) if best.understood > 0 => {
            let format = best.rules.format;
            let is_unclear = forced.is_none() && input.latency_unit.is_none();
            match best.line_with_unclear_unit.filter(|_| is_unclear) {
                Some(line) => Choice::Problem { line, problem: no_log(Some(format), LogProblem::Unit) },
                None => log(&best.rules),
            }
        }
        _ => nothing_understood(sample, forced, input, &trials, log),
    }
}

/// nginx and Apache are distinguished by their own habits, not by the unit that is asked for.
fn rules(format: LogFormat, forced: Option<LogFormat>, input: &Input) -> Rules {
    let is_by_habit = forced.is_none() && format.name() == "nginx";
    Rules {
        format,
        unit: if is_by_habit { None } else { input.latency_unit },
        fields: input.fields(),
        is_guessed: forced.is_none(),
    }
}

fn log(rules: &Rules, input: &Input, longest: i64, routing: Option<&Arc<dyn Routing>>) -> Choice {
    let rules = Rules { unit: input.latency_unit, ..rules.clone() };
    Choice::Log(Box::new(Log::new(LineReader::new(rules, input.paths.clone(), routing.cloned()), longest)))
}

/// The sample as it is read by one format.
struct Trial {
    rules: Rules,
    /// Lines that are calls.
    understood: usize,
    /// The problem of the first line that is none.
    first: Option<(u64, LogProblem)>,
    /// The first line whose unit is not clear, if none of the sample makes it clear.
    line_with_unclear_unit: Option<u64>,
}

impl Trial {
    fn new(sample: &[Line], rules: Rules) -> Self {
        let mut reader = LineReader::new(rules.clone(), PathFilter::default(), None);
        let mut trial = Self { rules, understood: 0, first: None, line_with_unclear_unit: None };
        let mut is_clear = false;
        for line in sample {
            match reader.read(line) {
                Ok(Understood::Call(call)) => {
                    trial.understood += 1;
                    is_clear |= !call.is_unit_unclear;
                    trial.line_with_unclear_unit = trial.line_with_unclear_unit.or(Some(line.number()));
                }
                Ok(_) => {}
                Err(problem) => trial.first = trial.first.or(Some((line.number(), problem))),
            }
        }
        trial.line_with_unclear_unit = trial.line_with_unclear_unit.filter(|_| !is_clear);
        trial
    }
}

fn nothing_understood(
    sample: &[Line],
    forced: Option<LogFormat>,
    input: &Input,
    trials: &[Trial],
    log: impl Fn(&Rules) -> Choice,
) -> Choice {
    let Some(first) = sample.first() else {
        return trials.first().filter(|_| forced.is_some()).map_or(Choice::NoLog, |trial| log(&trial.rules));
    };
    let of = |name: &str| trials.iter().find(|trial| trial.rules.format.name() == name).and_then(|trial| trial.first);
    let text = first.text();
    let likely = match text {
        _ if forced.is_some() => trials.first().and_then(|trial| trial.first),
        [b'{', ..] => of("json-fields"),
        [b'[', ..] if text.contains(&b'"') => of("envoy"),
        _ if text.contains(&b'[') && text.contains(&b'"') => of("nginx"),
        _ if input.fields().is_empty() => None,
        _ if text.contains(&b'=') => of("logfmt"),
        _ if text.contains(&b'\t') => of("ltsv"),
        _ if text.contains(&b',') => of("csv-fields"),
        _ => of("text"),
    };
    match likely {
        Some((line, problem)) => Choice::Problem { line, problem: no_log(forced, problem) },
        None => Choice::NoLog,
    }
}

fn no_log(format: Option<LogFormat>, problem: LogProblem) -> LineProblem {
    LineProblem::Log { format, problem }
}
