//! Read-only views of a breaker.

use core::time::Duration;

use super::{Breaker, Trip, TripEvidence};
use crate::counts::Counts;
use crate::evidence::Tolerance;
use crate::generation::Generation;
#[cfg(feature = "escalation")]
use crate::incident::Incident;
use crate::memory::{MemorySample, MemoryState};
use crate::monotonic::MonotonicInstant;
use crate::policy::Policy;
use crate::state::State;
use crate::time::Instant;
#[cfg(feature = "trend")]
use crate::trend::Trend;
use crate::units::Latency;
use crate::window::SampleStore;

/// Values are as of the latest instant that the breaker has seen. Call [`Breaker::handle_timeout`] first if samples may
/// have expired since then.
impl<const N: usize, S: SampleStore> Breaker<N, S> {
    /// Returns the state with its counters or deadline.
    pub fn state(&self) -> State {
        self.state
    }

    /// Returns the current generation.
    pub fn generation(&self) -> Generation {
        Generation::new(self.generation)
    }

    /// Returns the current generation if `start` lies in it. For calls whose start is known but which hold no permit.
    pub fn generation_at(&self, start: Instant) -> Option<Generation> {
        (self.time.place(start) >= self.generation_since).then(|| self.generation())
    }

    /// Returns the policy in force. Durations above 584 years are returned as 584 years.
    pub fn policy(&self) -> Policy {
        self.settings.policy(self.limits.tolerance())
    }

    /// The age from which a call in flight counts as slow: the latency threshold; while half-open, the threshold at the
    /// start of that phase.
    pub fn slow_after(&self) -> Latency {
        match self.state {
            State::HalfOpen { .. } => self.probe_threshold,
            _ => self.settings.latency_threshold,
        }
    }

    /// The age beyond which a call in flight no longer counts as stalled and a sample expires.
    pub fn latency_max_age(&self) -> Duration {
        Duration::from_nanos(self.settings.latency_max_age_nanos)
    }

    /// Whether the percentile exceeds the threshold.
    pub fn is_above(&self) -> bool {
        self.verdict().above
    }

    /// Whether the percentile exceeds the threshold with at least `minimum_samples` calls and, with `trip_confidence`
    /// set, with evidence that has lasted. The latency rules, the escalation and the end of an incident use this.
    pub fn is_breach(&self) -> bool {
        self.verdict().breach
    }

    /// Returns the exact percentile of the window; `None` while the window is empty. O(n).
    pub fn percentile(&self) -> Option<Latency> {
        self.window.percentile(self.settings.percentile)
    }

