//! The view of a fleet for readers.

use std::time::Duration;

use crate::breaker::name::BreakerName;
use crate::fleet::part::{FleetPart, grouped};

/// A fleet as seen by one of its replicas.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetStatus {
    /// The name of this replica.
    pub replica: String,
    /// Whether the engine answered the last call.
    pub is_up: bool,
    /// The error of the last call.
    pub error: Option<String>,
    /// How long calls have failed.
    pub down_for: Option<Duration>,
    /// Whether this replica pages alone.
    pub is_alone: bool,
    /// The members of the fleet, as of the last response; 0 before the first.
    pub members: u32,
    /// Claims that this replica was granted.
    pub claims: u64,
    /// How often this replica began to page alone.
    pub fallbacks: u64,
    /// The breakers that take part, by name.
    pub breakers: Vec<FleetBreaker>,
}

impl FleetStatus {
    /// Describes the incident of one of its breakers: `37 of 1,000 replicas open, first: web-17`, no incident, one that was
    /// just closed, or an unreachable engine.
    pub fn summary(&self, breaker: &FleetBreaker) -> String {
        let replicas = if self.members == 1 { "1 replica" } else { &format!("{} replicas", grouped(self.members)) };
        match (self.is_up, self.is_alone, breaker.stage) {
            (false, true, _) => "engine unreachable; this replica pages alone".to_owned(),
            (false, false, _) => "engine unreachable".to_owned(),
            (true, _, Some("resolved")) => format!("incident closed; {replicas}"),
            (true, _, None) => format!("no incident; {replicas}"),
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

/// One breaker's incident in the fleet, as of the last response.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetBreaker {
    /// The breaker.
    pub name: BreakerName,
    /// Replicas whose breaker is not closed; 0 without an incident.
    pub open: u32,
    /// Replicas with an active incident.
    pub unwell: u32,
    /// The host of the replica that was unwell first; `None` without an incident or if unknown.
    pub first: Option<String>,
    /// The stage of the incident: `pending`, `initial`, `escalated` or `resolved`; `None` without an incident.
    pub stage: Option<&'static str>,
    /// The age of the incident, on the engine's clock.
    pub age: Option<Duration>,
}

#[cfg(all(test, not(tripline_loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_summary_states_the_engine_and_the_incident() {
        let breaker = FleetBreaker {
            name: BreakerName::default(),
            open: 37,
            unwell: 37,
            first: Some("web-17".to_owned()),
            stage: Some("initial"),
            age: None,
        };
        let status = |is_up, is_alone, members| FleetStatus {
            replica: "web-1".to_owned(),
            is_up,
            error: None,
            down_for: None,
            is_alone,
            members,
            claims: 0,
            fallbacks: 0,
            breakers: Vec::new(),
        };
        let at = |stage| FleetBreaker { stage, ..breaker.clone() };
        let up = status(true, false, 1_000);
        assert_eq!(up.summary(&breaker), "37 of 1,000 replicas open, first: web-17");
        assert_eq!(up.summary(&at(Some("resolved"))), "incident closed; 1,000 replicas");
        assert_eq!(up.summary(&at(None)), "no incident; 1,000 replicas");
        assert_eq!(status(true, false, 1).summary(&at(None)), "no incident; 1 replica");
        // What the engine answered last is no longer known to be so.
        assert_eq!(status(false, false, 1_000).summary(&breaker), "engine unreachable");
        assert_eq!(status(false, true, 1_000).summary(&breaker), "engine unreachable; this replica pages alone");
    }
}
