//! The problems of a line of a log.

use std::fmt;

use crate::replay::limits::MAX_LINE_BYTES;

/// Why a line of a log was not used. The `Display` text says what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogProblem {
    /// No time where one should be, or one that cannot be read.
    Time,
    /// No request in quotes.
    Request,
    /// No status, or one that cannot be read.
    Status,
    /// The numbers that the format has are others.
    Numbers,
    /// No request time, or one that cannot be read.
    Latency,
    /// The unit of the request times is not clear.
    Unit,
    /// The line describes something other than a call.
    NoCall,
    /// Tripline's own proxy rejected the call.
    Rejected,
    /// Tripline's own proxy had no connection free for the call.
    Busy,
    /// A quote or a bracket is not closed.
    NotClosed,
    /// A second line begins inside this one: one of them was cut off.
    Glued,
    /// A field that is read stands in the line twice.
    Duplicate,
    /// Not one JSON object.
    Json,
    /// Not as many values as the header has columns.
    Columns,
    /// Not text.
    NotUtf8,
    /// The time is far ahead of the lines before and after it.
    StrayTime,
    /// The last line of the input ends within its request time.
    CutOff,
    /// Longer than [`MAX_LINE_BYTES`](crate::replay::MAX_LINE_BYTES).
    TooLong,
}

impl LogProblem {
    /// The reason as it is written in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Request => "request",
            Self::Status => "status",
            Self::Numbers => "numbers",
            Self::Latency => "latency",
            Self::Unit => "unit",
            Self::NoCall => "no_call",
            Self::Rejected => "rejected",
            Self::Busy => "busy",
            Self::NotClosed => "not_closed",
            Self::Glued => "glued",
            Self::Duplicate => "duplicate",
            Self::Json => "json",
            Self::Columns => "columns",
            Self::NotUtf8 => "not_utf8",
            Self::StrayTime => "stray_time",
            Self::CutOff => "cut_off",
            Self::TooLong => "too_long",
        }
    }

    /// Whether the line was understood and is not a call.
    pub(super) const fn is_no_call(self) -> bool {
        matches!(self, Self::NoCall | Self::Rejected | Self::Busy)
    }
}

impl fmt::Display for LogProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => {
                "no time was found; allowed: [10/Oct/2026:13:55:36 +0000], or ISO 8601 or seconds since 1970, in brackets \
                 or at the beginning of the line; else: --field time=FIELD"
            }
            Self::Request => "no request in quotes was found after the time; allowed: \"GET / HTTP/1.1\"",
            Self::Status => {
                "no status was found after the request; allowed: 0 or 100 to 999; else: --field status=FIELD"
            }
            Self::Numbers => {
                "not the numbers of the format; allowed, for Envoy after the flags: bytes received and sent, duration, \
                 upstream service time (a number or -); for HAProxy: TR/Tw/Tc/Tr/Ta"
            }
            Self::Latency => {
                "no request time was found after the bytes sent; allowed: nginx's $request_time or Apache's %D as the last \
                 field, or named, as in rt=0.123; at most a year; else: --field latency=FIELD"
            }
            Self::Unit => {
                "whether the request times are seconds, milliseconds or microseconds is not clear; allowed: to say it with \
                 --latency-unit s, ms or us (or ns)"
            }
            Self::NoCall => {
                "this is no call: the connection was closed before a request arrived, was upgraded (101), or is not HTTP"
            }
            Self::Rejected => "this is no call: the proxy rejected it",
            Self::Busy => "this is no call: the proxy had no connection free for it",
            Self::NotClosed => "a quote or a bracket is not closed, or the last part of the line is missing; allowed: whole lines",
            Self::Glued => "a second line begins inside this one, so one of them is cut off; allowed: one call per line",
            Self::Duplicate => "a field that is read stands in the line twice; allowed: once",
            Self::Json => "not one JSON object; allowed: one per line",
            Self::Columns => "not as many values as the header has columns; allowed: one for each column",
            Self::NotUtf8 => "is not UTF-8; allowed: UTF-8, as iconv -t UTF-8 makes it",
            Self::StrayTime => "its time is far ahead of the lines before and after it; allowed: the order of time",
            Self::CutOff => "the input ends within this line, so its request time may be incomplete",
            Self::TooLong => return write!(f, "is too long; allowed: {MAX_LINE_BYTES} bytes"),
        })
    }
}
