//! What a supervisor does for the members of a family, and the one incident that they have together.

use std::collections::BTreeSet;
use std::time::Duration;

use tripline_core::{Incident, IncidentEnd, Instant, Observation};

use crate::breaker::Breaker;
use crate::family::Family;
use crate::incidents::alert::FamilySummary;
use crate::memory::MemoryReading;
use crate::supervisor::agenda::Agenda;
use crate::supervisor::event_log::log_transition;
use crate::supervisor::timers::MIN_SLEEP;
use crate::sync::Arc;

/// Idle members are looked for so often at most.
const MIN_SWEEP: Duration = Duration::from_secs(1);

/// A family under supervision.
#[derive(Debug)]
pub(crate) struct WatchedFamily {
    family: Family,
    sweep_at: Instant,
    /// The keys of members that are in an incident; the shared one included.
    in_incident: BTreeSet<Arc<str>>,
    /// The incident that they have together; the last one, where none is on.
    incident: Option<Incident>,
}

impl WatchedFamily {
    pub(crate) fn new(family: Family) -> Self {
        // One of an earlier process goes on under its number.
        let incident = family.shared().read(tripline_core::Breaker::incident);
        Self { family, sweep_at: Instant::ZERO, in_incident: BTreeSet::new(), incident }
    }

    /// The supervisor of this agenda no longer looks after the members.
    pub(crate) fn leave(&self, agenda: &Arc<Agenda>) {
        self.family.leave(agenda);
    }

    /// Removes idle members, where that is due; returns when it is next.
    pub(crate) fn sweep(&mut self, now: Instant) -> Instant {
        let every = (self.family.limits().idle_time / 4).max(MIN_SWEEP);
        if now >= self.sweep_at || self.sweep_at > now + every {
            self.family.remove_idle();
            self.sweep_at = now + every;
        }
        self.sweep_at
    }

    /// Gives every member a reading that the shared one has had.
    pub(crate) fn handle_memory(&self, now: Instant, reading: Option<&MemoryReading>) {
        for member in self.family.members().iter().skip(1) {
            member.handle_memory_reading(now, reading.cloned());
        }
    }

    /// Does what is due for one member; returns when to look again, and whether the incident may have changed.
    pub(crate) fn look_after_member(&mut self, key: &Arc<str>, now: Instant) -> (Option<Instant>, bool) {
        let Some(member) = self.family.member(key) else {
            return (None, self.in_incident.remove(key));
        };
        member.handle_timeout(now);
        let mut has_changed = false;
        while let Some(event) = member.poll_event() {
            has_changed = true;
            log_transition(&member, &event);
        }
        has_changed |= self.note(key, &member);
        let next = member.next_deadline(now).map(|at| if at > now { at } else { now + MIN_SLEEP });
        (next, has_changed)
    }

    /// Notes whether a member is in an incident; true where that is new.
    fn note(&mut self, key: &Arc<str>, member: &Breaker) -> bool {
        if member.read(tripline_core::Breaker::is_in_incident) {
            self.in_incident.insert(key.clone())
        } else {
            self.in_incident.remove(key)
        }
    }

    /// The family as one breaker: in an incident while a member is.
    pub(crate) fn observe(&mut self) -> (Observation, Breaker) {
        let shared = self.family.shared().clone();
        self.note(&crate::family::key::SHARED.into(), &shared);
        let worst = self.worst().unwrap_or_else(|| shared.clone());
        let (at, of_worst) = (shared.read(tripline_core::Breaker::latest), worst.read(Observation::of));
        let before = self.incident;
        self.incident = match (before, self.in_incident.is_empty()) {
            (Some(open), false) if open.end.is_none() => {
                Some(Incident { trip: open.trip.or(of_worst.incident.and_then(|incident| incident.trip)), ..open })
            }
            (before, false) => of_worst.incident.map(|incident| Incident {
                number: before.map_or(1, |before| before.number.wrapping_add(1)),
                end: None,
                end_before: before.and_then(|before| before.end),
                ..incident
            }),
            (Some(open), true) if open.end.is_none() => Some(Incident { end: Some(IncidentEnd::Healthy), ..open }),
            (before, true) => before,
        };
        let is_unhealthy = !self.in_incident.is_empty() && of_worst.is_unhealthy;
        (Observation { at: at.max(of_worst.at), incident: self.incident, is_unhealthy }, worst)
    }

    /// Of the members in an incident, the one that is not closed for longest.
    fn worst(&self) -> Option<Breaker> {
        let members = self.in_incident.iter().filter_map(|key| self.family.member(key));
        members.min_by_key(|member| {
            member.read(|core| {
                let began_at = core.incident().map_or(Instant::MAX, |incident| core.on_clock(incident.began_at));
                (core.state() == tripline_core::State::Closed, began_at)
            })
        })
    }

    /// What an alert says of the family.
    pub(crate) fn summary(&self, worst: &Breaker) -> FamilySummary {
        let members = self.in_incident.iter().filter_map(|key| self.family.member(key));
        let open = members.filter(|member| member.state().is_triggered()).count();
        FamilySummary { open, keys: self.family.len(), worst: worst.key().unwrap_or_default().to_owned() }
    }
}
