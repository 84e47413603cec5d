//! The rejection of a call.

use core::time::Duration;

use crate::state::TripReason;

/// Why a call was rejected, and when to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// The reason.
    pub reason: RejectionReason,
    /// The time to wait; `None` if it is unknown (memory, an operator).
    pub retry_after: Option<Duration>,
}

/// Why a call was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RejectionReason {
    /// The breaker is open for this reason.
    Open(TripReason),
    /// The breaker is half-open, and all probe slots are taken.
    Probing,
    /// The breaker is forced open by an operator.
    ForcedOpen,
}

impl RejectionReason {
    /// The name used in response bodies and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open(reason) => reason.as_str(),
            Self::Probing => "probing",
            Self::ForcedOpen => "forced_open",
        }
    }
}
