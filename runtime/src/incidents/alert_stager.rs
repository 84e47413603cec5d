//! The staging of alerts: those already sent per incident, and those that are due.

use std::time::{Duration, SystemTime};

use tripline_core::planted::planted;
use tripline_core::{
    AlertKind, Escalation, EscalationPolicy, Incident, IncidentCause, MonotonicInstant, Observation, SavedEscalation,
    SavedIncident, Stage, TripReason,
};

use crate::breaker::name::BreakerName;
use crate::incidents::records::{CreatedAlert, OpenAlert, OpenIncident, StagingRecord};
use crate::incidents::staging_control::PendingAlert;

/// Stages the alerts of one breaker. It belongs to the breaker and not to its supervisor, so that a new supervisor
/// sends no alert twice. Sans-IO: observations and times are inputs, due alerts are outputs.
#[derive(Debug)]
pub(crate) struct AlertStager {
    staging: Escalation,
    /// Number of incidents of earlier processes, which the breaker does not count.
    earlier: u64,
    current: Option<StagedIncident>,
    record: StagingRecord,
    /// The last false trip.
    passed: Option<Passed>,
    is_in_use: bool,
}

/// A false trip: when its first probes had passed, and how long it lasted.
#[derive(Debug, Clone, Copy)]
struct Passed {
    at: MonotonicInstant,
    after: Duration,
}

/// An incident as alerts describe it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StagedIncident {
    /// Its number in the breaker.
    counted: u32,
    pub(crate) number: u64,
    pub(crate) cause: IncidentCause,
    pub(crate) trip: Option<TripReason>,
    pub(crate) started_at: SystemTime,
    /// When it began, in the breaker's own time; zero if it began in an earlier process.
    began_at: MonotonicInstant,
    /// Whether operators simulated every trip of it.
    pub(crate) is_drill: bool,
}

/// An alert that is due.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DueAlert {
    pub(crate) incident: StagedIncident,
    pub(crate) kind: AlertKind,
    pub(crate) stage: Stage,
    /// The duration of the last trip, if that trip was false.
    pub(crate) passed_after: Option<Duration>,
}

/// An observation of a breaker by the supervisor.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) breaker: &'a BreakerName,
    /// The key of a member that has incidents of its own.
    pub(crate) key: Option<&'a str>,
    pub(crate) observation: Observation,
    pub(crate) sample_interval: Duration,
    /// Whether an operator simulated the last trip; `None` before the first trip.
    pub(crate) is_drill: Option<bool>,
}

/// The result of an observation.
#[derive(Debug)]
pub(crate) struct Poll {
    pub(crate) due: Vec<DueAlert>,
    /// The alert of the active incident, at the stage that it has reached.
    pub(crate) current: Option<DueAlert>,
    /// The record to save with the alerts.
    pub(crate) record: StagingRecord,
    pub(crate) pending: Option<PendingAlert>,
    /// When to observe again, even if nothing happens.
    pub(crate) again_in: Option<Duration>,
}

impl Default for AlertStager {
    fn default() -> Self {
        Self {
            staging: Escalation::new(EscalationPolicy::default()),
            earlier: 0,
            current: None,
            record: StagingRecord::default(),
            passed: None,
            is_in_use: false,
        }
    }
}

impl AlertStager {
    /// Marks the stager as in use. Returns true the first time; only then may it be resumed.
    pub(crate) fn start_use(&mut self) -> bool {
        !std::mem::replace(&mut self.is_in_use, true)
    }

    /// Continues from the record of an earlier process. `latest` and `incident` are the breaker's, which has resumed
    /// the record's incident if one was open.
    pub(crate) fn resume(
        &mut self,
        record: &StagingRecord,
        latest: MonotonicInstant,
        incident: Option<Incident>,
        wall: SystemTime,
    ) {
        let counted = incident.map_or(0, |incident| incident.number);
        // If the record has no open incident, one that has begun since is a new one.
        self.earlier = match record.open {
            _ if planted("escalation: incidents are numbered anew after a restart") => 0,
            Some(_) => record.last_incident.saturating_sub(u64::from(counted)),
            None => record.last_incident,
        };
        self.current = record.open.map(|open| StagedIncident {
            counted,
            number: record.last_incident,
            cause: open.cause,
            trip: open.trip,
            started_at: open.started_at,
            began_at: MonotonicInstant::ZERO,
            is_drill: open.is_drill,
        });
        let passed_after = record.open.and_then(|open| open.passed_after);
        self.passed = passed_after.map(|after| Passed { at: latest, after });
        let saved = as_saved(record, wall);
        self.staging = Escalation::restore(*self.staging.policy(), latest, counted, &saved);
        self.record = record.clone();
    }

    /// Returns when an alert was created last.
    pub(crate) fn last_created(&self) -> Option<SystemTime> {
        self.record.created.iter().map(|created| created.at).max()
    }

    /// Records a trip: an earlier false trip does not describe its incident.
    pub(crate) fn tripped(&mut self) {
        self.passed = None;
    }

