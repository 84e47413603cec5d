//! When an incident started, and when it is really over.

use crate::event::{IncidentCause, IncidentEnd};
use crate::settings::Settings;
use crate::state::TripReason;
use crate::time::Instant;

/// An incident without calls to prove that it is over ends after so many recovery times.
const QUIET_RECOVERY_TIMES: u64 = 10;

/// Whether an incident is on, and how long things have been bad before it or good in it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IncidentTracker {
    open: bool,
    health: Health,
    calls_since_closed: u16,
}

/// What a closed breaker was last found to be, and since when.
#[derive(Debug, Clone, Copy)]
enum Health {
    /// Not closed, or not looked at since.
    Unknown,
    /// A condition holds.
    Condition(Instant),
    /// None does.
    Healthy(Instant),
}

impl IncidentTracker {
    pub(crate) const fn new() -> Self {
        Self { open: false, health: Health::Unknown, calls_since_closed: 0 }
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.open
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
    pub(crate) fn state_changed(&mut self, closed_at: Option<Instant>) {
        self.health = closed_at.map_or(Health::Unknown, Health::Healthy);
        self.calls_since_closed = 0;
    }

    /// A call was recorded while closed.
    pub(crate) fn call_recorded(&mut self) {
        self.calls_since_closed = self.calls_since_closed.saturating_add(1);
    }

    /// The breaker opened; tells the incident's cause if it begins with this.
    pub(crate) fn tripped(&mut self, reason: TripReason) -> Option<IncidentCause> {
        let begins = !core::mem::replace(&mut self.open, true);
        begins.then_some(IncidentCause::Trip(reason))
    }

    /// An operator says that it is over.
    pub(crate) fn end_by_operator(&mut self) -> Option<IncidentEnd> {
        core::mem::replace(&mut self.open, false).then_some(IncidentEnd::Operator)
    }

    /// Looks at a closed breaker in which a condition holds; tells the cause if an incident begins with it.
    pub(crate) fn condition_holds(&mut self, now: Instant, settings: &Settings) -> Option<IncidentCause> {
        let since = if let Health::Condition(since) = self.health { since } else { now };
        self.health = Health::Condition(since);
        if self.open || now.nanos_since(since) < settings.recovery_time_nanos {
            return None;
        }
        self.open = true;
        Some(IncidentCause::LatencyCondition)
    }

    /// Looks at a closed and healthy breaker; tells the end if the incident is over.
    pub(crate) fn healthy(&mut self, now: Instant, settings: &Settings, minimum_samples: u16) -> Option<IncidentEnd> {
        if !matches!(self.health, Health::Healthy(_)) {
            self.health = if self.open { Health::Healthy(now) } else { Health::Unknown };
        }
        if !self.open {
            return None;
        }
        if now < self.deadline(settings, minimum_samples) {
            return None;
        }
        self.open = false;
        self.health = Health::Unknown;
        Some(IncidentEnd::Healthy)
    }

    /// When time alone begins or ends an incident, if nothing else happens; [`Instant::MAX`] = never.
    pub(crate) fn deadline(&self, settings: &Settings, minimum_samples: u16) -> Instant {
        let recovery = settings.recovery_time_nanos;
        match (self.open, self.health) {
            (false, Health::Condition(since)) => since.plus_nanos(recovery),
            (true, Health::Healthy(since)) if self.calls_since_closed >= minimum_samples => since.plus_nanos(recovery),
            (true, Health::Healthy(since)) => since.plus_nanos(recovery.saturating_mul(QUIET_RECOVERY_TIMES)),
            _ => Instant::MAX,
        }
    }
}
