//! What can be wrong with an input, and where.

use std::{error, fmt, io};

use tripline_runtime::core::CapacityError;

use super::access_log::LogProblem;
use super::format::LogFormat;
use super::names::Warning;

/// Why a replay ended early.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// A line of the input cannot be used.
    Line {
        /// Which, counted from 1; blank lines and the CSV header count.
        line: u64,
        /// What is wrong with it.
        problem: LineProblem,
        /// Fields up to there that look misspelt: often one of them is why something else is missing.
        warnings: Vec<Warning>,
    },
    /// The input could not be read.
    Read(io::Error),
    /// The output could not be written.
    Write(io::Error),
    /// The policy's window is larger than a breaker holds.
    Window(CapacityError),
}

/// What is wrong with a line. The `Display` text says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineProblem {
    /// Not one JSON object.
    Json {
        /// What the parser says.
        message: String,
        /// Where in the line, counted from 1.
        column: usize,
    },
    /// Not text.
    NotUtf8,
    /// Longer than [`MAX_LINE_BYTES`](super::MAX_LINE_BYTES).
    TooLong,
    /// A carriage return inside a CSV line.
    StrayReturn,
    /// The CSV header names no such column.
    MissingColumn(&'static str),
    /// The CSV header names a column twice.
    ColumnTwice(&'static str),
    /// Not as many values as the CSV header has columns.
    Columns {
        /// Values in the line.
        found: usize,
        /// Columns in the header.
        expected: usize,
    },
    /// No `at_ms`.
    MissingTime,
    /// Neither `latency_ms` nor `memory_percent`.
    NothingToReplay,
    /// A value that is not what its field needs.
    Value {
        /// The field.
        field: &'static str,
        /// The value as it is written (a text in JSON with its quotes), shortened, without control characters.
        found: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// Earlier than the line before it.
    Backwards {
        /// Its time in milliseconds.
        at_ms: String,
        /// The time of the line before it, in milliseconds.
        before_ms: String,
    },
    /// An access log of whose first lines none can be used, or whose unit is not clear.
    Log {
        /// Which log it was taken for; `None` where none fits.
        format: Option<LogFormat>,
        /// What is wrong with this line.
        problem: LogProblem,
    },
}

impl LineProblem {
    /// A bad value; what is shown of it is limited.
    pub(super) fn value(field: &'static str, found: &str, allowed: &'static str) -> Self {
        Self::Value { field, found: shown(found), allowed }
    }
}

/// A text of the input as it can be shown: on one line and not too long.
pub(super) fn shown(text: &str) -> String {
    const SHOWN_CHARS: usize = 40;
    let mut characters = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = characters.by_ref().take(SHOWN_CHARS).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { message, column } => {
                write!(f, "column {column}: {message}; allowed: one JSON object per line")
            }
            Self::NotUtf8 => f.write_str("is not UTF-8; allowed: JSON lines, or CSV with a header"),
            Self::TooLong => write!(f, "is too long; allowed: {} bytes", super::MAX_LINE_BYTES),
            Self::StrayReturn => f.write_str("has a carriage return inside; allowed: lines that end with LF or CR LF"),
            Self::MissingColumn(name) => write!(
                f,
                "the CSV header has no column {name}; allowed: at_ms and latency_ms or memory_percent, optionally outcome \
                 (or JSON lines, which begin with {{, or an access log of nginx, Apache or Envoy)"
            ),
            Self::ColumnTwice(name) => write!(f, "the CSV header names {name} twice; allowed: once"),
            Self::Columns { found, expected } => {
                write!(f, "has {found} values; allowed: {expected}, as many as the header has columns")
            }
            Self::MissingTime => {
                f.write_str("has no at_ms; allowed: the time in milliseconds at which the call finished")
            }
            Self::NothingToReplay => {
                f.write_str("has neither latency_ms nor memory_percent; allowed: a call, a memory reading, or both")
            }
            Self::Value { field, found, allowed } => write!(f, "{field} = {found}; allowed: {allowed}"),
            Self::Log { format: Some(format), problem } => write!(f, "read as an access log of {format}: {problem}"),
            Self::Log { format: None, problem } => {
                write!(
                    f,
                    "this looks like an access log, but as none of nginx, Apache or Envoy can its first lines be used: {problem}"
                )
            }
            Self::Backwards { at_ms, before_ms } => {
                write!(f, "at_ms = {at_ms} is earlier than the line before it; allowed: {before_ms} or later")
            }
        }
    }
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, problem, .. } => write!(f, "line {line}: {problem}"),
            Self::Read(error) => write!(f, "the input cannot be read: {error}"),
            Self::Write(error) => write!(f, "the output cannot be written: {error}"),
            Self::Window(error) => error.fmt(f),
        }
    }
}

impl error::Error for ReplayError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::Read(error) | Self::Write(error) => Some(error),
            Self::Window(error) => Some(error),
            Self::Line { .. } => None,
        }
    }
}
