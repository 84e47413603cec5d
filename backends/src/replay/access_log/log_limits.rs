//! Bounds on what is held of a log to put its calls in order.

/// How late a line may be written after lines of later calls: servers buffer their logs.
pub(super) const LATE_BY_NANOS: i64 = 60 * 1_000_000_000;
/// So many calls are held at most, 64 bytes each: those of a minute at 4,000 calls a second.
pub(super) const MAX_HELD: usize = 1 << 18;
