//! Periodic inputs of a breaker, from the supervisor or a custom driver.

use event_listener::EventListener;
use tripline_core::{Event, IncidentCause, Instant, TripReason};

use crate::breaker::Breaker;
use crate::breaker::supervision::Supervision;
use crate::hot_path::samples::SharedCore;
use crate::hot_path::stall_detector::Now;
use crate::incidents::alert_stager::AlertStager;
use crate::sync::{MutexGuard, lock};

/// Driving, for the supervisor or a custom driver.
impl Breaker {
    /// Advances time: calls in flight become stalled, samples expire, a lost probe is given up, an incident ends.
    pub fn handle_timeout(&self, now: Instant) {
        self.inner.with_exclusive(|exclusive, epochs| {
            let now = self.inner.confirm(exclusive, now);
            exclusive.count_stalled(Now::Clock(now), epochs);
            exclusive.core.handle_timeout(now);
        });
    }

    /// Sets the number of calls in flight for longer than [`Breaker::slow_after`]. For a driver that tracks its calls,
    /// with [`stall_detection`](crate::Builder::stall_detection) off.
    pub fn handle_stalled(&self, now: Instant, count: u16) {
        self.inner.with_core(|core| core.handle_stalled(now, core.generation(), count));
    }

    /// Returns when [`Breaker::handle_timeout`] is due at the latest, if nothing else happens.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        self.inner.with_exclusive(|exclusive, epochs| exclusive.next_deadline(now, epochs))
    }

    /// Returns the next event. Each event is returned once. A supervisor, if there is one, takes them all.
    pub fn poll_event(&self) -> Option<Event> {
        self.inner.with_core(SharedCore::poll_event)
    }

    /// Resolves when an event occurs, or the policy changes, after this call.
    pub fn changed(&self) -> EventListener {
        self.inner.shared().listen()
    }

    /// Whether this breaker has a supervisor. Memory and alerts need one.
    pub fn is_supervised(&self) -> bool {
        self.inner.supervision.is_supervised()
    }

    /// Whether this breaker has a supervisor that keeps up. Reads the clock; does not own the core.
    pub fn supervision(&self) -> Supervision {
        self.inner.supervision.at(self.inner.clock.now())
    }

    pub(crate) fn supervise(&self) -> Supervised {
        self.inner.supervision.enter(self.inner.clock.now());
        Supervised { breaker: self.clone() }
    }

    /// Continues an incident of the previous process.
    pub(crate) fn resume_incident(&self, cause: IncidentCause, trip: Option<TripReason>) {
        self.inner.operate(|core, now| core.resume_incident(now, cause, trip));
    }

    pub(crate) fn incident(&self) -> MutexGuard<'_, AlertStager> {
        lock(&self.inner.rare().incident)
    }
}

/// Marks the breaker as supervised until it is dropped.
#[derive(Debug)]
pub(crate) struct Supervised {
    breaker: Breaker,
}

impl Supervised {
    /// Records the start of a poll, of this breaker or another one of the same supervisor.
    pub(crate) fn look_begins(&self, now: Instant) {
        self.breaker.inner.supervision.look_begins(now);
    }

    /// Records the end of a poll; `None` = the next one waits for a change.
    pub(crate) fn look_ends(&self, next: Option<Instant>) {
        self.breaker.inner.supervision.look_ends(next);
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        self.breaker.inner.supervision.leave();
    }
}
