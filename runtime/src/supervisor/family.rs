//! Supervision of the members of a family, and their common incident.

use std::collections::BTreeSet;
use std::time::Duration;

use tripline_core::{
    Event, EventKind, Incident, IncidentCause, IncidentEnd, Instant, MonotonicInstant, Observation, StateKind,
    TripReason,
};

use crate::breaker::Breaker;
use crate::family::Family;
use crate::family::key::SHARED;
use crate::incidents::alert::FamilySummary;
use crate::memory::MemoryReading;
use crate::supervisor::agenda::Agenda;
use crate::supervisor::event_log::log_transition;
use crate::supervisor::timers::MIN_SLEEP;
use crate::sync::Arc;

/// An incident that a restart went on with is held at least so long.
const MIN_HOLD: Duration = Duration::from_secs(60);
/// Minimum interval between sweeps for idle members.
const MIN_SWEEP: Duration = Duration::from_secs(1);

/// A family under supervision.
#[derive(Debug)]
pub(crate) struct WatchedFamily {
    family: Family,
    sweep_at: Instant,
    /// The keys of members in an incident, including the shared one.
    in_incident: BTreeSet<Arc<str>>,
    /// How the incident of the member ended that was in one last.
    last_end: IncidentEnd,
    /// An incident that a restart went on with does not end before: its members are not known, and come back with their calls.
    held_until: MonotonicInstant,
}

impl WatchedFamily {
    pub(crate) fn new(family: Family) -> Self {
        Self {
            family,
            sweep_at: Instant::ZERO,
            in_incident: BTreeSet::new(),
            last_end: IncidentEnd::Healthy,
            held_until: MonotonicInstant::ZERO,
        }
    }

    /// An incident of an earlier process goes on. No member is known to be in it, so none is made half-open.
    pub(crate) fn resume_incident(&mut self, cause: IncidentCause, trip: Option<TripReason>) {
        let shared = self.family.shared();
        let (now, recovery_time) = shared.read(|core| (core.latest(), core.policy().recovery_time));
        self.held_until = now + recovery_time.max(MIN_HOLD);
        let incident = Incident { number: 1, began_at: now, cause, trip, end: None, end_before: None };
        self.family.set_incident(Some(incident));
    }

    /// The incident that its members have together, as [`WatchedFamily::observe`] saw it last.
    pub(crate) fn incident(&self) -> Option<Incident> {
        self.family.incident()
    }

    /// The supervisor of this agenda looks after the members from now on.
    pub(crate) fn begin(&self, place: usize, agenda: &Arc<Agenda>) {
        self.family.supervise(place, agenda);
    }

    /// Removes the supervisor of this agenda from the members.
    pub(crate) fn leave(&self, agenda: &Arc<Agenda>) {
        self.family.leave(agenda);
    }

    /// Removes idle members, where that is due; returns when to look again.
    pub(crate) fn sweep(&mut self, now: Instant) -> Instant {
        let every = (self.family.limits().idle_time / 4).max(MIN_SWEEP);
        if now >= self.sweep_at || self.sweep_at > now + every {
            self.family.remove_idle();
            self.sweep_at = now + every;
        }
        let held_until = self.family.shared().read(|core| core.on_clock(self.held_until));
        if held_until > now { held_until.min(self.sweep_at) } else { self.sweep_at }
    }

    /// Passes a reading of the shared member to all members.
    pub(crate) fn handle_memory(&self, now: Instant, reading: Option<&MemoryReading>) {
        for member in self.family.members().iter().skip(1) {
            member.handle_memory_reading(now, reading.cloned());
        }
    }

