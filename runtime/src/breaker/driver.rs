//! The inputs that keep a breaker going, for the supervisor or a driver of your own.

use std::time::Duration;

use event_listener::EventListener;
use tripline_core::{Breaker as Core, Event, IncidentCause, Instant, MemorySample, TripReason};

use crate::breaker::Breaker;
use crate::hot_path::stall_detector::Now;
use crate::incidents::alert_stager::AlertStager;
use crate::sync::{MutexGuard, Ordering, lock};

/// Driving, for the supervisor or a driver of your own.
impl Breaker {
    /// Lets time pass: calls in flight become stalled, samples age, a lost probe is given up, an incident ends.
    pub fn handle_timeout(&self, now: Instant) {
        self.inner.with_exclusive(|exclusive, epochs| {
            exclusive.count_stalled(Now::Clock(now), epochs);
            exclusive.core.handle_timeout(now);
        });
    }

    /// `count` calls are in flight for longer than [`Breaker::slow_after`]: for a driver that knows its calls, with
    /// [`stall_detection`](crate::Builder::stall_detection) off.
    pub fn handle_stalled(&self, now: Instant, count: u16) {
        self.inner.with_core(|core| core.handle_stalled(now, core.generation(), count));
    }

    /// Takes a reading of memory; `None` = it could not be read. Where the policy has a `memory_horizon`, this also forecasts
    /// when memory is exhausted, which takes about 10 µs without owning the core.
    pub fn handle_memory(&self, now: Instant, sample: Option<MemorySample>) {
        let horizon = self.inner.with_core(|core| {
            match sample {
                Some(sample) => core.handle_memory(now, sample),
                None => core.handle_memory_lost(now),
            }
            core.memory_horizon()
        });
        let runs_out = self.forecast(now, sample, horizon);
        self.inner.with_core(|core| {
            if runs_out || core.is_memory_running_out() {
                core.handle_memory_forecast(now, runs_out);
            }
        });
    }

    /// A reading that failed leaves the forecast as it was; the core knows that memory is unknown.
    fn forecast(&self, now: Instant, sample: Option<MemorySample>, horizon: Duration) -> bool {
        let mut forecast = lock(&self.inner.forecast);
        if horizon.is_zero() {
            *forecast = None;
        }
        let Some(sample) = sample.filter(|_| !horizon.is_zero()) else { return false };
        forecast.get_or_insert_default().handle(now, sample, horizon).is_some()
    }

    /// The time until memory reaches its limit at its present rate; `None` where it does not within the policy's
    /// `memory_horizon`, and where that is unknown.
    pub fn memory_exhausted_in(&self) -> Option<Duration> {
        let at = lock(&self.inner.forecast).as_ref()?.exhausted_at()?;
        let left = at.since(self.inner.clock.now());
        self.read(Core::is_memory_running_out).then_some(left)
    }

    /// When [`Breaker::handle_timeout`] is due at the latest, if nothing else happens.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        self.inner.with_exclusive(|exclusive, epochs| exclusive.next_deadline(now, epochs))
    }

    /// The next event. Each is handed out once: to the supervisor, where there is one.
    pub fn poll_event(&self) -> Option<Event> {
        self.inner.with_core(Core::poll_event)
    }

    /// Resolves when an event happens after this call.
    pub fn changed(&self) -> EventListener {
        self.inner.shared().listen()
    }

    /// Whether a supervisor looks after this breaker; without one, memory and alerts do not work.
    pub fn is_supervised(&self) -> bool {
        // Acquire pairs with the Release in `Supervised`.
        self.inner.supervisors.load(Ordering::Acquire) > 0
    }

    pub(crate) fn supervise(&self) -> Supervised {
        // Release pairs with the Acquire in `is_supervised`.
        self.inner.supervisors.fetch_add(1, Ordering::Release);
        Supervised { breaker: self.clone() }
    }

    /// An incident of an earlier process goes on.
    pub(crate) fn resume_incident(&self, cause: IncidentCause, trip: Option<TripReason>) {
        self.inner.operate(|core, now| core.resume_incident(now, cause, trip));
    }

    pub(crate) fn incident(&self) -> MutexGuard<'_, AlertStager> {
        lock(&self.inner.incident)
    }
}

/// While it lives, the breaker counts as supervised.
#[derive(Debug)]
pub(crate) struct Supervised {
    breaker: Breaker,
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Release pairs with the Acquire in `is_supervised`.
        self.breaker.inner.supervisors.fetch_sub(1, Ordering::Release);
    }
}
