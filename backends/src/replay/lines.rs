//! The lines of the input, one at a time, none longer than a limit.

use std::collections::VecDeque;
use std::io::{BufRead, Read as _};

use super::MAX_LINE_BYTES;
use super::error::{LineProblem, ReplayError};
use super::names::Warning;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads lines; both kinds of line ends are understood, and blank lines are passed over.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    /// How many lines were read.
    read: u64,
    /// The rest of the line that was read last is still in the input: it was too long.
    is_inside_line: bool,
    line: Line,
    /// Lines that were looked at before their turn.
    ahead: VecDeque<Line>,
}

/// One line that is not blank.
#[derive(Debug, Default)]
pub(super) struct Line {
    number: u64,
    bytes: Vec<u8>,
}

impl Line {
    /// The line, without white space around it; of one that is too long only its beginning.
    pub(super) fn text(&self) -> &[u8] {
        let bytes = &*self.bytes;
        let bytes = if self.number == 1 { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes) } else { bytes };
        bytes.trim_ascii()
    }

    /// The number of the line, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.bytes.len() > MAX_LINE_BYTES
    }
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, read: 0, is_inside_line: false, line: Line::default(), ahead: VecDeque::new() }
    }

    /// Goes to the next line that is not blank; false at the end of the input.
    pub(super) fn advance(&mut self) -> Result<bool, ReplayError> {
        let advanced = self.advance_to_any()?;
        if advanced && self.line.is_too_long() {
            return Err(self.problem(LineProblem::TooLong, Vec::new()));
        }
        Ok(advanced)
    }

    /// As [`Lines::advance`], but a line may be too long.
    pub(super) fn advance_to_any(&mut self) -> Result<bool, ReplayError> {
        if let Some(line) = self.ahead.pop_front() {
            self.line = line;
            return Ok(true);
        }
        let mut line = std::mem::take(&mut self.line);
        let found = self.read_into(&mut line);
        self.line = line;
        found
    }

    /// The next lines, which keep their turn: at most `count`, and none after one that is too long.
    pub(super) fn look_ahead(&mut self, count: usize) -> Result<&[Line], ReplayError> {
        while self.ahead.len() < count && !self.ahead.back().is_some_and(Line::is_too_long) {
            let mut line = Line::default();
            if !self.read_into(&mut line)? {
                break;
            }
            self.ahead.push_back(line);
        }
        Ok(self.ahead.make_contiguous())
    }

    fn read_into(&mut self, line: &mut Line) -> Result<bool, ReplayError> {
        if std::mem::take(&mut self.is_inside_line) {
            self.input.skip_until(b'\n').map_err(ReplayError::Read)?;
        }
        loop {
            line.bytes.clear();
            let limit = MAX_LINE_BYTES as u64 + 1;
            let read = self.input.by_ref().take(limit).read_until(b'\n', &mut line.bytes).map_err(ReplayError::Read)?;
            if read == 0 {
                return Ok(false);
            }
            self.read = self.read.saturating_add(1);
            line.number = self.read;
            self.is_inside_line = line.is_too_long() && line.bytes.last() != Some(&b'\n');
            if line.is_too_long() || !line.text().is_empty() {
                return Ok(true);
            }
        }
    }

    /// The line in hand.
    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    /// The error that this line has a problem.
    pub(super) fn problem(&self, problem: LineProblem, warnings: Vec<Warning>) -> ReplayError {
        ReplayError::Line { line: self.line.number, problem, warnings }
    }
}
