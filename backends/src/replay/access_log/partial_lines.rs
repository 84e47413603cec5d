//! Long lines that a container runtime wrote in parts: `TIME stdout P beginning`, then `TIME stdout F rest`.

use super::error::LogProblem;
use super::time;
use crate::replay::limits::MAX_LINE_BYTES;
use crate::replay::lines::Line;

/// The beginnings of the lines of both streams.
#[derive(Debug, Default)]
pub(super) struct PartialLines {
    streams: [Option<Beginning>; 2],
}

#[derive(Debug)]
struct Beginning {
    /// Of its first part.
    line: u64,
    /// Longer than a line may be: nothing of it is kept.
    is_too_long: bool,
    bytes: Vec<u8>,
}

/// What a line is.
#[derive(Debug)]
pub(super) enum Part {
    /// No part of another line.
    Whole,
    /// A part that is kept until its line ends.
    Beginning,
    /// The last part: the line, with the time of this part before it.
    Joined(Vec<u8>),
}

impl PartialLines {
    pub(super) fn take(&mut self, line: &Line) -> Result<Part, LogProblem> {
        let Some(Written { header, is_stdout, is_last, rest }) = written(line.bytes()) else { return Ok(Part::Whole) };
        let [stdout, stderr] = &mut self.streams;
        let slot = if is_stdout { stdout } else { stderr };
        if !is_last {
            let new = || Beginning { line: line.number(), is_too_long: false, bytes: Vec::new() };
            slot.get_or_insert_with(new).add(rest);
            return Ok(Part::Beginning);
        }
        let Some(mut beginning) = slot.take() else { return Ok(Part::Whole) };
        beginning.add(rest);
        if beginning.is_too_long {
            return Err(LogProblem::TooLong);
        }
        Ok(Part::Joined([header, &beginning.bytes].concat()))
    }

    /// The numbers of the lines whose last part never came.
    pub(super) fn end(&mut self) -> impl Iterator<Item = u64> {
        std::mem::take(&mut self.streams).into_iter().flatten().map(|beginning| beginning.line)
    }
}

impl Beginning {
    fn add(&mut self, part: &[u8]) {
        self.is_too_long |= self.bytes.len() + part.len() > MAX_LINE_BYTES;
        if self.is_too_long {
            self.bytes = Vec::new();
        } else {
            self.bytes.extend_from_slice(part);
        }
    }
}

/// A part as the runtime writes it.
struct Written<'a> {
    /// `TIME stdout P `
    header: &'a [u8],
    is_stdout: bool,
    is_last: bool,
    rest: &'a [u8],
}

fn written(line: &[u8]) -> Option<Written<'_>> {
    let mut words = line.splitn(4, |&byte| byte == b' ');
    let (time, stream, flag, rest) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let is_part = time.get(10) == Some(&b'T') && matches!(stream, b"stdout" | b"stderr") && matches!(flag, b"F" | b"P");
    let (header, _) = line.split_at_checked(line.len().checked_sub(rest.len())?)?;
    let part = Written { header, is_stdout: stream == b"stdout", is_last: flag == b"F", rest };
    (is_part && time::parse(time).is_some()).then_some(part)
}
