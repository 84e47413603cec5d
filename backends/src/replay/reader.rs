//! The records of the input in their order, whichever way they are written.

use std::io::BufRead;

use super::csv::Csv;
use super::error::ReplayError;
use super::json;
use super::lines::Lines;
use super::record::Record;

/// Reads one record after the other; no more than a line is held.
#[derive(Debug)]
pub(super) struct Records<R> {
    lines: Lines<R>,
    format: Option<Format>,
    newest_at: Option<i64>,
}

#[derive(Debug)]
enum Format {
    JsonLines,
    Csv(Box<Csv>),
}

impl<R: BufRead> Records<R> {
    pub(super) fn new(input: R) -> Self {
        Self { lines: Lines::new(input), format: None, newest_at: None }
    }

    /// The next record, which is not earlier than the one before it; `None` at the end of the input.
    pub(super) fn next(&mut self) -> Result<Option<Record>, ReplayError> {
        if !self.lines.advance()? {
            return Ok(None);
        }
        let parsed = match &mut self.format {
            Some(Format::JsonLines) => json::parse(self.lines.text()),
            Some(Format::Csv(csv)) => csv.parse(self.lines.text()),
            None => return self.detect(),
        };
        let record = parsed.and_then(|record| record.not_before(self.newest_at));
        let record = record.map_err(|problem| self.lines.problem(problem))?;
        self.newest_at = Some(record.at);
        Ok(Some(record))
    }

    /// Takes the first line: a record, or the header of those that follow.
    fn detect(&mut self) -> Result<Option<Record>, ReplayError> {
        if self.lines.text().first() == Some(&b'{') {
            self.format = Some(Format::JsonLines);
            let record = json::parse(self.lines.text()).map_err(|problem| self.lines.problem(problem))?;
            self.newest_at = Some(record.at);
            return Ok(Some(record));
        }
        let csv = Csv::new(self.lines.text()).map_err(|problem| self.lines.problem(problem))?;
        self.format = Some(Format::Csv(Box::new(csv)));
        self.next()
    }
}
