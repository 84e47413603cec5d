//! Access logs of nginx, Apache and Envoy: each line is a call, with the time that it took and what came of it.
//!
//! Lines that cannot be used are passed over and counted, because a log of a million lines has some. What the module page of
//! [`replay`](super) says of logs is done here.

use std::io::BufRead;
use std::num::NonZeroU8;

use tripline_runtime::core::Outcome;

mod combined;
mod detect;
mod envoy;
mod fields;
mod number;
mod order;
mod outcome;
mod problem;
mod time;

use super::error::ReplayError;
use super::format::{LatencyUnit, LogFormat};
use super::lines::{Line, Lines};
use super::record::Record;
pub(super) use detect::{Choice, SAMPLE_LINES, choose};
use number::Decimal;
use order::{Order, Stamped};
pub use problem::LogProblem;
use time::Stamp;

/// What there is to tell of an access log that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogReport {
    /// How it was read.
    pub format: LogFormat,
    /// Whether that was found out from its first lines.
    pub is_guessed: bool,
    /// What request times without a unit of their own were counted in, if it was said or is always so; `None`: fractions
    /// were seconds, and whole numbers microseconds.
    pub latency_unit: Option<LatencyUnit>,
    /// Lines, without blank ones.
    pub lines: u64,
    /// Lines that were not used.
    pub unused: u64,
    /// The number of the first of them, counted from 1, and why it was not used.
    pub first_unused: Option<(u64, LogProblem)>,
    /// Calls whose lines came more than a minute too late for their place, and were put where the input had got to.
    pub late: u64,
    /// The most calls that were held at once to put them in order.
    pub most_held: usize,
}

/// How the lines are to be read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rules {
    format: LogFormat,
    unit: Option<LatencyUnit>,
    field: Option<NonZeroU8>,
    is_guessed: bool,
}

/// What a line says of a call.
#[derive(Debug, Clone, Copy)]
struct Finished {
    stamp: Stamp,
    /// In nanoseconds.
    latency: i64,
    outcome: Outcome,
    /// The latency as it stands in the line.
    written: Decimal,
}

/// A log that is being read.
#[derive(Debug)]
pub(super) struct Log {
    rules: Rules,
    order: Order,
    lines: u64,
    unused: u64,
    first_unused: Option<(u64, LogProblem)>,
}

impl Log {
    /// `longest` is the longest call, in nanoseconds, for which the lines are put in order.
    pub(super) fn new(rules: Rules, longest: i64) -> Self {
        let stamped = match rules.format {
            LogFormat::Nginx => Stamped::AtEnd,
            LogFormat::Apache | LogFormat::Envoy => Stamped::AtStart,
        };
        Self { rules, order: Order::new(stamped, longest), lines: 0, unused: 0, first_unused: None }
    }

    /// The next call; `None` at the end of the input.
    pub(super) fn next(&mut self, lines: &mut Lines<impl BufRead>) -> Result<Option<Record>, ReplayError> {
        loop {
            if let Some(record) = self.order.give() {
                return Ok(Some(record));
            }
            if !lines.advance_to_any()? {
                self.order.end_input();
                return Ok(self.order.give());
            }
            self.take(lines.line());
        }
    }

    fn take(&mut self, line: &Line) {
        self.lines += 1;
        match parse(line, &self.rules) {
            Ok(call) => self.order.take(call),
            Err(problem) => {
                self.unused += 1;
                self.first_unused = self.first_unused.or(Some((line.number(), problem)));
            }
        }
    }

    pub(super) fn report(&self) -> LogReport {
        let always = match self.rules.format {
            LogFormat::Nginx => Some(LatencyUnit::Seconds),
            LogFormat::Apache => None,
            LogFormat::Envoy => Some(LatencyUnit::Millis),
        };
        LogReport {
            format: self.rules.format,
            is_guessed: self.rules.is_guessed,
            latency_unit: self.rules.unit.or(always),
            lines: self.lines,
            unused: self.unused,
            first_unused: self.first_unused,
            late: self.order.late,
            most_held: self.order.most_held,
        }
    }
}

fn parse(line: &Line, rules: &Rules) -> Result<Finished, LogProblem> {
    if line.is_too_long() {
        return Err(LogProblem::TooLong);
    }
    match rules.format {
        LogFormat::Nginx | LogFormat::Apache => combined::parse(line.text(), rules),
        LogFormat::Envoy => envoy::parse(line.text(), rules),
    }
}
