//! The store that all replicas of a fleet share.

use std::fmt;

use async_trait::async_trait;
use tripline_core::fleet::{Claim, FleetView, ReplicaText, Report, Terms};

use crate::breaker::name::BreakerName;

/// The store that the replicas of a fleet share. It counts them, and grants the right to send the stages of their
/// incident.
///
/// Every method is one atomic step of the store, on the store's clock. It must end within a few seconds, whatever the
/// store does; the future is dropped after [`MAX_CALL`](crate::MAX_CALL). The store may lose its contents at any time:
/// replicas report them again.
#[async_trait]
pub trait FleetEngine: fmt::Debug + Send + Sync {
    /// Records that `replica` is alive. Returns the breakers to report on.
    ///
    /// # Errors
    /// [`EngineError`] if the beat may not be recorded.
    async fn beat(&self, replica: &ReplicaText) -> Result<Heartbeat, EngineError>;

    /// Merges a report on `breaker`, as [`tripline_core::fleet::merge`] does.
    ///
    /// # Errors
    /// [`EngineError`] if the report may not be merged.
    async fn sync(&self, breaker: &BreakerName, report: &Report<'_>, terms: &Terms) -> Result<FleetView, EngineError>;

    /// Records that a claimed stage was sent, as [`tripline_core::fleet::acknowledge`] does. Returns false if `replica`
    /// no longer holds the claim.
    ///
    /// # Errors
    /// [`EngineError`] if the acknowledgement may not be recorded.
    async fn acknowledge(
        &self,
        breaker: &BreakerName,
        replica: &ReplicaText,
        claim: &Claim,
    ) -> Result<bool, EngineError>;

    /// Removes `replica`, which stops: its silence has no meaning.
    ///
    /// # Errors
    /// [`EngineError`] if it may not be removed.
    async fn leave(&self, replica: &ReplicaText) -> Result<(), EngineError>;
}

/// The response to a beat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Heartbeat {
    /// The members of the fleet.
    pub members: u32,
    /// The breakers with an active incident.
    pub in_incident: Vec<BreakerName>,
}

impl Heartbeat {
    /// Creates the response for a fleet with this many members and these breakers with an active incident.
    pub const fn new(members: u32, in_incident: Vec<BreakerName>) -> Self {
        Self { members, in_incident }
    }
}

/// The error of a call to an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// The engine was not reached, or did not respond.
    Unreachable {
        /// The reason, without secrets.
        reason: String,
    },
    /// The engine rejected the call.
    Rejected {
        /// The reason, without secrets.
        reason: String,
    },
    /// The fleet's key holds a value of another type. It was not changed.
    ForeignKey {
        /// The name of the key.
        key: String,
    },
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { reason } => write!(f, "not reached: {reason}"),
            Self::Rejected { reason } => write!(f, "rejected: {reason}"),
            Self::ForeignKey { key } => write!(
                f,
                "the key {key} holds another type of value and was left alone: remove it, or choose another fleet.namespace"
            ),
        }
    }
}

impl std::error::Error for EngineError {}
