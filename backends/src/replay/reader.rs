//! The records of the input in their order, whichever way they are written.

use std::io::BufRead;

use super::access_log::{self, Choice, Log, LogReport};
use super::csv::Csv;
use super::error::{LineProblem, ReplayError};
use super::format::{Format, Input};
use super::json;
use super::lines::Lines;
use super::names::{Names, Warning};
use super::record::Record;

/// Reads one record after the other. Of JSON lines and CSV no more than a line is held; of an access log the calls of as
/// long a stretch of time as its lines may be out of order.
#[derive(Debug)]
pub(super) struct Records<R> {
    lines: Lines<R>,
    input: Input,
    /// The longest call, in nanoseconds, that may come out of order.
    longest: i64,
    source: Source,
    names: Names,
    newest_at: Option<i64>,
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
            newest_at: None,
        }
    }

    /// The next record, which is not earlier than the one before it; `None` at the end of the input.
    pub(super) fn next(&mut self) -> Result<Option<Record>, ReplayError> {
        if matches!(self.source, Source::Unknown) {
            self.source = self.begin()?;
        }
        if let Source::Log(log) = &mut self.source {
            return log.next(&mut self.lines);
        }
        while self.lines.advance()? {
            let parsed = self.parse_line();
            self.names.end_line(self.lines.line().number());
            match parsed {
                Ok(Some(record)) => {
                    self.newest_at = Some(record.at);
                    return Ok(Some(record));
                }
                // The header.
                Ok(None) => {}
                Err(problem) => return Err(self.lines.problem(problem, self.names.take_warnings())),
            }
        }
        Ok(None)
    }

    pub(super) fn take_warnings(&mut self) -> Vec<Warning> {
        self.names.take_warnings()
    }

    /// What there is to tell of an access log; `None` where the input is none.
    pub(super) fn log_report(&self) -> Option<LogReport> {
        match &self.source {
            Source::Log(log) => Some(log.report()),
            _ => None,
        }
    }

    fn begin(&mut self) -> Result<Source, ReplayError> {
        let format = match self.input.format {
            Format::Json => return Ok(Source::JsonLines),
            Format::Csv => return Ok(Source::NewCsv),
            Format::Auto => {
                let first = self.lines.look_ahead(1)?.first();
                if first.is_none_or(|line| line.text().first() == Some(&b'{')) {
                    return Ok(Source::JsonLines);
                }
                None
            }
            Format::Log(format) => Some(format),
        };
        let sample = self.lines.look_ahead(access_log::SAMPLE_LINES)?;
        match access_log::choose(sample, format, self.input) {
            Choice::Log(rules) => Ok(Source::Log(Box::new(Log::new(rules, self.longest)))),
            Choice::NoLog => Ok(Source::NewCsv),
            Choice::Problem { line, problem } => Err(ReplayError::Line { line, problem, warnings: Vec::new() }),
        }
    }

    /// The record of the line; `None` where it is the header of those that follow.
    fn parse_line(&mut self) -> Result<Option<Record>, LineProblem> {
        let (text, names) = (self.lines.line().text(), &mut self.names);
        let record = match &mut self.source {
            Source::NewCsv => {
                self.source = Source::Csv(Box::new(Csv::new(text, names)?));
                return Ok(None);
            }
            Source::Csv(csv) => csv.parse(text)?,
            _ => json::parse(text, names)?,
        };
        record.not_before(self.newest_at).map(Some)
    }
}
