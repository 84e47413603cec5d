//! The records of the input in their order, whichever way they are written.

use std::io::BufRead;

use super::csv::Csv;
use super::error::{LineProblem, ReplayError};
use super::json;
use super::lines::Lines;
use super::names::{Names, Warning};
use super::record::Record;

/// Reads one record after the other; no more than a line is held.
#[derive(Debug)]
pub(super) struct Records<R> {
    lines: Lines<R>,
    format: Format,
    names: Names,
    newest_at: Option<i64>,
}

#[derive(Debug)]
enum Format {
    /// Nothing has been read.
    Unknown,
    JsonLines,
    Csv(Box<Csv>),
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Self { lines: Lines::new(input), format: Format::Unknown, names: Names::default(), newest_at: None }
    }

    /// The next record, which is not earlier than the one before it; `None` at the end of the input.
    pub(super) fn next(&mut self) -> Result<Option<Record>, ReplayError> {
        while self.lines.advance()? {
            let parsed = self.parse_line();
            self.names.end_line(self.lines.number());
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

    /// The record of the line; `None` where it is the header of those that follow.
    fn parse_line(&mut self) -> Result<Option<Record>, LineProblem> {
        let (text, names) = (self.lines.text(), &mut self.names);
        if matches!(self.format, Format::Unknown) {
            if text.first() != Some(&b'{') {
                self.format = Format::Csv(Box::new(Csv::new(text, names)?));
                return Ok(None);
            }
            self.format = Format::JsonLines;
        }
        let record = match &mut self.format {
            Format::Csv(csv) => csv.parse(text)?,
            Format::JsonLines | Format::Unknown => json::parse(text, names)?,
        };
        record.not_before(self.newest_at).map(Some)
    }
}
