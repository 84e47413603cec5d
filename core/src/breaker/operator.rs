//! Inputs from operators and from configuration.

use core::time::Duration;

use super::{Breaker, CapacityError, check_capacity};
use crate::event::{EventKind, IncidentCause};
use crate::evidence::{EvidenceRule, FinishedCall, Look, Slowness};
#[cfg(feature = "fleet")]
use crate::generation::Generation;
use crate::monotonic::MonotonicInstant;
use crate::packed_policy::PackedPolicy;
use crate::policy::Policy;
use crate::rules::{DerivedPolicy, Trigger, Verdict};
use crate::state::{Cause, State, TripReason};
use crate::time::Instant;
#[cfg(feature = "fleet")]
use crate::time::saturating_nanos;
use crate::units::Latency;
use crate::window::SampleStore;

impl<const N: usize, S: SampleStore> Breaker<N, S> {
    /// Applies a new policy between two samples. The window is kept. A changed `enabled` acts as
    /// [`enable`](Breaker::enable) or [`disable`](Breaker::disable). O(N).
    ///
    /// # Errors
    /// [`CapacityError`] if the window does not fit. Nothing changes then.
    pub fn handle_policy(&mut self, now: Instant, policy: &Policy) -> Result<(), CapacityError> {
        check_capacity::<N>(policy)?;
        let enabled = policy.enabled;
        let before = core::mem::replace(&mut self.settings, PackedPolicy::new(policy));
        self.settings.enabled = before.enabled;
        if policy.latency_threshold > before.latency_threshold {
            // A call that stalled under a lower threshold may not be slow under the new one; stalled calls are counted
            // again.
            self.stalled = 0;
        }
        let rule_before = core::mem::replace(&mut self.limits, DerivedPolicy::new(policy)).evidence_rule;
        self.window.retune(policy);
        self.window.expire(self.time.latest());
        self.rebuild_evidence(&rule_before, before.latency_threshold);
        if !self.verdict().proven {
            self.breaches_in_a_row = 0;
        }
        let changed = self.memory.retune(&self.settings);
        let at = self.time.latest();
        if changed {
            self.memory_changed(at);
        }
        #[cfg(feature = "forecast")]
        self.forecast(at, self.memory.runs_out());
        if enabled {
            self.enable(now);
        } else {
            self.disable(now);
        }
        Ok(())
    }

    /// Closes the breaker, clears the window and the learned tolerance, removes the simulations and ends the incident.
    /// A disabled breaker stays disabled.
    pub fn reset(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.clear_simulations();
        let to = if self.settings.enabled { State::Closed } else { State::Disabled };
        self.change_state(now, to, Cause::Reset);
        #[cfg(target_pointer_width = "64")]
        self.wait.forget_asked();
        self.evidence.forget_tolerance();
        self.end_incident_by_operator(now);
    }

    /// Closes a disabled breaker. Any other breaker is unchanged.
    pub fn enable(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.settings.enabled = true;
        if self.state == State::Disabled {
            self.change_state(now, State::Closed, Cause::Enable);
        }
    }

    /// Admits every call and records nothing until [`Breaker::enable`]; ends the incident. A forced-open breaker stays
    /// forced open until [`Breaker::reset`].
    pub fn disable(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.settings.enabled = false;
        if !matches!(self.state, State::Disabled | State::ForcedOpen) {
            self.clear_simulations();
            self.change_state(now, State::Disabled, Cause::Disable);
            self.end_incident_by_operator(now);
        }
    }

    /// Delays the first probe of an open breaker until `hold` after `now`, or ends the delay if `hold` is `None`. The probe is
    /// never earlier than `until`, the end of its original wait. Returns false, without effect, if the breaker is not open in
    /// `generation`. Fleets use it so that their replicas do not all probe at once.
    #[cfg(feature = "fleet")]
    pub fn hold_wait(
        &mut self,
        now: Instant,
        generation: Generation,
        until: MonotonicInstant,
        hold: Option<Duration>,
    ) -> bool {
        let now = self.read_clock(now);
        let is_open = matches!(self.state, State::Open { .. }) && generation == self.generation();
        if is_open {
            self.state =
                State::Open { until: hold.map_or(until, |hold| until.max(now.plus_nanos(saturating_nanos(hold)))) };
        }
        is_open
    }