    /// Polls one member. Returns when to poll again, and whether the incident may have changed, of which a member with `own` incidents is
    /// no part.
    pub(crate) fn look_after_member(&mut self, key: &Arc<str>, own: bool, now: Instant) -> (Option<Instant>, bool) {
        let Some(member) = self.family.member(key) else {
            self.last_end = IncidentEnd::Healthy;
            return (None, self.in_incident.remove(key));
        };
        member.handle_timeout(now);
        let mut has_changed = false;
        while let Some(event) = member.poll_event() {
            has_changed = true;
            log_transition(&member, &event);
            note_trips(&member, &event);
        }
        if !own {
            has_changed |= self.note(key, &member);
        }
        let next = member.next_deadline(now).map(|at| if at > now { at } else { now + MIN_SLEEP });
        (next, has_changed)
    }

    /// Records whether a member is in an incident. Returns true if that changed.
    fn note(&mut self, key: &Arc<str>, member: &Breaker) -> bool {
        if member.read(tripline_core::Breaker::is_in_incident) {
            return self.in_incident.insert(key.clone());
        }
        let is_over = self.in_incident.remove(key);
        if is_over {
            let end = member.read(tripline_core::Breaker::incident).and_then(|incident| incident.end);
            self.last_end = end.unwrap_or(IncidentEnd::Healthy);
        }
        is_over
    }

    /// The family as one breaker, in the own time of the shared member: in an incident while a member is. And the worst member.
    pub(crate) fn observe(&mut self) -> (Observation, Breaker) {
        let shared = self.family.shared().clone();
        self.note(&SHARED.into(), &shared);
        let worst = self.worst().unwrap_or_else(|| shared.clone());
        let (at, of_worst) = (shared.read(tripline_core::Breaker::latest), worst.read(Observation::of));
        let before = self.family.incident();
        let incident = match (before, self.in_incident.is_empty()) {
            (Some(open), false) if open.end.is_none() => {
                Some(Incident { trip: open.trip.or(of_worst.incident.and_then(|incident| incident.trip)), ..open })
            }
            (before, false) => of_worst.incident.map(|incident| {
                let age = of_worst.at.since(incident.began_at);
                Incident {
                    number: before.map_or(1, |before| before.number.wrapping_add(1)),
                    // Each breaker has a time of its own once a clock was set back.
                    began_at: MonotonicInstant::from_nanos(at.as_nanos().saturating_sub(nanos(age))),
                    end: None,
                    end_before: before.and_then(|before| before.end),
                    ..incident
                }
            }),
            (Some(open), true) if open.end.is_none() && at >= self.held_until => {
                Some(Incident { end: Some(self.last_end), ..open })
            }
            (before, true) => before,
        };
        self.family.set_incident(incident);
        let is_unhealthy = !self.in_incident.is_empty() && of_worst.is_unhealthy;
        (Observation { at, incident, is_unhealthy }, worst)
    }

    /// Returns the member in an incident that has not been closed for longest.
    fn worst(&self) -> Option<Breaker> {
        let members = self.in_incident.iter().filter_map(|key| self.family.member(key));
        members.min_by_key(|member| {
            member.read(|core| {
                let began_at = core.incident().map_or(Instant::MAX, |incident| core.on_clock(incident.began_at));
                (core.state() == tripline_core::State::Closed, began_at)
            })
        })
    }

    /// Returns the family's part of an alert.
    pub(crate) fn summary(&self, worst: &Breaker) -> FamilySummary {
        let members = self.in_incident.iter().filter_map(|key| self.family.member(key));
        let open = members.filter(|member| member.state().is_triggered()).count();
        FamilySummary { open, keys: self.family.len(), worst: worst.key().unwrap_or_default().to_owned() }
    }
}

/// Records trips and false trips for the alerts of the member's own incident.
fn note_trips(member: &Breaker, event: &Event) {
    match event.kind {
        EventKind::Transition { from, to: StateKind::Open, .. } if from != StateKind::Open => {
            member.incident().tripped();
        }
        EventKind::FalseTrip => {
            let trip = member.read(tripline_core::Breaker::last_trip);
            let after = trip.map_or(Duration::ZERO, |trip| event.at.since(trip.at));
            member.incident().false_trip(event.at, after);
        }
        _ => {}
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
