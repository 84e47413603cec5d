//! Conversions between the units inside and those of the API.

use std::time::Duration;

/// Longest latency that the core can hold, in milliseconds.
pub(super) const MAX_LATENCY_MS: u32 = 4_294_967;

const MIB: u64 = 1 << 20;

/// Whole MiB, rounded down.
pub(super) fn mebibytes(bytes: u64) -> u64 {
    bytes / MIB
}

/// Whole milliseconds, rounded down.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