    /// Continues an incident that was active when the previous process ended. For a breaker that was just created.
    /// `cause` is the cause of the incident; `trip` is the reason of its first trip, if there was one.
    ///
    /// If there was a trip, a closed breaker becomes half-open, so that only the probes reach a service that may still
    /// be unhealthy. It stays closed, with the incident active, if there was no trip or the policy sets no probes. A
    /// breaker that has tripped since it was created keeps its state. A disabled breaker ends the incident at once.
    pub fn resume_incident(&mut self, now: Instant, cause: IncidentCause, trip: Option<TripReason>) {
        let now = self.read_clock(now);
        let trip = if let IncidentCause::Trip(reason) = cause { Some(reason) } else { trip };
        self.incident.resume(now, cause, trip);
        match self.state {
            State::Closed if trip.is_some() => {
                let to = self.start_of_recovery();
                if to != State::Closed {
                    // No trip preceded, so the probes cannot show it to be false.
                    self.is_on_trial = false;
                    self.change_state(now, to, Cause::Resumed);
                }
            }
            State::Disabled => self.end_incident_by_operator(now),
            _ => {}
        }
    }

    /// Rejects every call until [`Breaker::reset`]. Returns false, without effect, if the breaker is disabled; enable
    /// it first.
    pub fn force_open(&mut self, now: Instant) -> bool {
        let now = self.read_clock(now);
        if self.state == State::Disabled {
            return false;
        }
        if self.state != State::ForcedOpen {
            self.change_state(now, State::ForcedOpen, Cause::ForceOpen);
        }
        true
    }

    /// Simulates exhausted memory until [`Breaker::undo_simulations`] or [`Breaker::reset`]. The readings are not
    /// changed. Returns false, without effect, if the breaker is disabled or forced open.
    pub fn simulate_memory(&mut self, now: Instant) -> bool {
        self.simulate(now, true, false)
    }

    /// Simulates a latency breach as [`Breaker::simulate_memory`] simulates exhausted memory. No samples are made up.
    pub fn simulate_latency(&mut self, now: Instant) -> bool {
        self.simulate(now, false, true)
    }

    /// Removes both simulations. An open breaker continues its wait.
    pub fn undo_simulations(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.clear_simulations();
        self.catch_up(now);
    }

    fn clear_simulations(&mut self) {
        self.simulated_memory = false;
        self.simulated_latency = false;
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn simulate(&mut self, now: Instant, memory: bool, latency: bool) -> bool {
        let now = self.read_clock(now);
        if matches!(self.state, State::Disabled | State::ForcedOpen) {
            return false;
        }
        self.simulated_memory |= memory;
        self.simulated_latency |= latency;
        match self.state {
            State::Closed => self.judge_without_call(now),
            State::HalfOpen { .. } => {
                let reason = self.trip_rule(Verdict::default(), Trigger::NONE).unwrap_or(TripReason::Latency);
                self.trip(now, reason);
            }
            _ => {}
        }
        true
    }

    /// Sets the start of the warm-up to `began_at`. For a breaker that is created while its process already serves
    /// calls; without this the warm-up begins at the breaker's first call.
    #[cfg(target_pointer_width = "64")]
    pub fn warm_up_since(&mut self, began_at: Instant, now: Instant) {
        let (began_at, now) = (self.time.place(began_at), self.time.place(now));
        if let Some(rule) = self.limits.evidence() {
            let is_over = now.since(began_at) >= rule.tolerance().warm_up();
            self.evidence.warm_up_since(began_at.as_wrapping_millis(), is_over);
        }
    }

    /// Restores a tolerance that an earlier process [learned](Breaker::learned_tolerance). It is clamped to 1 s to 6 s.
    /// A new breaker starts with 1.5 s.
    pub fn restore_tolerance(&mut self, learned: Duration) {
        self.evidence.restore_tolerance(u16::try_from(learned.as_millis()).unwrap_or(u16::MAX));
    }

    fn end_incident_by_operator(&mut self, now: MonotonicInstant) {
        self.wait.fall_back();
        if let Some(end) = self.incident.end_by_operator() {
            self.emit(now, EventKind::IncidentEnded(end));
        }
    }

    /// Counts the calls of the window again if a test or the threshold has changed. The learned tolerance is kept.
    fn rebuild_evidence(&mut self, rule_before: &EvidenceRule, threshold_before: Latency) {
        let threshold = self.settings.latency_threshold;
        if threshold == threshold_before && self.limits.evidence_rule.has_tests_of(rule_before) {
            return;
        }
        self.evidence.restart(self.limits.evidence());
        let Some(rule) = self.limits.evidence() else { return };
        let learned_ms = self.evidence.learned_tolerance_ms();
        for (at, sample, outcome) in self.window.history() {
            let look = Look { rule, now_ms: at.as_wrapping_millis() };
            let slowness = Slowness::of(sample, threshold);
            self.evidence.count(look, FinishedCall { slowness, outcome, counted: false, stalled: 0 });
        }
        let look = Look { rule, now_ms: self.time.latest().as_wrapping_millis() };
        self.evidence.stalled(look, self.stalled, self.stalled);
        // Calls that are counted a second time do not change the learned tolerance.
        self.evidence.set_learned_tolerance_ms(learned_ms);
    }
}
