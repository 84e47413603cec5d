//! What people were told of, for whoever tells them next.

use std::time::{Duration, SystemTime};

use tripline_core::{
    AlertKind, Incident, IncidentCause, Instant, Observation, SavedIncident, SavedStaging, Stage, Staging,
    StagingPolicy, TripReason,
};

use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::staging_control::PendingAlert;
use crate::staging_record::{CreatedAlert, OpenAlert, OpenIncident, StagingRecord};

/// The staging of one breaker. It belongs to the breaker and not to its supervisor, so that one that takes the place of
/// another tells nothing twice.
#[derive(Debug)]
pub(crate) struct IncidentBook {
    staging: Staging,
    /// Incidents of the breaker's earlier lives, which it does not count itself.
    earlier: u64,
    told: Option<ToldIncident>,
    record: StagingRecord,
    is_in_use: bool,
}

/// An incident as it stands in alerts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToldIncident {
    /// What the breaker counts it as.
    counted: u32,
    pub(crate) number: u64,
    pub(crate) cause: IncidentCause,
    pub(crate) trip: Option<TripReason>,
    pub(crate) started_at: SystemTime,
}

/// Something that people are to be told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct News {
    pub(crate) incident: ToldIncident,
    pub(crate) kind: AlertKind,
    pub(crate) stage: Stage,
}

/// What came of a look at the breaker.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) news: Vec<News>,
    /// What must not be lost now.
    pub(crate) record: StagingRecord,
    pub(crate) pending: Option<PendingAlert>,
    /// When to look again, though nothing happens.
    pub(crate) again_in: Option<Duration>,
}

impl Default for IncidentBook {
    fn default() -> Self {
        Self {
            staging: Staging::new(StagingPolicy::default()),
            earlier: 0,
            told: None,
            record: StagingRecord::default(),
            is_in_use: false,
        }
    }
}

impl IncidentBook {
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
        self.told = record.open.map(|open| ToldIncident {
            counted,
            number: record.last_incident,
            cause: open.cause,
            trip: open.trip,
            started_at: open.started_at,
        });
        let saved = as_saved(record, clock.wall());
        self.staging = Staging::restore(*self.staging.policy(), at, counted, &saved);
        self.record = record.clone();
    }

    /// Looks at the breaker, and says what is to be told of it.
    pub(crate) fn look(&mut self, breaker: &Breaker, policy: StagingPolicy, clock: &dyn Clock) -> Look {
        self.is_in_use = true;
        let seen = breaker.read(Observation::of);
        let wall = clock.wall();
        self.staging.handle_policy(policy);
        self.staging.handle(seen);
        let mut news = Vec::new();
        while let Some(notice) = self.staging.poll_notice() {
            // What is closed may be older than what the breaker is in now.
            if self.told.is_none_or(|told| told.counted != notice.incident) {
                self.follow(&seen, wall);
            }
            news.extend(self.told.map(|incident| News { incident, kind: notice.kind, stage: notice.stage }));
        }
        self.follow(&seen, wall);
        self.write_down(!news.is_empty(), &seen, wall);
        let again_in = if self.staging.waits_for_breach() {
            Some(breaker.read(|core| core.policy().sample_interval))
        } else {
            self.staging.poll_deadline().map(|due| due.since(seen.at))
        };
        Look { news, record: self.record.clone(), pending: self.pending(breaker, seen.at, wall), again_in }
    }

    /// Turns to the incident that the breaker is in now, if it is in one.
    fn follow(&mut self, seen: &Observation, wall: SystemTime) {
        let Some(incident) = seen.incident.filter(|incident| incident.end.is_none()) else { return };
        match &mut self.told {
            Some(told) if told.counted == incident.number => told.trip = incident.trip,
            _ => self.told = Some(self.first_seen(&incident, seen.at, wall)),
        }
    }

    fn first_seen(&self, incident: &Incident, now: Instant, wall: SystemTime) -> ToldIncident {
        ToldIncident {
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
    fn write_down(&mut self, told: bool, seen: &Observation, wall: SystemTime) {
        let last_incident = seen.incident.map_or(self.earlier, |incident| self.number(&incident));
        let saved = self.staging.save();
        let open = saved.incident.zip(self.told).map(|(saved, told)| OpenIncident {
            cause: told.cause,
            trip: told.trip,
            started_at: told.started_at,
            alert: saved.alert.map(|(kind, stage)| OpenAlert { kind, stage }),
        });
        if told || last_incident != self.record.last_incident || open != self.record.open {
            let created = AlertKind::ALL.into_iter().zip(saved.created_ago);
            let created =
                created.filter_map(|(kind, ago)| Some(CreatedAlert { kind, at: before(wall, ago?) })).collect();
            self.record = StagingRecord { last_incident, open, created };
        }
    }

    fn pending(&self, breaker: &Breaker, now: Instant, wall: SystemTime) -> Option<PendingAlert> {
        let (pending, told) = self.staging.pending().zip(self.told)?;
        Some(PendingAlert {
            breaker: breaker.name().clone(),
            incident: told.number,
            kind: pending.kind,
            cause: told.cause,
            stage: pending.stage,
            started_at: told.started_at,
            due_at: pending.due.and_then(|due| wall.checked_add(due.since(now))),
        })
    }
}

/// The record as ages. What lies in the future, because the time of day was set back, is as of now.
fn as_saved(record: &StagingRecord, wall: SystemTime) -> SavedStaging {
    let age = |at: SystemTime| wall.duration_since(at).unwrap_or_default();
    let incident = record.open.map(|open| SavedIncident {
        age: age(open.started_at),
        tripped: open.trip.is_some(),
        alert: open.alert.map(|alert| (alert.kind, alert.stage)),
    });
    let created_ago =
        AlertKind::ALL.map(|kind| record.created.iter().find(|it| it.kind == kind).map(|created| age(created.at)));
    SavedStaging { incident, created_ago }
}

fn before(wall: SystemTime, span: Duration) -> SystemTime {
    wall.checked_sub(span).unwrap_or(SystemTime::UNIX_EPOCH)
}
