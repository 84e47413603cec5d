//! The store that all replicas of a fleet share.

use std::fmt;

use async_trait::async_trait;
use tripline_core::fleet::{Action, Claim, Command, FleetView, ReplicaText, Report, Terms};

use crate::breaker::name::BreakerName;

/// The store that the replicas of a fleet share. It counts them, and grants the right to send the stages of their
/// incident.
///
/// Every method is one atomic step of the store, on the store's clock. It must end within a few seconds, whatever the
/// store does; the future is dropped after [`MAX_CALL`](crate::MAX_CALL). The store may lose its contents at any time:
/// replicas report them again.
#[async_trait]
pub trait FleetEngine: fmt::Debug + Send + Sync {
    /// Records that a replica is alive. Returns the breakers to report on and the commands to execute, each once: see
    /// [`tripline_core::fleet::Commands::newer`].
    ///
    /// # Errors
    /// [`EngineError`] if the beat may not be recorded.
    async fn beat(&self, beat: &Beat<'_>) -> Result<Heartbeat, EngineError>;

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

    /// Records a command to all replicas, as [`tripline_core::fleet::Commands::place`] does. Returns its number.
    ///
    /// # Errors
    /// [`EngineError`] if the command may not be recorded.
    async fn command(&self, action: Action, breaker: &BreakerName) -> Result<u64, EngineError>;

    /// Number of replicas that have executed the command of this number, or a later one.
    ///
    /// # Errors
    /// [`EngineError`] if it cannot be read.
    async fn command_progress(&self, number: u64) -> Result<CommandProgress, EngineError>;

    /// Removes `replica`, which stops: its silence has no meaning.
    ///
    /// # Errors
    /// [`EngineError`] if it may not be removed.
    async fn leave(&self, replica: &ReplicaText) -> Result<(), EngineError>;
}

/// A report that a replica is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Beat<'a> {
    /// The replica.
    pub replica: &'a ReplicaText,
    /// Number of the last command that the replica executed, 0 for none; `None` if commands are off for it.
    pub commands_done: Option<u64>,
}

impl<'a> Beat<'a> {
    /// Creates the beat of a replica with commands off.
    pub const fn of(replica: &'a ReplicaText) -> Self {
        Self { replica, commands_done: None }
    }
}

/// The response to a beat.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Heartbeat {
    /// The members of the fleet.
    pub members: u32,
    /// The breakers with an active incident.
    pub in_incident: Vec<BreakerName>,
    /// The commands to execute, in order: those with a number above [`Beat::commands_done`].
    pub commands: Vec<Command>,
}

impl Heartbeat {
    /// Creates the response for a fleet with this many members and these breakers with an active incident.
    pub const fn new(members: u32, in_incident: Vec<BreakerName>) -> Self {
        Self { members, in_incident, commands: Vec::new() }
    }
}

/// The progress of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct CommandProgress {
    /// Replicas that have reported its execution.
    pub done: u32,
    /// The members of the fleet.
    pub members: u32,
}

impl CommandProgress {
    /// Creates a progress of `done` of `members` replicas.
    pub const fn new(done: u32, members: u32) -> Self {
        Self { done, members }
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
