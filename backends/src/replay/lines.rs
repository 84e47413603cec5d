//! The lines of the input, one at a time, none longer than a limit.

use std::io::{BufRead, Read as _};

use super::MAX_LINE_BYTES;
use super::error::{LineProblem, ReplayError};
use super::names::Warning;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads lines; both kinds of line ends are understood, and blank lines are passed over.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, line: Vec::new(), number: 0 }
    }

    /// Goes to the next line that is not blank; false at the end of the input.
    pub(super) fn advance(&mut self) -> Result<bool, ReplayError> {
        loop {
            self.line.clear();
            let limit = MAX_LINE_BYTES as u64 + 1;
            let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.line).map_err(ReplayError::Read)?;
            if read == 0 {
                return Ok(false);
            }
            self.number = self.number.saturating_add(1);
            if self.line.len() > MAX_LINE_BYTES {
                return Err(self.problem(LineProblem::TooLong, Vec::new()));
            }
            if !self.text().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The line, without white space around it.
    pub(super) fn text(&self) -> &[u8] {
        let line = &*self.line;
        let line = if self.number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        line.trim_ascii()
    }

    /// The number of the line, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The error that this line has a problem.
    pub(super) fn problem(&self, problem: LineProblem, warnings: Vec<Warning>) -> ReplayError {
        ReplayError::Line { line: self.number, problem, warnings }
    }
}
