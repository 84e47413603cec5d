//! Naive model of escalation: keeps a log of all transitions of alerts, and derives everything from it.

use std::time::Duration;

use tripline_core::{AlertKind, EscalationPolicy, IncidentCause, IncidentEnd, Stage, Triggers, TripReason};

/// One incident of the breaker.
#[derive(Debug, Clone, Copy)]
pub struct ModelIncident {
    /// When it began, since the start of the world.
    pub began: Duration,
    /// Its cause.
    pub cause: IncidentCause,
    /// The first trip in it.
    pub trip: Option<TripReason>,
    /// How it ended.
    pub end: Option<IncidentEnd>,
}

/// A transition of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoggedAlert {
    /// The time.
    pub at: Duration,
    /// The number of the incident, from 1.
    pub incident: u32,
    /// The kind of alert.
    pub kind: AlertKind,
    /// The stage.
    pub stage: Stage,
}

/// The naive staging.
#[derive(Debug, Clone, Default)]
pub struct StagingModel {
    /// All transitions, oldest first.
    pub log: Vec<LoggedAlert>,
    /// Incidents in which a trip was seen.
    seen_tripped: Vec<u32>,
}

impl StagingModel {
    /// Observes all incidents, and logs the transitions that are due.
    pub fn look(&mut self, at: Duration, incidents: &[ModelIncident], is_unhealthy: bool, policy: &EscalationPolicy) {
        for (incident, number) in incidents.iter().zip(1..) {
            match incident.end {
                Some(end) => self.push(at, number, self.open_kind(number), Stage::Resolved(end)),
                None => self.look_at(at, number, incident, is_unhealthy, policy),
            }
        }
    }

    fn look_at(
        &mut self,
        at: Duration,
        number: u32,
        incident: &ModelIncident,
        is_unhealthy: bool,
        policy: &EscalationPolicy,
    ) {
        let wanted = kind(incident, &policy.triggers);
        let open = self.open_kind(number);
        let has_just_tripped = incident.trip.is_some() && !self.seen_tripped.contains(&number);
        if has_just_tripped {
            self.seen_tripped.push(number);
        }
        let escalates = is_unhealthy && at >= incident.began + policy.escalate_after;
        let reached = match self.reached(number) {
            None if policy.escalate_after.is_zero() => Stage::Single,
            None | Some(Stage::Initial) if escalates => Stage::Escalated,
            None => Stage::Initial,
            Some(stage) => stage,
        };
        let is_cool = |kind| self.last_created(kind).is_none_or(|created| at >= created + policy.cooldown);
        match (open, wanted) {
            (None, Some(kind)) if is_cool(kind) => self.push(at, number, wanted, reached),
            (Some(old), Some(kind)) if has_just_tripped && old != kind => {
                self.push(at, number, wanted, reached);
                self.push(at, number, open, Stage::Superseded);
            }
            (Some(_), _) if self.reached(number) != Some(reached) => self.push(at, number, open, reached),
            _ => {}
        }
    }

    fn push(&mut self, at: Duration, incident: u32, kind: Option<AlertKind>, stage: Stage) {
        self.log.extend(kind.map(|kind| LoggedAlert { at, incident, kind, stage }));
    }

    /// Returns the kind of the incident's alert that was created and not closed.
    fn open_kind(&self, number: u32) -> Option<AlertKind> {
        let of = || self.log.iter().filter(|entry| entry.incident == number);
        let is_closed = |kind| of().any(|entry| entry.kind == kind && entry.stage.is_end());
        of().map(|entry| entry.kind).find(|&kind| !is_closed(kind))
    }

    /// Returns the last stage of the incident in the log.
    fn reached(&self, number: u32) -> Option<Stage> {
        let mut of = self.log.iter().rev().filter(|entry| entry.incident == number && !entry.stage.is_end());
        of.next().map(|entry| entry.stage)
    }

    /// Returns when the last incident with an alert of this kind first logged it.
    fn last_created(&self, kind: AlertKind) -> Option<Duration> {
        let last = self.log.iter().rev().find(|entry| entry.kind == kind)?;
        self.log.iter().find(|entry| entry.kind == kind && entry.incident == last.incident).map(|entry| entry.at)
    }
}

/// Returns the kind of alert for an incident.
fn kind(incident: &ModelIncident, triggers: &Triggers) -> Option<AlertKind> {
    let by_cause = |reason| match reason {
        TripReason::Memory | TripReason::MemoryAndLatency | TripReason::MemoryForecast => {
            Some(AlertKind::MemoryThreshold)
        }
        TripReason::Failures => None,
        _ => Some(AlertKind::LatencyThreshold),
    };
    let is_on = |kind: &AlertKind| match kind {
        AlertKind::MemoryThreshold => triggers.memory_threshold,
        AlertKind::LatencyThreshold => triggers.latency_threshold,
        _ => triggers.breaker_open,
    };
    match incident.trip {
        Some(_) if triggers.breaker_open => Some(AlertKind::CircuitOpen),
        Some(reason) => by_cause(reason).filter(is_on),
        None if incident.cause == IncidentCause::MemoryCondition => Some(AlertKind::MemoryThreshold).filter(is_on),
        None => Some(AlertKind::LatencyThreshold).filter(is_on),
    }
}