    /// Returns the latencies in the window, oldest first, without those of fast failures.
    pub fn latencies(&self) -> impl Iterator<Item = Latency> + Clone + '_ {
        self.window.latencies()
    }

    /// Number of samples in the window, fast failures included.
    pub fn samples(&self) -> u16 {
        self.window.len()
    }

    /// Number of samples above the threshold.
    pub fn samples_above(&self) -> u16 {
        self.window.above()
    }

    /// Number of failed samples.
    pub fn samples_failed(&self) -> u16 {
        self.window.failed()
    }

    /// Returns the trend of the latencies. O(n).
    #[cfg(feature = "trend")]
    pub fn trend(&self) -> Trend {
        Trend::of(self.latencies(), self.limits.trend_minimum)
    }

    /// Calls in flight for longer than the threshold, as last reported.
    pub fn stalled(&self) -> u16 {
        self.stalled
    }

    /// Returns the memory state, without simulations.
    pub fn memory_state(&self) -> MemoryState {
        self.memory.state()
    }

    /// Returns the last memory reading while it is fresh.
    pub fn memory_sample(&self) -> Option<MemorySample> {
        self.memory.sample()
    }

    /// Whether memory, a forecast that trips or a simulation keeps an open breaker open after its wait.
    pub fn is_held_open(&self) -> bool {
        self.memory_rule().holds_open() || self.simulated_latency
    }

    /// Whether memory is forecast to run out within `memory_horizon`, as last reported.
    #[cfg(feature = "forecast")]
    pub fn is_memory_running_out(&self) -> bool {
        self.memory.runs_out()
    }

    /// The horizon in force; zero disables the forecast.
    #[cfg(feature = "forecast")]
    pub fn memory_horizon(&self) -> Duration {
        self.settings.memory_horizon()
    }

    /// Whether memory is below its threshold, simulations included; `None` if memory is unknown.
    pub fn memory_ok(&self) -> Option<bool> {
        match self.memory.state() {
            MemoryState::Unknown if !self.simulated_memory => None,
            state => Some(state == MemoryState::Ok && !self.simulated_memory),
        }
    }

    /// Whether the percentile is at or below the threshold and no latency is simulated.
    pub fn latency_ok(&self) -> bool {
        !self.is_above() && !self.simulated_latency
    }

    /// Whether exhausted memory is simulated.
    pub fn is_memory_simulated(&self) -> bool {
        self.simulated_memory
    }

    /// Whether a latency breach is simulated.
    pub fn is_latency_simulated(&self) -> bool {
        self.simulated_latency
    }

    /// Returns the last trip, also after recovery.
    pub fn last_trip(&self) -> Option<Trip> {
        self.trips.last()
    }

    /// Returns the evidence at the last trip from [`State::Closed`]. Failing probes do not change it.
    pub fn trip_evidence(&self) -> Option<TripEvidence> {
        self.trips.evidence()
    }

    /// Returns the present evidence, of the test whose evidence is oldest.
    pub fn evidence(&self) -> TripEvidence {
        self.current_evidence()
    }

    /// How long evidence must last at present; `None` if the policy asks for no evidence.
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.limits.look(self.time.latest()).map(|look| self.evidence.tolerance(look))
    }

    /// The learned tolerance, to [restore](Breaker::restore_tolerance) after a restart; 1.5 s if nothing was learned.
    pub fn learned_tolerance(&self) -> Duration {
        Duration::from_millis(self.evidence.learned_tolerance_ms().into())
    }

    /// Whether an incident is active.
    pub fn is_in_incident(&self) -> bool {
        self.incident.is_open()
    }

    /// Returns the active incident or the last one; `None` before the first.
    #[cfg(feature = "escalation")]
    pub fn incident(&self) -> Option<Incident> {
        self.incident.last()
    }

    /// The clock reading at which the active incident ends if the breaker stays healthy. `None` if no incident is
    /// active, the breaker is not closed, or a condition holds. The incident ends `recovery_time` after the close if at
    /// least `minimum_samples` calls finished since then, and after ten times `recovery_time` otherwise.
    pub fn incident_ends_at(&self) -> Option<Instant> {
        let due =
            self.incident.is_open().then(|| self.incident.deadline(&self.settings, self.limits.minimum_samples))?;
        (due < MonotonicInstant::MAX).then(|| self.time.clock_reading(due))
    }

    /// Returns the totals.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Number of events since the breaker was created, polled or not; wraps at 2^32. Compare two values to detect a
    /// change.
    #[inline]
    pub fn events_emitted(&self) -> u32 {
        self.events.emitted()
    }

    /// Events that were dropped because they were not polled in time.
    pub fn events_dropped(&self) -> u32 {
        self.events.dropped()
    }

    /// How often the clock was found to be set back.
    pub fn clock_jumps(&self) -> u32 {
        self.time.jumps()
    }

    /// Converts `instant` of the breaker's own time to a clock reading. The two differ after the clock was set back.
    pub fn on_clock(&self, instant: MonotonicInstant) -> Instant {
        self.time.clock_reading(instant)
    }

    /// The clock reading of the [latest](Breaker::latest) instant.
    pub fn latest_reading(&self) -> Instant {
        self.on_clock(self.latest())
    }

    /// The latest instant seen, in the breaker's own time.
    pub fn latest(&self) -> MonotonicInstant {
        self.time.latest()
    }
}
