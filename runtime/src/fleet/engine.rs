//! The store that all replicas of a fleet reach.

use std::fmt;

use async_trait::async_trait;
use tripline_core::fleet::{Claim, FleetView, ReplicaText, Report, Terms};

use crate::breaker::name::BreakerName;

/// The store that the replicas of a fleet share: it counts them, and grants the right to send the stages of their incident.
///
/// Every method is one atomic step of the store, by the store's clock. It must end within a few seconds, whatever the other side
/// does; it is dropped after [`MAX_CALL`](crate::MAX_CALL). What it holds may be lost at any time: replicas say it again.
#[async_trait]
pub trait FleetEngine: fmt::Debug + Send + Sync {
    /// Notes that `replica` is alive; returns what there is to report on.
    ///
    /// # Errors
    /// [`EngineError`] where it is not known to be noted.
    async fn beat(&self, replica: &ReplicaText) -> Result<Heartbeat, EngineError>;

    /// Takes a report on `breaker`, as [`tripline_core::fleet::merge`] does.
    ///
    /// # Errors
    /// [`EngineError`] where it is not known to be taken.
    async fn sync(&self, breaker: &BreakerName, report: &Report<'_>, terms: &Terms) -> Result<FleetView, EngineError>;

    /// Records that a claimed stage was sent, as [`tripline_core::fleet::acknowledge`] does; false where the claim is not
    /// `replica`'s any more.
    ///
    /// # Errors
    /// [`EngineError`] where it is not known to be recorded.
    async fn acknowledge(
        &self,
        breaker: &BreakerName,
        replica: &ReplicaText,
        claim: &Claim,
    ) -> Result<bool, EngineError>;

    /// Forgets `replica`, which stops: its silence means nothing.
    ///
    /// # Errors
    /// [`EngineError`] where it is not known to be forgotten.
    async fn leave(&self, replica: &ReplicaText) -> Result<(), EngineError>;
}

/// The answer to a beat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Heartbeat {
    /// The members of the fleet.
    pub members: u32,
    /// The breakers that have an incident.
    pub in_incident: Vec<BreakerName>,
}

impl Heartbeat {
    /// A fleet of so many members, and the breakers that have an incident.
    pub const fn new(members: u32, in_incident: Vec<BreakerName>) -> Self {
        Self { members, in_incident }
    }
}

/// An engine did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EngineError {
    /// It was not reached, or did not answer.
    Unreachable {
        /// Why, without secrets.
        reason: String,
    },
    /// It answered that it does not.
    Rejected {
        /// Why, without secrets.
        reason: String,
    },
    /// Something else stands where the fleet keeps its state. It was left alone.
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