    /// Records a false trip, whose first probes had passed at `at`, `after` the trip.
    pub(crate) fn false_trip(&mut self, at: MonotonicInstant, after: Duration) {
        self.passed = Some(Passed { at, after });
    }

    fn passed_after(&self, incident: &StagedIncident) -> Option<Duration> {
        self.passed.filter(|passed| passed.at >= incident.began_at).map(|passed| passed.after)
    }

    /// Takes an observation of the breaker. Returns the alerts that are due.
    pub(crate) fn poll(&mut self, seen: &Observed<'_>, mut policy: EscalationPolicy, wall: SystemTime) -> Poll {
        self.is_in_use = true;
        if planted("escalation: the cooldown is ignored") {
            policy.cooldown = Duration::ZERO;
        }
        let observation = &seen.observation;
        self.staging.handle_policy(policy);
        self.staging.handle(*observation);
        let mut due = Vec::new();
        while let Some(transition) = self.staging.poll_transition() {
            if planted("escalation: an incident that ended is not reported") && transition.stage.is_end() {
                continue;
            }
            if planted("escalation: the second stage is not sent") && transition.stage == Stage::Escalated {
                continue;
            }
            // The closed incident may precede the breaker's present one.
            if self.current.is_none_or(|staged| staged.counted != transition.incident) {
                self.follow(seen, wall);
            }
            due.extend(self.current.map(|incident| DueAlert {
                incident,
                kind: transition.kind,
                stage: transition.stage,
                passed_after: self.passed_after(&incident),
            }));
        }
        self.follow(seen, wall);
        self.update_record(!due.is_empty(), observation, wall);
        let again_in = if self.staging.waits_for_breach() {
            Some(seen.sample_interval)
        } else {
            self.staging.poll_timeout().map(|due| due.since(observation.at))
        };
        let current = self
            .record
            .open
            .and_then(|open| open.alert)
            .zip(self.current)
            .map(|(alert, incident)| DueAlert { incident, kind: alert.kind, stage: alert.stage, passed_after: None });
        Poll { due, current, record: self.record.clone(), pending: self.pending(seen, wall), again_in }
    }

    /// Tracks the breaker's present incident, if any.
    fn follow(&mut self, observed: &Observed<'_>, wall: SystemTime) {
        let seen = &observed.observation;
        let Some(incident) = seen.incident.filter(|incident| incident.end.is_none()) else { return };
        match &mut self.current {
            Some(staged) if staged.counted == incident.number => {
                staged.trip = incident.trip;
                // A trip that was not simulated ends the drill.
                staged.is_drill &= observed.is_drill.unwrap_or(true);
            }
            _ => {
                let is_drill = incident.trip.is_some() && observed.is_drill == Some(true);
                self.current = Some(StagedIncident { is_drill, ..self.first_seen(&incident, seen.at, wall) });
            }
        }
    }

    fn first_seen(&self, incident: &Incident, now: MonotonicInstant, wall: SystemTime) -> StagedIncident {
        StagedIncident {
            counted: incident.number,
            number: self.number(incident),
            cause: incident.cause,
            trip: incident.trip,
            started_at: before(wall, now.since(incident.began_at)),
            began_at: incident.began_at,
            is_drill: false,
        }
    }

    fn number(&self, incident: &Incident) -> u64 {
        self.earlier.saturating_add(u64::from(incident.number))
    }

    /// Keeps the record while nothing has changed: a recomputed time of day would differ, because clocks drift.
    fn update_record(&mut self, staged: bool, seen: &Observation, wall: SystemTime) {
        let last_incident = seen.incident.map_or(self.earlier, |incident| self.number(&incident));
        let saved = self.staging.save();
        let open = saved.incident.zip(self.current).map(|(saved, staged)| OpenIncident {
            cause: staged.cause,
            trip: staged.trip,
            started_at: staged.started_at,
            alert: saved.alert.map(|(kind, stage)| OpenAlert { kind, stage }),
            is_drill: staged.is_drill,
            passed_after: self.passed_after(&staged),
        });
        if staged || last_incident != self.record.last_incident || open != self.record.open {
            let created = AlertKind::ALL.into_iter().zip(saved.created_ago);
            let created =
                created.filter_map(|(kind, ago)| Some(CreatedAlert { kind, at: before(wall, ago?) })).collect();
            self.record = StagingRecord { last_incident, open, created };
        }
    }

    fn pending(&self, seen: &Observed<'_>, wall: SystemTime) -> Option<PendingAlert> {
        let now = seen.observation.at;
        let (pending, staged) = self.staging.pending().zip(self.current)?;
        Some(PendingAlert {
            breaker: seen.breaker.clone(),
            key: seen.key.map(str::to_owned),
            incident: staged.number,
            kind: pending.kind,
            cause: staged.cause,
            stage: pending.stage,
            started_at: staged.started_at,
            due_at: pending.due.and_then(|due| wall.checked_add(due.since(now))),
        })
    }
}

/// Converts the record to ages. An instant in the future, after the time of day was set back, has the age 0.
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
