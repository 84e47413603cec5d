//! What can be wrong with a line of a log.

use std::fmt;

/// Why a line of a log was not used. The `Display` text says what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogProblem {
    /// No time where one should be, or one that cannot be read.
    Time,
    /// No request in quotes.
    Request,
    /// No status after the request.
    Status,
    /// Envoy's fields between the status and the quoted ones are others.
    Numbers,
    /// No request time, or one that cannot be read.
    Latency,
    /// It is not clear what the request times are counted in.
    Unit,
    /// It tells of something that is no call.
    NoCall,
    /// A quote or a bracket is not closed.
    NotClosed,
    /// Longer than [`MAX_LINE_BYTES`](crate::replay::MAX_LINE_BYTES).
    TooLong,
}

impl fmt::Display for LogProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Time => {
                "no time was found; allowed: [10/Oct/2026:13:55:36 +0000], or ISO 8601 or seconds since 1970, in brackets \
                 or at the beginning of the line"
            }
            Self::Request => "no request in quotes was found after the time; allowed: \"GET / HTTP/1.1\"",
            Self::Status => "no status was found after the request; allowed: 0 or 100 to 999",
            Self::Numbers => {
                "not the numbers of Envoy's default format; allowed after the flags: bytes received and sent, duration, \
                 upstream service time (a number or -)"
            }
            Self::Latency => {
                "no request time was found after the bytes sent; allowed: nginx's $request_time or Apache's %D as the last \
                 field, or named, as in rt=0.123; at most a year"
            }
            Self::Unit => {
                "whether the request times are seconds, milliseconds or microseconds is not clear, as all of the first ones \
                 are below 1000; allowed: to say it with --latency-unit s, ms or us"
            }
            Self::NoCall => {
                "this is no call: the connection was closed before a request came, became another one (101), or is not HTTP"
            }
            Self::NotClosed => "a quote or a bracket is not closed",
            Self::TooLong => return write!(f, "is too long; allowed: {} bytes", crate::replay::MAX_LINE_BYTES),
        })
    }
}
