//! The lines of the input, one at a time, none longer than a limit.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use memchr::memchr3;

use super::error::{LineProblem, ReplayError};
use super::limits::{MAX_LINE_BYTES, MAX_NUL_RUN};
use super::nul_bytes::leading_nul_bytes;

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Reads lines that end with LF, CR LF or CR; blank ones are passed over. NUL bytes end a line too (a log that was cut off and
/// written on has a hole of them), and are counted.
#[derive(Debug)]
pub(super) struct Lines<R> {
    input: R,
    /// How many line ends were read.
    ended: u64,
    /// The byte that was read last is a CR: a LF belongs to it.
    is_after_return: bool,
    /// The rest of the line that was read last is still in the input: it was too long.
    is_inside_line: bool,
    /// NUL bytes in a row that were just read.
    nul_run: u64,
    nul_bytes: u64,
    line: Line,
    /// Lines that were looked at before their turn.
    ahead: VecDeque<Line>,
}

/// One line that is not blank.
#[derive(Debug, Default)]
pub(super) struct Line {
    number: u64,
    bytes: Vec<u8>,
    /// The input ends without a line end.
    is_cut_off: bool,
}

impl Line {
    /// The line, without white space around it; of one that is too long only its beginning.
    pub(super) fn text(&self) -> &[u8] {
        let bytes = &*self.bytes;
        let bytes = if self.number == 1 { bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes) } else { bytes };
        bytes.trim_ascii()
    }

    /// All of the line.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The number of the line, counted from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Whether the input ended before the line did.
    pub(super) fn is_cut_off(&self) -> bool {
        self.is_cut_off
    }

    pub(super) fn is_too_long(&self) -> bool {
        self.bytes.len() > MAX_LINE_BYTES
    }
}

/// How a part of the input ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Line,
    Nul,
    Input,
    /// The line goes on, but is too long to be kept.
    Limit,
}

impl<R: BufRead> Lines<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            ended: 0,
            is_after_return: false,
            is_inside_line: false,
            nul_run: 0,
            nul_bytes: 0,
            line: Line::default(),
            ahead: VecDeque::new(),
        }
    }

    /// The input, for one that gets more bytes after its end was reached between two lines.
    pub(super) fn input_mut(&mut self) -> &mut R {
        &mut self.input
    }

    /// NUL bytes that were passed over.
    pub(super) fn nul_bytes(&self) -> u64 {
        self.nul_bytes
    }

    /// Goes to the next line that is not blank; false at the end of the input. The line may be too long.
    pub(super) fn advance(&mut self) -> Result<bool, ReplayError> {
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

    /// Passes over the lines that were looked at.
    pub(super) fn drop_ahead(&mut self) {
        self.ahead.clear();
    }

    /// The line in hand.
    pub(super) fn line(&self) -> &Line {
        &self.line
    }

    fn read_into(&mut self, line: &mut Line) -> Result<bool, ReplayError> {
        if std::mem::take(&mut self.is_inside_line) {
            while self.read_part(&mut None)? == End::Limit {}
        }
        loop {
            line.bytes.clear();
            line.number = self.ended.saturating_add(1);
            let end = self.read_part(&mut Some(&mut line.bytes))?;
            self.is_inside_line = end == End::Limit;
            line.is_cut_off = end == End::Input;
            if line.is_too_long() || !line.text().is_empty() {
                return Ok(true);
            }
            if end == End::Input {
                return Ok(false);
            }
        }
    }

    /// Reads up to the next end, and keeps what stands before it.
    fn read_part(&mut self, kept: &mut Option<&mut Vec<u8>>) -> Result<End, ReplayError> {
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ReplayError::Read(error)),
            };
            if buffer.is_empty() {
                return Ok(End::Input);
            }
            if std::mem::take(&mut self.is_after_return) && buffer.first() == Some(&b'\n') {
                self.input.consume(1);
                continue;
            }
            if buffer.first() == Some(&0) {
                let run = leading_nul_bytes(buffer);
                self.input.consume(run);
                return self.pass_nul(run as u64);
            }
            let end = memchr3(b'\n', b'\r', 0, buffer);
            let part = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
            let ending = end.and_then(|end| buffer.get(end)).copied();
            if !part.is_empty() {
                self.nul_run = 0;
            }
            let mut taken = part.len();
            let mut is_full = false;
            if let Some(kept) = kept {
                let room = (MAX_LINE_BYTES + 1).saturating_sub(kept.len());
                taken = taken.min(room);
                kept.extend_from_slice(part.get(..taken).unwrap_or_default());
                is_full = kept.len() > MAX_LINE_BYTES && ending.is_none_or(|_| taken < part.len());
            }
            if is_full {
                self.input.consume(taken);
                return Ok(End::Limit);
            }
            self.input.consume(taken + usize::from(ending.is_some()));
            match ending {
                None => {}
                Some(0) => return self.pass_nul(1),
                Some(byte) => {
                    self.nul_run = 0;
                    self.is_after_return = byte == b'\r';
                    self.ended = self.ended.saturating_add(1);
                    return Ok(End::Line);
                }
            }
        }
    }

    fn pass_nul(&mut self, count: u64) -> Result<End, ReplayError> {
        self.nul_bytes += count;
        self.nul_run += count;
        if self.nul_run > MAX_NUL_RUN {
            let line = self.ended.saturating_add(1);
            return Err(ReplayError::Line { line, problem: LineProblem::NothingButNul, warnings: Vec::new() });
        }
        Ok(End::Nul)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(input: &[u8], chunk: usize) -> (Vec<(u64, Vec<u8>)>, u64) {
        let mut lines = Lines::new(io::BufReader::with_capacity(chunk, input));
        let mut found = Vec::new();
        while lines.advance().unwrap() {
            found.push((lines.line().number(), lines.line().text().to_vec()));
        }
        (found, lines.nul_bytes())
    }

    #[test]
    fn lines_end_with_any_line_end_and_at_nul_bytes() {
        let expected = vec![(1, b"a".to_vec()), (3, b"b".to_vec()), (4, b"c".to_vec())];
        for (input, nul_bytes) in [
            ("a\n\nb\nc", 0),
            ("a\r\n\r\nb\r\nc\r\n", 0),
            ("a\r\rb\rc\r", 0),
            ("\0\0\0a\n\nb\0\nc", 4),
            ("\u{feff}a\n\nb\nc\0", 1),
        ] {
            for chunk in 1..8 {
                let found = lines(input.as_bytes(), chunk);
                assert_eq!(found, (expected.clone(), nul_bytes), "{input:?}");
            }
        }
        assert_eq!(lines(b"a\0b\nc", 3).0.len(), 3);
    }

    proptest! {
        #[test]
        fn chunks_do_not_matter(input in "[ab\n\r\0 ]{0,60}", chunk in 1_usize..20) {
            prop_assert_eq!(lines(input.as_bytes(), chunk), lines(input.as_bytes(), 1_000));
        }
    }
}
