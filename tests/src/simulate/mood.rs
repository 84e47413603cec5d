//! The health of a service.

/// The health of the service behind a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Healthy,
    /// Every call is slow.
    Slow,
    /// Every call fails.
    Failing,
    /// No call returns for minutes.
    Hanging,
    /// Some calls are slow, some fail.
    Shaky,
}
