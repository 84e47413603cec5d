//! The rejection of a call.

use std::fmt;
use std::time::Duration;

use tripline_core::{Rejection as CoreRejection, RejectionReason};

use crate::breaker::name::BreakerName;

/// A rejected call: the breaker, the reason, and when to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The breaker that rejected the call.
    pub breaker: BreakerName,
    /// The reason.
    pub reason: RejectionReason,
    /// The time to wait; `None` if it is unknown (memory, an operator).
    pub retry_after: Option<Duration>,
}

impl Rejection {
    pub(crate) fn new(breaker: &BreakerName, rejection: CoreRejection) -> Self {
        Self { breaker: breaker.clone(), reason: rejection.reason, retry_after: rejection.retry_after }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "breaker {} rejected the call: {}", self.breaker, self.reason.as_str())?;
        match self.retry_after {
            Some(wait) => write!(f, ", retry after {:.1} s", wait.as_secs_f64()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Rejection {}

/// The error of a call through [`Breaker::call`](crate::Breaker::call).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError<E> {
    /// The call was rejected and not made.
    Rejected(Rejection),
    /// The call was made, and failed.
    Failed(E),
}

impl<E: fmt::Display> fmt::Display for CallError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejection) => rejection.fmt(f),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for CallError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Rejected(rejection) => Some(rejection),
            Self::Failed(error) => Some(error),
        }
    }
}
