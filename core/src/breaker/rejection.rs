//! A call that is not admitted.

use core::time::Duration;

use crate::state::TripReason;

/// Why a call was not admitted, and when asking again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rejection {
    /// Why.
    pub reason: RejectionReason,
    /// How long to wait; `None` where the time is unknown (memory, an operator).
    pub retry_after: Option<Duration>,
}

/// Why a call was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RejectionReason {
    /// The breaker is open, for this reason.
    Open(TripReason),
    /// Half-open, and all probes are taken.
    Probing,
    /// An operator forced it open.
    ForcedOpen,
}

impl RejectionReason {
    /// The name as it stands in bodies and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open(reason) => reason.as_str(),
            Self::Probing => "probing",
            Self::ForcedOpen => "forced_open",
        }
    }
}
