//! The beginning and end of an incident.

use tripline_core::{IncidentCause, IncidentEnd, MonotonicInstant, State};

use super::{Happened, Model};

/// The incident, and since when a condition holds or the breaker is healthy.
#[derive(Debug, Clone, Default)]
pub struct Incident {
    /// Whether it is active.
    pub open: bool,
    /// The cause of every incident so far.
    pub causes: Vec<IncidentCause>,
    /// The end of every incident so far.
    pub ends: Vec<IncidentEnd>,
    pub(super) bad_since: Option<MonotonicInstant>,
    pub(super) good_since: Option<MonotonicInstant>,
    pub(super) calls_since_closed: usize,
}

impl Model {
    /// Evaluates a closed breaker that did not trip.
    pub(super) fn look_at_incident(&mut self) {
        let verdict = self.verdict();
        let recovery = self.policy.recovery_time;
        let is_slow = verdict.above && verdict.enough;
        if is_slow || self.runs_out {
            self.incident.good_since = None;
            let since = *self.incident.bad_since.get_or_insert(self.latest);
            if !self.incident.open && self.latest.since(since) >= recovery {
                let memory = IncidentCause::MemoryCondition;
                self.start_incident(if self.runs_out { memory } else { IncidentCause::LatencyCondition });
            }
            return;
        }
        self.incident.bad_since = None;
        let since = *self.incident.good_since.get_or_insert(self.latest);
        let proven = self.incident.calls_since_closed >= self.minimum_samples();
        let healthy = self.latest.since(since) >= if proven { recovery } else { recovery * 10 };
        if self.incident.open && healthy {
            self.end_incident(IncidentEnd::Healthy);
        }
    }

    pub(super) fn incident_sees_new_state(&mut self) {
        self.incident.bad_since = None;
        self.incident.good_since = (self.state == State::Closed).then_some(self.latest);
        self.incident.calls_since_closed = 0;
    }

    pub(super) fn start_incident(&mut self, cause: IncidentCause) {
        if !self.incident.open {
            self.incident.open = true;
            self.incident.causes.push(cause);
            self.happened.push(Happened::IncidentStarted(cause));
        }
    }

    /// Resumes an incident: no event is emitted, and recovery counts from now.
    pub(super) fn resume(&mut self, cause: IncidentCause) {
        self.incident_sees_new_state();
        self.incident.good_since = None;
        if self.incident.open {
            self.incident.causes.pop();
        }
        self.incident.open = true;
        self.incident.causes.push(cause);
    }

    pub(super) fn end_by_operator(&mut self) {
        self.end_incident(IncidentEnd::Operator);
    }

    fn end_incident(&mut self, end: IncidentEnd) {
        self.failed_probings = 0;
        if self.incident.open {
            self.incident.open = false;
            self.incident.ends.push(end);
            self.happened.push(Happened::IncidentEnded(end));
        }
    }
}
