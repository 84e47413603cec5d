//! The inputs that keep a breaker going, for the supervisor or a driver of your own.

use event_listener::EventListener;
use tripline_core::{Event, IncidentCause, Instant, TripReason};

use crate::breaker::Breaker;
use crate::breaker::supervision::Supervision;
use crate::hot_path::samples::SharedCore;
use crate::hot_path::stall_detector::Now;
use crate::incidents::alert_stager::AlertStager;
use crate::sync::{MutexGuard, lock};

/// Driving, for the supervisor or a driver of your own.
impl Breaker {
    /// Lets time pass: calls in flight become stalled, samples age, a lost probe is given up, an incident ends.
    pub fn handle_timeout(&self, now: Instant) {
        self.inner.with_exclusive(|exclusive, epochs| {
            let now = self.inner.confirm(exclusive, now);
            exclusive.count_stalled(Now::Clock(now), epochs);
            exclusive.core.handle_timeout(now);
        });
    }

    /// `count` calls are in flight for longer than [`Breaker::slow_after`]: for a driver that knows its calls, with
    /// [`stall_detection`](crate::Builder::stall_detection) off.
    pub fn handle_stalled(&self, now: Instant, count: u16) {
        self.inner.with_core(|core| core.handle_stalled(now, core.generation(), count));
    }

    /// When [`Breaker::handle_timeout`] is due at the latest, if nothing else happens.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        self.inner.with_exclusive(|exclusive, epochs| exclusive.next_deadline(now, epochs))
    }

    /// The next event. Each is handed out once: to the supervisor, where there is one.
    pub fn poll_event(&self) -> Option<Event> {
        self.inner.with_core(SharedCore::poll_event)
    }

    /// Resolves when an event happens, or the policy is changed, after this call.
    pub fn changed(&self) -> EventListener {
        self.inner.shared().listen()
    }

    /// Whether a supervisor looks after this breaker; without one, memory and alerts do not work.
    pub fn is_supervised(&self) -> bool {
        self.inner.supervision.is_supervised()
    }

    /// Whether a supervisor looks after this breaker and keeps up. Reads the clock; owns nothing.
    pub fn supervision(&self) -> Supervision {
        self.inner.supervision.at(self.inner.clock.now())
    }

    pub(crate) fn supervise(&self) -> Supervised {
        self.inner.supervision.enter(self.inner.clock.now());
        Supervised { breaker: self.clone() }
    }

    /// An incident of an earlier process goes on.
    pub(crate) fn resume_incident(&self, cause: IncidentCause, trip: Option<TripReason>) {
        self.inner.operate(|core, now| core.resume_incident(now, cause, trip));
    }

    pub(crate) fn incident(&self) -> MutexGuard<'_, AlertStager> {
        lock(&self.inner.rare().incident)
    }
}

/// While it lives, the breaker counts as supervised.
#[derive(Debug)]
pub(crate) struct Supervised {
    breaker: Breaker,
}

impl Supervised {
    /// A look begins, at this breaker or another one of the same supervisor.
    pub(crate) fn look_begins(&self, now: Instant) {
        self.breaker.inner.supervision.look_begins(now);
    }

    /// The look is over; `None` = the next one waits for a change.
    pub(crate) fn look_ends(&self, next: Option<Instant>) {
        self.breaker.inner.supervision.look_ends(next);
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.breaker.inner.supervision.leave();
    }
}
