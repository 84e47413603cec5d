//! When an incident started, and when it is really over.

use crate::event::{IncidentCause, IncidentEnd};
use crate::monotonic::MonotonicInstant;
use crate::packed_policy::PackedPolicy;
use crate::state::TripReason;

/// An incident without calls to prove that it is over ends after so many recovery times.
const QUIET_RECOVERY_TIMES: u64 = 10;

/// An incident that is on, or was on last.
#[cfg(feature = "escalation")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incident {
    /// How many incidents the breaker had with this one; wraps after 2^32.
    pub number: u32,
    /// When it began, or was resumed, in the breaker's own time.
    pub began_at: MonotonicInstant,
    /// What it began with.
    pub cause: IncidentCause,
    /// Why the breaker opened first in it; `None` where it has not.
    pub trip: Option<TripReason>,
    /// How it ended; `None` while it is on.
    pub end: Option<IncidentEnd>,
    /// How the incident before it ended, if there was one.
    pub end_before: Option<IncidentEnd>,
}

/// Whether an incident is on, and how long things have been bad before it or good in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IncidentTracker {
    open: bool,
    health: Health,
    calls_since_closed: u16,
    #[cfg(feature = "escalation")]
    last: Option<Incident>,
}

/// What a closed breaker was last found to be, and since when.
#[derive(Debug, Clone, Copy)]
enum Health {
    /// Not closed, or not looked at since.
    Unknown,
    /// A condition holds.
    Condition(MonotonicInstant),
    /// None does.
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

    /// The incident that is on, or was on last.
    #[cfg(feature = "escalation")]
    pub(crate) const fn last(&self) -> Option<Incident> {
        self.last
    }

    /// A closed breaker is in a condition that keeps an incident open, or may begin one.
    pub(crate) fn has_condition(&self) -> bool {
        matches!(self.health, Health::Condition(_))
    }

    /// Calls may begin or end something: an incident is on, or may be about to be.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn has_news_of_calls(&self) -> bool {
        self.open || self.has_condition()
    }

    /// The breaker left Closed, or came back to it at `closed_at`.
    pub(crate) fn state_changed(&mut self, closed_at: Option<MonotonicInstant>) {
        self.health = closed_at.map_or(Health::Unknown, Health::Healthy);
        self.calls_since_closed = 0;
    }

    /// A call was recorded while closed.
    pub(crate) fn call_recorded(&mut self) {
        self.calls_since_closed = self.calls_since_closed.saturating_add(1);
    }

    /// The breaker opened; returns the incident's cause if it begins with this.
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

    /// An incident of an earlier life goes on, with its first trip if it had one; one that has begun meanwhile is taken for it.
    /// Recovery is counted from here.
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

    /// An operator says that it is over.
    pub(crate) fn end_by_operator(&mut self) -> Option<IncidentEnd> {
        self.open.then(|| self.finish(IncidentEnd::Operator))
    }

    /// Looks at a closed breaker in which a condition holds, `cause`; returns it if an incident begins with it.
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

    /// Looks at a closed and healthy breaker; returns the end if the incident is over.
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

    /// When time alone begins or ends an incident, if nothing else happens; [`MonotonicInstant::MAX`] = never.
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
