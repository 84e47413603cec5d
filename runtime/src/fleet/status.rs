//! What readers see of a fleet.

use std::time::Duration;

use crate::breaker::name::BreakerName;
use crate::fleet::part::{FleetPart, grouped};

/// A fleet as one of its replicas sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetStatus {
    /// The name of this replica.
    pub replica: String,
    /// The engine answered the last call.
    pub is_up: bool,
    /// Why it did not.
    pub error: Option<String>,
    /// For how long it has not.
    pub down_for: Option<Duration>,
    /// This replica pages alone.
    pub is_alone: bool,
    /// The members of the fleet, as of the last answer; 0 before the first.
    pub members: u32,
    /// Claims that this replica was granted.
    pub claims: u64,
    /// How often it began to page alone.
    pub fallbacks: u64,
    /// The breakers that take part, by name.
    pub breakers: Vec<FleetBreaker>,
}

impl FleetStatus {
    /// The incident of one of its breakers in words: `37 of 1,000 replicas open, first: web-17`, that there is none, or that the
    /// engine is not reached.
    pub fn summary(&self, breaker: &FleetBreaker) -> String {
        match (self.is_up, self.is_alone, breaker.stage) {
            (false, true, _) => "engine unreachable; this replica pages alone".to_owned(),
            (false, false, _) => "engine unreachable".to_owned(),
            (true, _, None) => format!("no incident; {} replicas", grouped(self.members)),
            (true, _, Some(_)) => FleetPart::All {
                epoch: 0,
                open: breaker.open,
                members: self.members,
                first: breaker.first.clone().unwrap_or_default(),
                has_doubled: false,
                is_repeated: false,
            }
            .to_string(),
        }
    }
}

/// One breaker's incident in the fleet, as of the last answer.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetBreaker {
    /// The breaker.
    pub name: BreakerName,
    /// Replicas whose breaker is not closed. 0 where there is no incident.
    pub open: u32,
    /// Replicas whose own incident runs.
    pub unwell: u32,
    /// The host of the replica that was unwell first; `None` where there is no incident, or it is not known.
    pub first: Option<String>,
    /// How far the incident has come: `pending`, `initial`, `escalated` or `resolved`; `None` where there is none.
    pub stage: Option<&'static str>,
    /// For how long it has been on, by the engine's clock.
    pub age: Option<Duration>,
}
