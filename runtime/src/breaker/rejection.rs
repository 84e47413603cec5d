//! A call was not admitted.

use std::fmt;
use std::time::Duration;

use tripline_core::{Rejection as CoreRejection, RejectionReason};

use crate::breaker::name::BreakerName;

/// A call that was not admitted: by which breaker, why, and when asking again makes sense.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The breaker that rejected.
    pub breaker: BreakerName,
    /// Why.
    pub reason: RejectionReason,
    /// How long to wait; `None` where that is unknown (memory, an operator).
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

/// A call through [`Breaker::call`](crate::Breaker::call) that did not give a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError<E> {
    /// It was not made.
    Rejected(Rejection),
    /// It was made, and failed.
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
