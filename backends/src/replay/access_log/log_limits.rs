//! Bounds on what is held of a log to put its calls in order.

/// Lines may be written so long after others of later ends: a server's buffers are flushed now and then.
pub(super) const LATE_BY_NANOS: i64 = 60 * 1_000_000_000;
/// So many calls are held at most, 64 bytes each: those of a minute at 4,000 calls a second.
pub(super) const MAX_HELD: usize = 1 << 18;
