//! The problems of an input, with their place.

use std::{error, fmt, io};

use tripline_runtime::core::CapacityError;

use super::access_log::{LogFormat, LogProblem};
use super::human_format::shown;
use super::limits::{MAX_LINE_BYTES, MAX_NUL_RUN};
use super::names::Warning;

/// Why a replay ended early.
#[derive(Debug)]
#[non_exhaustive]
pub enum ReplayError {
    /// A line of the input cannot be used.
    Line {
        /// Which, counted from 1; blank lines and the CSV header count.
        line: u64,
        /// The problem.
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

/// The problem of a line. The `Display` text names the allowed values.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LineProblem {
    /// Not one JSON object.
    Json {
        /// The message of the parser.
        message: String,
        /// Where in the line, counted from 1.
        column: usize,
    },
    /// Not text.
    NotUtf8,
    /// The input begins with bytes that no text has: it is packed in a way that is not known, or no recording.
    Binary,
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
        /// The allowed values.
        allowed: &'static str,
    },
    /// Earlier than the line before it.
    Backwards {
        /// Its time in milliseconds.
        at_ms: String,
        /// The time of the line before it, in milliseconds.
        before_ms: String,
    },
    /// So many NUL bytes in a row that this is no recording.
    NothingButNul,
    /// The time is far ahead of the lines before and after it.
    StrayTime,
    /// An access log of whose first lines none can be used, or whose unit is not clear.
    Log {
        /// Which log it was taken for; `None` where none fits.
        format: Option<LogFormat>,
        /// The problem of this line.
        problem: LogProblem,
    },
}

impl LineProblem {
    /// The reason as it is written in JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Json { .. } => "json",
            Self::NotUtf8 => "not_utf8",
            Self::Binary => "binary",
            Self::TooLong => "too_long",
            Self::StrayReturn => "stray_return",
            Self::MissingColumn(_) | Self::ColumnTwice(_) | Self::Columns { .. } => "columns",
            Self::MissingTime => "time",
            Self::NothingToReplay => "latency",
            Self::Value { .. } => "value",
            Self::Backwards { .. } => "backwards",
            Self::NothingButNul => "nul_bytes",
            Self::StrayTime => "stray_time",
            Self::Log { problem, .. } => problem.as_str(),
        }
    }

    /// A bad value; what is shown of it is limited.
    pub(super) fn value(field: &'static str, found: &str, allowed: &'static str) -> Self {
        Self::Value { field, found: shown(found), allowed }
    }
}

impl fmt::Display for LineProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json { message, column } => {
                write!(f, "column {column}: {message}; allowed: one JSON object per line")
            }
            Self::NotUtf8 => f.write_str("is not UTF-8; allowed: JSON lines, or CSV with a header"),
            Self::Binary => f.write_str(
                "is binary; allowed: text, once packed with gzip or zstd, so unpack it first: COMMAND | tripline replay -",
            ),
            Self::TooLong => write!(f, "is too long; allowed: {MAX_LINE_BYTES} bytes"),
            Self::StrayReturn => f.write_str("has a carriage return inside; allowed: lines that end with LF or CR LF"),
            Self::MissingColumn(name) => write!(
                f,
                "the CSV header has no column {name}; allowed: at_ms and latency_ms or memory_percent, optionally outcome; or \
                 an access log (formats: tripline replay --help), or any CSV, JSON or text with --field time=FIELD, --field \
                 latency=FIELD and --field status=FIELD"
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
            Self::Log { format: None, problem } => write!(
                f,
                "this looks like a log, but none of the formats (tripline replay --help) can read its first lines: {problem}; \
                 name fields of any other format with --field time=FIELD, --field latency=FIELD and --field status=FIELD"
            ),
            Self::NothingButNul => {
                write!(f, "{MAX_NUL_RUN} NUL bytes follow each other; allowed: text, with fewer of them between lines")
            }
            Self::StrayTime => {
                f.write_str("its time is far ahead of the lines before and after it; allowed: the order of time")
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
