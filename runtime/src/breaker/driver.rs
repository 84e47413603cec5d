//! Periodic inputs of a breaker, from the supervisor or a custom driver.

use event_listener::EventListener;
use tripline_core::{Event, IncidentCause, Instant, TripReason};

use crate::breaker::Breaker;
use crate::breaker::supervision::Supervision;
use crate::hot_path::samples::SharedCore;
use crate::hot_path::stall_detector::Now;
use crate::incidents::alert_stager::AlertStager;
use crate::supervisor::agenda::Watchers;
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
        !self.watchers().is_empty()
    }

    /// Whether this breaker has a supervisor that keeps up. Reads the clock; does not own the core.
    pub fn supervision(&self) -> Supervision {
        self.watchers().supervision(self.inner.clock.now())
    }

    /// The supervisors that look after it.
    pub(crate) fn watchers(&self) -> &Watchers {
        &self.inner.shared().gate.changes.watchers
    }

    /// Continues an incident of the previous process.
    pub(crate) fn resume_incident(&self, cause: IncidentCause, trip: Option<TripReason>) {
        self.inner.operate(|core, now| core.resume_incident(now, cause, trip));
    }

    pub(crate) fn incident(&self) -> MutexGuard<'_, AlertStager> {
        lock(&self.inner.rare().incident)
    }
}
