//! The records of the input in their order, whichever way they are written.

use std::collections::VecDeque;
use std::io::BufRead;

use memchr::memmem;

use super::access_log::{self, Choice, Log, LogProblem, LogReport};
use super::csv::Csv;
use super::error::{LineProblem, ReplayError};
use super::format::{Format, Input};
use super::json;
use super::lines::{Line, Lines};
use super::names::{Names, Warning, has_known_name};
use super::origin::{OriginTracker, Placed};
use super::record::{Parsed, Record};
use super::unusable::Usage;

/// So much of the first line says whether it is text.
const MAX_JUDGED_BYTES: usize = 512;

/// Reads one record after the other. Of JSON lines and CSV no more than a few records are held; of an access log the calls
/// of as long a period of time as its lines may be out of order.
#[derive(Debug)]
pub(super) struct Records<R> {
    lines: Lines<R>,
    input: Input,
    /// The longest call, in nanoseconds, that may come out of order.
    longest: i64,
    source: Source,
    names: Names,
    usage: Usage,
    origin: OriginTracker<(u64, Record)>,
    placed: VecDeque<Placed<(u64, Record)>>,
    newest_at: Option<i64>,
    /// The first line that cannot be used.
    first_problem: Option<(u64, LineProblem)>,
    has_ended: bool,
}

#[derive(Debug)]
enum Source {
    /// Nothing has been read.
    Unknown,
    JsonLines,
    /// Its header comes first.
    NewCsv,
    Csv(Box<Csv>),
    Log(Box<Log>),
}

impl<R: BufRead> Records<R> {
    /// Records of `input`; `longest` is the longest call, in nanoseconds, for which the lines of a log are put in order.
    pub(super) fn with_format(lines: R, input: Input, longest: i64) -> Self {
        Self {
            lines: Lines::new(lines),
            input,
            longest,
            source: Source::Unknown,
            names: Names::default(),
            usage: Usage::default(),
            origin: OriginTracker::new(0),
            placed: VecDeque::new(),
            newest_at: None,
            first_problem: None,
            has_ended: false,
        }
    }

    /// The next record, which is not earlier than the one before it; `None` at the end of the input.
    pub(super) fn next(&mut self) -> Result<Option<Record>, ReplayError> {
        self.begin()?;
        if let Source::Log(log) = &mut self.source {
            return log.next(&mut self.lines, &mut self.usage);
        }
        loop {
            if let Some(record) = self.next_placed() {
                return Ok(Some(record));
            }
            if self.has_ended {
                return self.end();
            }
            if self.lines.advance()? {
                self.take_line()?;
            } else {
                self.origin.end(&mut self.placed);
                self.has_ended = true;
            }
        }
    }

    /// Finds out how the input is written, without reading more than its first lines.
    ///
    /// # Errors
    /// Those of an input of which nothing can be used.
    pub(super) fn begin(&mut self) -> Result<(), ReplayError> {
        if matches!(self.source, Source::Unknown) {
            self.source = self.chosen()?;
        }
        Ok(())
    }

    pub(super) fn take_warnings(&mut self) -> Vec<Warning> {
        self.names.take_warnings()
    }

    /// How many lines were used, and why others were not.
    pub(super) fn usage(&self) -> Usage {
        let mut usage = self.usage.clone();
        usage.nul_bytes = self.lines.nul_bytes();
        if !matches!(self.source, Source::Log(_)) {
            usage.origin_changes = self.origin.changes();
        }
        usage
    }

    /// The report on an access log; `None` where the input is not one.
    pub(super) fn log_report(&self) -> Option<LogReport> {
        match &self.source {
            Source::Log(log) => Some(log.report()),
            _ => None,
        }
    }

