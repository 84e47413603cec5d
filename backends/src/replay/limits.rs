//! Bounds on what a replay reads and holds.

/// A line of the input may not be longer than this.
pub const MAX_LINE_BYTES: usize = 1 << 20;
/// More NUL bytes than this without a line between them end the reading: the input is a device or a hole.
pub(super) const MAX_NUL_RUN: u64 = 4 << 30;
/// Records that all breakers of a replay hold together at most, about 200 bytes each. Beyond that, calls count as started later.
pub(super) const MAX_RECORDS_HELD: usize = 1 << 18;
/// Each breaker may hold so many, however many breakers there are.
const MIN_RECORDS_HELD: usize = 1 << 13;

/// How many records each of `breakers` breakers may hold.
pub(super) fn max_records_held(breakers: usize) -> usize {
    (MAX_RECORDS_HELD / breakers.max(1)).max(MIN_RECORDS_HELD)
}
