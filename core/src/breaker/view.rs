//! What can be read from a breaker; none of it changes anything.

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

/// Figures are as of the latest instant that the breaker has seen; call [`Breaker::handle_timeout`] first where samples may
/// have aged meanwhile.
impl<const N: usize, S: SampleStore> Breaker<N, S> {
    /// The state, with its figures.
    pub fn state(&self) -> State {
        self.state
    }

    /// The generation in force.
    pub fn generation(&self) -> Generation {
        Generation::new(self.generation)
    }

    /// The generation in force at `start`, if it is still the one: for calls whose start is known, but no permit.
    pub fn generation_at(&self, start: Instant) -> Option<Generation> {
        (self.time.place(start) >= self.generation_since).then(|| self.generation())
    }

    /// The settings in force. Spans of more than 584 years come back as that.
    pub fn policy(&self) -> Policy {
        self.settings.policy(self.limits.tolerance())
    }

    /// From which age on a call in flight is slow: the threshold, while half-open the one from its beginning.
    pub fn slow_after(&self) -> Latency {
        match self.state {
            State::HalfOpen { .. } => self.probe_threshold,
            _ => self.settings.latency_threshold,
        }
    }

    /// Beyond this age a call in flight no longer counts as stalled, nor a sample at all.
    pub fn latency_max_age(&self) -> Duration {
        Duration::from_nanos(self.settings.latency_max_age_nanos)
    }

    /// The percentile exceeds the threshold.
    pub fn is_above(&self) -> bool {
        self.verdict().above
    }

    /// Above, by at least `minimum_samples` calls, and with evidence that has lasted where the policy asks for it. The rules of
    /// latency, escalation and the end of an incident all go by this.
    pub fn is_breach(&self) -> bool {
        self.verdict().breach
    }

    /// The exact percentile of the window; `None` while it is empty. O(n).
    pub fn percentile(&self) -> Option<Latency> {
        self.window.percentile(self.settings.percentile)
    }

    /// The latencies in the window, oldest first, without those of fast failures.
    pub fn latencies(&self) -> impl Iterator<Item = Latency> + Clone + '_ {
        self.window.latencies()
    }

    /// All samples in the window, those of fast failures included.
    pub fn samples(&self) -> u16 {
        self.window.len()
    }

    /// Samples above the threshold.
    pub fn samples_above(&self) -> u16 {
        self.window.above()
    }

    /// Failed samples.
    pub fn samples_failed(&self) -> u16 {
        self.window.failed()
    }

    /// Which way the latencies go. O(n), on demand only.
    #[cfg(feature = "trend")]
    pub fn trend(&self) -> Trend {
        Trend::of(self.latencies(), self.limits.trend_minimum)
    }

    /// Calls in flight for longer than the threshold, as last reported.
    pub fn stalled(&self) -> u16 {
        self.stalled
    }

    /// What is known of memory, simulations left out.
    pub fn memory_state(&self) -> MemoryState {
        self.memory.state()
    }

    /// The last memory reading that is still believed.
    pub fn memory_sample(&self) -> Option<MemorySample> {
        self.memory.sample()
    }

    /// Whether memory, a forecast of it that trips, or a simulation keeps an open breaker open, whatever its wait.
    pub fn is_held_open(&self) -> bool {
        self.memory_rule().holds_open() || self.simulated_latency
    }

    /// Whether memory is forecast to run out within `memory_horizon`, as last reported.
    #[cfg(feature = "forecast")]
    pub fn is_memory_running_out(&self) -> bool {
        self.memory.runs_out()
    }

    /// The horizon in force; zero = nothing is forecast.
    #[cfg(feature = "forecast")]
    pub fn memory_horizon(&self) -> Duration {
        self.settings.memory_horizon()
    }

    /// Whether memory is below its threshold, simulations included; `None` where it is unknown.
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

    /// Whether exhausted memory is being simulated.
    pub fn is_memory_simulated(&self) -> bool {
        self.simulated_memory
    }

    /// Whether a latency breach is being simulated.
    pub fn is_latency_simulated(&self) -> bool {
        self.simulated_latency
    }

    /// The last trip, also after recovery.
    pub fn last_trip(&self) -> Option<Trip> {
        self.trips.last()
    }

    /// What was known when the breaker last opened from [`State::Closed`]; failing probes do not change it.
    pub fn trip_evidence(&self) -> Option<TripEvidence> {
        self.trips.evidence()
    }

    /// What is known now, of the test whose evidence is oldest.
    pub fn evidence(&self) -> TripEvidence {
        self.current_evidence()
    }

    /// How long evidence must last now; `None` where no evidence is asked for.
    pub fn tolerance(&self) -> Option<Tolerance> {
        self.limits.look(self.time.latest()).map(|look| self.evidence.tolerance(look))
    }

    /// The tolerance that was learned, to be [restored](Breaker::restore_tolerance) after a restart; 1.5 s where nothing was.
    pub fn learned_tolerance(&self) -> Duration {
        Duration::from_millis(self.evidence.learned_tolerance_ms().into())
    }

    /// Whether an incident is on.
    pub fn is_in_incident(&self) -> bool {
        self.incident.is_open()
    }

    /// The incident that is on, or the last one; `None` where there was none yet.
    #[cfg(feature = "escalation")]
    pub fn incident(&self) -> Option<Incident> {
        self.incident.last()
    }

    /// When the incident that is on ends, on the clock that gives the readings, if all stays well; `None` where none is on, the
    /// breaker is not closed, or a condition holds. It is `recovery_time` after the close once `minimum_samples` calls came
    /// since then, and ten times that where fewer come.
    pub fn incident_ends_at(&self) -> Option<Instant> {
        let due =
            self.incident.is_open().then(|| self.incident.deadline(&self.settings, self.limits.minimum_samples))?;
        (due < MonotonicInstant::MAX).then(|| self.time.clock_reading(due))
    }

    /// Totals.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Events since the breaker was made, polled or not; wraps at 2^32. Who compares it knows whether something happened.
    #[inline]
    pub fn events_emitted(&self) -> u32 {
        self.events.emitted()
    }

    /// Events that were lost because they were not polled in time.
    pub fn events_dropped(&self) -> u32 {
        self.events.dropped()
    }

    /// How often the clock was found to have been set back.
    pub fn clock_jumps(&self) -> u32 {
        self.time.jumps()
    }

    /// What the clock shows at `instant` of the breaker's own time; they differ once a clock was set back.
    pub fn on_clock(&self, instant: MonotonicInstant) -> Instant {
        self.time.clock_reading(instant)
    }

    /// What the clock shows at the [latest](Breaker::latest) instant seen.
    pub fn latest_reading(&self) -> Instant {
        self.on_clock(self.latest())
    }

    /// The latest instant seen, in the breaker's own time.
    pub fn latest(&self) -> MonotonicInstant {
        self.time.latest()
    }
}
