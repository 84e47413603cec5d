//! The content of a line of a log.

use tripline_runtime::core::Outcome;

use super::request::LogRequest;
use super::time::Stamp;

/// Which end of a call the time of its line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stamped {
    AtStart,
    AtEnd,
}

/// The columns of a format with a header; empty before the header.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) names: Vec<String>,
    pub(super) delimiter: u8,
}

/// The content of a line.
#[derive(Debug)]
pub(super) enum Entry<'a> {
    Call(LogCall<'a>),
    /// A header or a directive.
    Header,
}

/// The call in a line.
#[derive(Debug, Clone)]
pub(super) struct LogCall<'a> {
    pub(super) stamp: Stamp,
    pub(super) stamped: Stamped,
    /// In nanoseconds.
    pub(super) latency: i64,
    pub(super) outcome: Outcome,
    /// The status, where nothing else decides the outcome.
    pub(super) status: Option<u16>,
    pub(super) request: LogRequest<'a>,
    /// Whether nothing but a guess says the unit of the request time.
    pub(super) is_unit_unclear: bool,
    /// Digits after the point of the request time, where every line has as many; else 0.
    pub(super) places: u8,
}
