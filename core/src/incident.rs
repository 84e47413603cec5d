//! Tracks when an incident begins and when it ends.

use crate::event::{IncidentCause, IncidentEnd};
use crate::monotonic::MonotonicInstant;
use crate::packed_policy::PackedPolicy;
use crate::state::TripReason;

/// An incident that too few calls confirm to be over ends after this many recovery times.
const QUIET_RECOVERY_TIMES: u64 = 10;

/// The active incident, or the last one.
#[cfg(feature = "escalation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// Number of the breaker's incidents up to this one; wraps after 2^32.
    pub number: u32,
    /// When it began, or was resumed, in the breaker's own time.
    pub began_at: MonotonicInstant,
    /// The cause of the incident.
    pub cause: IncidentCause,
    /// The reason of its first trip; `None` without a trip.
    pub trip: Option<TripReason>,
    /// How it ended; `None` while it is active.
    pub end: Option<IncidentEnd>,
    /// How the incident before it ended, if there was one.
    pub end_before: Option<IncidentEnd>,
}

/// Whether an incident is active, and since when a condition holds or the breaker is healthy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IncidentTracker {
    open: bool,
    health: Health,
    calls_since_closed: u16,
    #[cfg(feature = "escalation")]
    last: Option<Incident>,
}

/// The last known health of a closed breaker, with the time since when it holds.
#[derive(Debug, Clone, Copy)]
enum Health {
    /// Not closed, or not evaluated since it closed.
    Unknown,
    /// A condition holds.
    Condition(MonotonicInstant),
    /// No condition holds.
    Healthy(MonotonicInstant),
}

impl IncidentTracker {
    pub(crate) const fn new() -> Self {
        Self {
            open: false,
            health: Health::Unknown,
            calls_since_closed: 0,
            #[cfg(feature = "escalation")]
            last: None,
        }
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.open
    }

    /// Returns the active incident, or the last one.
    #[cfg(feature = "escalation")]
    pub(crate) const fn last(&self) -> Option<Incident> {
        self.last
    }

    /// Whether a condition holds that keeps an incident active or may begin one.
    pub(crate) fn has_condition(&self) -> bool {
        matches!(self.health, Health::Condition(_))
    }

    /// Whether a call may begin or end an incident.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn has_news_of_calls(&self) -> bool {
        self.open || self.has_condition()
    }

    /// Records that the breaker left Closed, or returned to it at `closed_at`.
    pub(crate) fn state_changed(&mut self, closed_at: Option<MonotonicInstant>) {
        self.health = closed_at.map_or(Health::Unknown, Health::Healthy);
        self.calls_since_closed = 0;
    }

    /// Records a call in a closed breaker.
    pub(crate) fn call_recorded(&mut self) {
        self.calls_since_closed = self.calls_since_closed.saturating_add(1);
    }

    /// Records calls in a closed breaker.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn calls_recorded(&mut self, calls: u64) {
        self.calls_since_closed = u64::from(self.calls_since_closed).saturating_add(calls).min(u16::MAX.into()) as u16;
    }

    /// Records a trip. Returns the incident's cause if the trip begins an incident.
    pub(crate) fn tripped(&mut self, now: MonotonicInstant, reason: TripReason) -> Option<IncidentCause> {
        let begins = !self.open;
        if begins {
            self.begin(now, IncidentCause::Trip(reason));
        }
        #[cfg(feature = "escalation")]
        if let Some(last) = &mut self.last {
            last.trip = last.trip.or(Some(reason));
        }
        begins.then_some(IncidentCause::Trip(reason))
    }

    /// Continues an incident of the previous process, with its first trip if it had one. An incident that has begun
    /// since is taken for the same one. Recovery counts from now.
    #[cfg_attr(not(feature = "escalation"), expect(unused_variables, reason = "only staging looks at the trip"))]
    pub(crate) fn resume(&mut self, now: MonotonicInstant, cause: IncidentCause, trip: Option<TripReason>) {
        self.state_changed(None);
        if !self.open {
            self.begin(now, cause);
        }
        #[cfg(feature = "escalation")]
        if let Some(last) = &mut self.last {
            last.cause = cause;
            last.trip = trip.or(last.trip);
        }
    }

    /// Ends the incident on behalf of an operator.
    pub(crate) fn end_by_operator(&mut self) -> Option<IncidentEnd> {
        self.open.then(|| self.finish(IncidentEnd::Operator))
    }

    /// Records that the condition `cause` holds in a closed breaker. Returns the cause if an incident begins.
    pub(crate) fn condition_holds(
        &mut self,
        now: MonotonicInstant,
        cause: IncidentCause,
        settings: &PackedPolicy,
    ) -> Option<IncidentCause> {
        let since = if let Health::Condition(since) = self.health { since } else { now };
        self.health = Health::Condition(since);
        if self.open || now.nanos_since(since) < settings.recovery_time_nanos {
            return None;
        }
        self.begin(now, cause);
        Some(cause)
    }

    /// Records that a closed breaker is healthy. Returns the end if the incident is over.
    pub(crate) fn healthy(
        &mut self,
        now: MonotonicInstant,
        settings: &PackedPolicy,
        minimum_samples: u16,
    ) -> Option<IncidentEnd> {
        if !matches!(self.health, Health::Healthy(_)) {
            self.health = if self.open { Health::Healthy(now) } else { Health::Unknown };
        }
        if !self.open {
            return None;
        }
        if now < self.deadline(settings, minimum_samples) {
            return None;
        }
        self.health = Health::Unknown;
        Some(self.finish(IncidentEnd::Healthy))
    }

    /// When time alone begins or ends an incident; [`MonotonicInstant::MAX`] = never.
    pub(crate) fn deadline(&self, settings: &PackedPolicy, minimum_samples: u16) -> MonotonicInstant {
        let recovery = settings.recovery_time_nanos;
        match (self.open, self.health) {
            (false, Health::Condition(since)) => since.plus_nanos(recovery),
            (true, Health::Healthy(since)) if self.calls_since_closed >= minimum_samples => since.plus_nanos(recovery),
            (true, Health::Healthy(since)) => since.plus_nanos(recovery.saturating_mul(QUIET_RECOVERY_TIMES)),
            _ => MonotonicInstant::MAX,
        }
    }

    #[cfg_attr(not(feature = "escalation"), expect(unused_variables, reason = "only staging looks at them"))]
    fn begin(&mut self, now: MonotonicInstant, cause: IncidentCause) {
        self.open = true;
        #[cfg(feature = "escalation")]
        {
            let number = self.last.map_or(0, |last| last.number).wrapping_add(1);
            let end_before = self.last.and_then(|last| last.end);
            self.last = Some(Incident { number, began_at: now, cause, trip: None, end: None, end_before });
        }
    }

    fn finish(&mut self, end: IncidentEnd) -> IncidentEnd {
        self.open = false;
        #[cfg(feature = "escalation")]
        if let Some(last) = &mut self.last {
            last.end = Some(end);
        }
        end
    }
}
