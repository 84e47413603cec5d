//! Notes beside the output: how the input was read, and which lines were not usable.

use tripline_runtime::core::Latency;

use super::super::{CliError, eprint_line};
use super::input::InputArgs;
use crate::replay::{InputReport, LogReport, ReplayError, Warning};

/// Maximum share of unusable lines in a log, from 0 to 1. Above it the result cannot be trusted.
const MAX_UNREADABLE_SHARE: f64 = 0.5;

/// Warns if no call can be slow because of `--max-latency`.
pub(super) fn warn_of_limit(args: &InputArgs, setting: &str, threshold: Latency) {
    if args.max_latency < f64::from(threshold.as_micros()) / 1e6 {
        let (limit, millis) = (args.max_latency, threshold.as_millis_f64());
        eprint_line(format!(
            "--max-latency {limit} is below latency_threshold = {millis} (ms) of {setting}: no call can be slow"
        ));
    }
}

/// The error for an input that ended early.
pub(in crate::cli) fn unreadable(name: &str, error: &ReplayError) -> CliError {
    if let ReplayError::Line { warnings, .. } = error {
        note_each(name, warnings);
    }
    CliError::during(name, error)
}

/// Whether the result can be trusted, given the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Trust {
    /// The input was readable.
    Trusted,
    /// A recording in JSON lines or CSV has unusable lines: exit code 1, as without a result.
    BadLines,
    /// Too many lines of a log are unusable, or none contains the paths that the arguments ask for: exit code 3.
    Doubtful,
}

impl Trust {
    pub(in crate::cli) fn of(report: &InputReport) -> Self {
        let usage = &report.usage;
        if report.log.is_none() && usage.unusable.total() > 0 {
            Self::BadLines
        } else if usage.unreadable_share() > MAX_UNREADABLE_SHARE
            || usage.without_path > 0 && usage.without_path + usage.unusable.total() == usage.lines
        {
            Self::Doubtful
        } else {
            Self::Trusted
        }
    }

    /// The less trusted of two results.
    pub(in crate::cli) fn and(self, other: Self) -> Self {
        if self.exit_code() < other.exit_code() { other } else { self }
    }

    pub(in crate::cli) const fn exit_code(self) -> u8 {
        match self {
            Self::Trusted => 0,
            Self::BadLines => 1,
            Self::Doubtful => 3,
        }
    }
}

/// Prints notes about the input that the output does not contain.
pub(in crate::cli) fn print_notes(report: &InputReport, name: &str, args: &InputArgs) {
    note_each(name, &report.warnings);
    if let Some(log) = &report.log {
        note_log(name, log, args.latency_unit.is_some());
    }
    for text in report.usage.notes() {
        eprint_line(format!("{name}: {text}"));
    }
    if report.log.is_none() && report.records > 0 && args.describes_a_log() {
        eprint_line(format!(
            "{name}: --latency-unit and --latency-field mean nothing here; JSON and CSV have milliseconds, in latency_ms"
        ));
    }
    if report.records == 0 {
        eprint_line(format!("{name}: there are no records in the input"));
    }
    let (calls, count) = if report.shortened == 1 { ("call", "it counts") } else { ("calls", "they count") };
    if report.shortened > 0 {
        eprint_line(format!(
            "{} {calls} took longer than --max-latency {}; {count} as started that long before the end",
            report.shortened, args.max_latency
        ));
    }
    if report.started_late > 0 {
        let calls = report.started_late;
        eprint_line(format!("{calls} calls count as started later than they were, because too many are held at once"));
    }
    if Trust::of(report) == Trust::Doubtful {
        eprint_line(format!(
            "{name}: the result cannot be trusted, because too few lines of the input could be used (exit code 3)"
        ));
    }
}

fn note_each(name: &str, warnings: &[Warning]) {
    for warning in warnings {
        eprint_line(format!("{name}: {warning}"));
    }
}

/// Prints the guesses about an access log, and the order of its lines.
fn note_log(name: &str, log: &LogReport, with_unit: bool) {
    if log.is_guessed || !with_unit && log.latency_unit.is_none() {
        let unit = match log.latency_unit {
            Some(unit) => format!("request times are {unit}"),
            None if log.format.name() == "apache" => {
                "request times that are whole numbers are microseconds, others seconds (else: --latency-unit)".into()
            }
            None => {
                "request times have their units, or are seconds where they are fractions (else: --latency-unit)".into()
            }
        };
        let end = if log.is_stamped_at_end { "ended" } else { "started" };
        let format = log.format;
        eprint_line(format!(
            "{name}: read as an access log of {format}: {unit}, the time of a line is when the call {end}"
        ));
    }
    if log.late > 0 {
        let late = log.late;
        let (come, their, were) =
            if late == 1 { ("call comes", "its", "was") } else { ("calls come", "their", "were") };
        eprint_line(format!(
            "{name}: {late} {come} more than a minute after {their} place in the order of time, and {were} put where the log had got \
             to; sort the log, or name files in the order of time"
        ));
    }
}
