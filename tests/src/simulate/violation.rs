//! Violations of invariants.

use std::fmt;

use tripline_core::Instant;

/// A violated invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The invariant.
    pub invariant: &'static str,
    /// When it was found.
    pub at: Instant,
    /// The observation.
    pub detail: String,
}

/// `Err` if an invariant is violated, with the observation.
pub(super) type Check = Result<(), (&'static str, String)>;

/// Fails with the invariant's name unless it holds.
pub(super) fn hold(holds: bool, invariant: &'static str, detail: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err((invariant, detail())) }
}

/// Formats an instant as a time since the start: `02:05:07.250`.
pub(super) fn clock_time(at: Instant) -> String {
    let millis = at.as_nanos() / 1_000_000;
    let (seconds, minutes, hours) = (millis / 1_000 % 60, millis / 60_000 % 60, millis / 3_600_000);
    format!("{hours:02}:{minutes:02}:{seconds:02}.{:03}", millis % 1_000)
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", clock_time(self.at), self.invariant, self.detail)
    }
}
