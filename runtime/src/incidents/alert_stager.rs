//! What people were staged of, for whoever tells them next.

use std::time::{Duration, SystemTime};

use tripline_core::{
    AlertKind, Escalation, EscalationPolicy, Incident, IncidentCause, Instant, Observation, SavedEscalation,
    SavedIncident, Stage, TripReason,
};

use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::incidents::records::{CreatedAlert, OpenAlert, OpenIncident, StagingRecord};
use crate::incidents::staging_control::PendingAlert;

/// The staging of one breaker. It belongs to the breaker and not to its supervisor, so that one that takes the place of
/// another tells nothing twice.
#[derive(Debug)]
pub(crate) struct AlertStager {
    staging: Escalation,
    /// Incidents of the breaker's earlier lives, which it does not count itself.
    earlier: u64,
    current: Option<StagedIncident>,
    record: StagingRecord,
    is_in_use: bool,
}

/// An incident as it stands in alerts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StagedIncident {
    /// What the breaker counts it as.
    counted: u32,
    pub(crate) number: u64,
    pub(crate) cause: IncidentCause,
    pub(crate) trip: Option<TripReason>,
    pub(crate) started_at: SystemTime,
}

/// Something that people are to be staged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DueAlert {
    pub(crate) incident: StagedIncident,
    pub(crate) kind: AlertKind,
    pub(crate) stage: Stage,
}

/// What came of a look at the breaker.
#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) due: Vec<DueAlert>,
    /// What must not be lost now.
    pub(crate) record: StagingRecord,
    pub(crate) pending: Option<PendingAlert>,
    /// When to look again, though nothing happens.
    pub(crate) again_in: Option<Duration>,
}

impl Default for AlertStager {
    fn default() -> Self {
        Self {
            staging: Escalation::new(EscalationPolicy::default()),
            earlier: 0,
            current: None,
            record: StagingRecord::default(),
            is_in_use: false,
        }
    }
}

impl AlertStager {
    /// Goes on with what an earlier process left behind. A book that is in use knows better.
    pub(crate) fn resume(&mut self, breaker: &Breaker, record: &StagingRecord, clock: &dyn Clock) {
        if std::mem::replace(&mut self.is_in_use, true) {
            return;
        }
        if let Some(open) = &record.open {
            let now = clock.now();
            breaker.with_core(|core| core.resume_incident(now, open.cause, open.trip));
            tracing::info!(
                breaker = breaker.name().as_str(),
                incident = record.last_incident,
                cause = open.cause.as_str(),
                "an incident from before the restart goes on"
            );
        }
        let (at, incident) = breaker.read(|core| (core.latest(), core.incident()));
        let counted = incident.map_or(0, |incident| incident.number);
        // Where none goes on, one that has begun meanwhile is a new one.
        self.earlier = match record.open {
            Some(_) => record.last_incident.saturating_sub(u64::from(counted)),
            None => record.last_incident,
        };
        self.current = record.open.map(|open| StagedIncident {
            counted,
            number: record.last_incident,
            cause: open.cause,
            trip: open.trip,
            started_at: open.started_at,
        });
        let saved = as_saved(record, clock.system_time());
        self.staging = Escalation::restore(*self.staging.policy(), at, counted, &saved);
        self.record = record.clone();
    }

    /// Looks at the breaker, and says what is to be staged of it.
    pub(crate) fn look(&mut self, breaker: &Breaker, policy: EscalationPolicy, clock: &dyn Clock) -> Poll {
        self.is_in_use = true;
        let seen = breaker.read(Observation::of);
        let wall = clock.system_time();
        self.staging.handle_policy(policy);
        self.staging.handle(seen);
        let mut due = Vec::new();
        while let Some(notice) = self.staging.poll_transition() {
            // What is closed may be older than what the breaker is in now.
            if self.current.is_none_or(|staged| staged.counted != notice.incident) {
                self.follow(&seen, wall);
            }
            due.extend(self.current.map(|incident| DueAlert { incident, kind: notice.kind, stage: notice.stage }));
        }
        self.follow(&seen, wall);
        self.write_down(!due.is_empty(), &seen, wall);
        let again_in = if self.staging.waits_for_breach() {
            Some(breaker.read(|core| core.policy().sample_interval))
        } else {
            self.staging.poll_timeout().map(|due| due.since(seen.at))
        };
        Poll { due, record: self.record.clone(), pending: self.pending(breaker, seen.at, wall), again_in }
    }

    /// Turns to the incident that the breaker is in now, if it is in one.
    fn follow(&mut self, seen: &Observation, wall: SystemTime) {
        let Some(incident) = seen.incident.filter(|incident| incident.end.is_none()) else { return };
        match &mut self.current {
            Some(staged) if staged.counted == incident.number => staged.trip = incident.trip,
            _ => self.current = Some(self.first_seen(&incident, seen.at, wall)),
        }
    }

    fn first_seen(&self, incident: &Incident, now: Instant, wall: SystemTime) -> StagedIncident {
        StagedIncident {
            counted: incident.number,
            number: self.number(incident),
            cause: incident.cause,
            trip: incident.trip,
            started_at: before(wall, now.since(incident.began_at)),
        }
    }

    fn number(&self, incident: &Incident) -> u64 {
        self.earlier.saturating_add(u64::from(incident.number))
    }

    /// Keeps the record as it is while nothing has changed: clocks drift, and a time of day computed anew is another one.
    fn write_down(&mut self, staged: bool, seen: &Observation, wall: SystemTime) {
        let last_incident = seen.incident.map_or(self.earlier, |incident| self.number(&incident));
        let saved = self.staging.save();
        let open = saved.incident.zip(self.current).map(|(saved, staged)| OpenIncident {
            cause: staged.cause,
            trip: staged.trip,
            started_at: staged.started_at,
            alert: saved.alert.map(|(kind, stage)| OpenAlert { kind, stage }),
        });
        if staged || last_incident != self.record.last_incident || open != self.record.open {
            let created = AlertKind::ALL.into_iter().zip(saved.created_ago);
            let created =
                created.filter_map(|(kind, ago)| Some(CreatedAlert { kind, at: before(wall, ago?) })).collect();
            self.record = StagingRecord { last_incident, open, created };
        }
    }

    fn pending(&self, breaker: &Breaker, now: Instant, wall: SystemTime) -> Option<PendingAlert> {
        let (pending, staged) = self.staging.pending().zip(self.current)?;
        Some(PendingAlert {
            breaker: breaker.name().clone(),
            incident: staged.number,
            kind: pending.kind,
            cause: staged.cause,
            stage: pending.stage,
            started_at: staged.started_at,
            due_at: pending.due.and_then(|due| wall.checked_add(due.since(now))),
        })
    }
}

/// The record as ages. What lies in the future, because the time of day was set back, is as of now.
fn as_saved(record: &StagingRecord, wall: SystemTime) -> SavedEscalation {
    let age = |at: SystemTime| wall.duration_since(at).unwrap_or_default();
    let incident = record.open.map(|open| SavedIncident {
        age: age(open.started_at),
        tripped: open.trip.is_some(),
        alert: open.alert.map(|alert| (alert.kind, alert.stage)),
    });
    let created_ago =
        AlertKind::ALL.map(|kind| record.created.iter().find(|it| it.kind == kind).map(|created| age(created.at)));
    SavedEscalation { incident, created_ago }
}

fn before(wall: SystemTime, span: Duration) -> SystemTime {
    wall.checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH)
}
