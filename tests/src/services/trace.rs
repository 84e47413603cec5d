//! The calls of a service.

/// Microseconds in a second.
pub const SECOND_US: u64 = 1_000_000;

/// A call: when it starts, how long it takes, and whether it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// In microseconds.
    pub start_us: u64,
    /// In microseconds.
    pub latency_us: u32,
    /// It fails at its end.
    pub failed: bool,
}

/// The calls of one service, and when it fails.
#[derive(Debug, Clone)]
pub(super) struct Trace {
    pub(super) calls: Vec<Call>,
    pub(super) length_us: u64,
    pub(super) onset_us: Option<u64>,
}
