//! Units of request times.

use std::fmt;

/// The unit of a request time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LatencyUnit {
    /// s
    Seconds,
    /// ms
    Millis,
    /// us
    Micros,
    /// ns
    Nanos,
}

impl LatencyUnit {
    pub(super) const fn nanos(self) -> u64 {
        match self {
            Self::Seconds => 1_000_000_000,
            Self::Millis => 1_000_000,
            Self::Micros => 1_000,
            Self::Nanos => 1,
        }
    }
}

/// `seconds`, `milliseconds`, `microseconds` or `nanoseconds`
impl fmt::Display for LatencyUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Seconds => "seconds",
            Self::Millis => "milliseconds",
            Self::Micros => "microseconds",
            Self::Nanos => "nanoseconds",
        })
    }
}