    fn chosen(&mut self) -> Result<Source, ReplayError> {
        let forced = match self.input.format {
            Format::Json => return Ok(Source::JsonLines),
            Format::Csv => return Ok(Source::NewCsv),
            Format::Auto => None,
            Format::Log(format) => Some(format),
        };
        let sample = self.lines.look_ahead(access_log::SAMPLE_LINES)?;
        let first = sample.first().map_or(&b"{"[..], Line::text);
        let is_json = first.first() == Some(&b'{');
        if forced.is_none() && self.input.field_mappings.is_empty() {
            if sample.is_empty() || is_json && memmem::find(first, b"\"at_ms\"").is_some() {
                return Ok(Source::JsonLines);
            }
            if !is_json && first.split(|byte| *byte == b',').any(|name| name.trim_ascii() == b"at_ms") {
                return Ok(Source::NewCsv);
            }
        }
        match access_log::choose(sample, forced, &self.input, self.longest, None) {
            Choice::Log(log) => Ok(Source::Log(log)),
            Choice::Problem { problem, .. }
                if forced.is_none() && is_json && !is_about_unit(&problem) && has_known_name(first) =>
            {
                Ok(Source::JsonLines)
            }
            Choice::NoLog | Choice::Problem { .. } if forced.is_none() && is_binary(first) => {
                let line = sample.first().map_or(1, Line::number);
                Err(ReplayError::Line { line, problem: LineProblem::Binary, warnings: Vec::new() })
            }
            Choice::NoLog => Ok(Source::NewCsv),
            Choice::Problem { line, problem } => Err(ReplayError::Line { line, problem, warnings: Vec::new() }),
        }
    }

    fn take_line(&mut self) -> Result<(), ReplayError> {
        let is_header = matches!(self.source, Source::NewCsv);
        let number = self.lines.line().number();
        let parsed = self.parse_line();
        self.names.end_line(number);
        match parsed {
            Ok(Some(Parsed::Record(record))) => {
                self.usage.lines += 1;
                self.origin.take(record.at, (number, record), &mut self.placed);
            }
            Ok(Some(Parsed::Excluded)) => {
                self.usage.lines += 1;
                self.usage.excluded += 1;
            }
            // The header.
            Ok(None) => {}
            Err(problem) if is_header => {
                return Err(ReplayError::Line { line: number, problem, warnings: self.names.take_warnings() });
            }
            Err(problem) => {
                self.usage.lines += 1;
                self.pass_over(number, problem);
            }
        }
        Ok(())
    }

    fn pass_over(&mut self, line: u64, problem: LineProblem) {
        self.usage.unusable.add(line, problem.as_str(), &problem);
        if self.first_problem.is_none() {
            self.first_problem = Some((line, problem));
        }
    }

    fn next_placed(&mut self) -> Option<Record> {
        while let Some(Placed { item: (line, mut record), shift, is_stray }) = self.placed.pop_front() {
            record.at = record.at.saturating_add(shift);
            let problem = if is_stray { Some(LineProblem::StrayTime) } else { record.backwards(self.newest_at) };
            if let Some(problem) = problem {
                self.pass_over(line, problem);
                continue;
            }
            self.newest_at = Some(record.at);
            return Some(record);
        }
        None
    }

    /// An input of which no line can be used is an error.
    fn end(&mut self) -> Result<Option<Record>, ReplayError> {
        match self.first_problem.take().filter(|_| self.newest_at.is_none()) {
            Some((line, problem)) => Err(ReplayError::Line { line, problem, warnings: self.names.take_warnings() }),
            None => Ok(None),
        }
    }

    /// The record of the line; `None` where it is the header of those that follow.
    fn parse_line(&mut self) -> Result<Option<Parsed>, LineProblem> {
        let (line, names, paths) = (self.lines.line(), &mut self.names, &self.input.paths);
        if line.is_too_long() {
            return Err(LineProblem::TooLong);
        }
        let text = line.text();
        match &mut self.source {
            Source::NewCsv => {
                self.source = Source::Csv(Box::new(Csv::new(text, names)?));
                Ok(None)
            }
            // Files that were put one behind the other have the header again.
            Source::Csv(csv) if csv.is_header(text) => Ok(None),
            Source::Csv(csv) => csv.parse(text, paths).map(Some),
            _ => json::parse(text, names, paths).map(Some),
        }
    }
}

/// Everything else of the log was understood.
const fn is_about_unit(problem: &LineProblem) -> bool {
    matches!(problem, LineProblem::Log { problem: LogProblem::Unit, .. })
}

/// Whether a line has bytes that no text has; NUL bytes separate lines, and an escape may colour one.
fn is_binary(line: &[u8]) -> bool {
    line.iter().take(MAX_JUDGED_BYTES).any(|byte| matches!(byte, 1..=8 | 0x0e..=0x1a | 0x1c..=0x1f))
}
