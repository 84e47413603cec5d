//! The state machine: how a finished call, a memory reading and the passing of time change the state.

use super::{Breaker, Rejection, StallRun, Trip};
use crate::event::{Event, EventKind, IncidentCause};
use crate::evidence::Slowness;
use crate::generation::Generation;
use crate::monotonic::MonotonicInstant;
use crate::outcome::Outcome;
use crate::planted::planted;
#[cfg(feature = "trend")]
use crate::rules::Runs;
use crate::rules::{MemoryRule, Trigger, Verdict};
use crate::state::{Cause, State, TripReason, is_legal};
use crate::time::Instant;
use crate::units::Latency;
use crate::window::SampleStore;

impl<const N: usize, S: SampleStore> Breaker<N, S> {
    #[cfg_attr(target_pointer_width = "64", inline(never))] // the fast path is the one to be inlined
    pub(super) fn record_slow_path(
        &mut self,
        end: Instant,
        generation: Generation,
        latency: Latency,
        outcome: Outcome,
    ) {
        let now = self.time.end_of_call(end);
        self.expire_memory(now);
        if latency > self.settings.latency_threshold && outcome != Outcome::Ignored && self.state != State::Disabled {
            self.counts.slow = self.counts.slow.wrapping_add(1);
        }
        if generation != self.generation() && !planted("core: results of an earlier generation count") {
            self.counts.stale = self.counts.stale.wrapping_add(1);
            self.disarm_fast_path();
            return;
        }
        match self.state {
            State::Closed => self.record(now, latency, outcome),
            State::HalfOpen { admitted, good } => self.probe_finished(now, latency, outcome, admitted, good),
            State::Open { .. } | State::Disabled | State::ForcedOpen => {}
        }
        #[cfg(target_pointer_width = "64")]
        self.rearm_fast_path();
    }

    pub(super) fn record(&mut self, now: MonotonicInstant, latency: Latency, outcome: Outcome) {
        self.counts.finished(outcome);
        let slowness = Slowness::of(latency, self.settings.latency_threshold);
        let slow = slowness.is_some();
        // A call that outlived the window is no longer counted as stalled.
        let outlived = slow && latency.as_nanos() > self.settings.latency_max_age_nanos;
        let counted = slow && if outlived { self.stall_run.is_reported() } else { self.stalled > 0 };
        self.stalled = self.stalled.saturating_sub((counted && !outlived).into());
        if outcome == Outcome::Ignored {
            if counted {
                if outlived {
                    // It left the count before; those that are in it are others.
                    self.evidence.keep_stalled();
                }
                self.withdraw_stalled(1);
            }
            return;
        }
        self.expire_samples(now);
        self.window.record(now, latency, outcome);
        #[cfg(feature = "trend")]
        self.stall_run.call_finished();
        let trigger = self.count_evidence(now, slowness, outcome, counted);
        if planted("core: a call counts twice") && self.incident.is_open() {
            self.counts.finished(outcome);
        }
        if planted("core: a good call opens the breaker") && !slow && self.counts.ok % 500 == 499 {
            return self.trip(now, TripReason::Latency);
        }
        self.incident.call_recorded();
        let verdict = self.verdict();
        self.breaches_in_a_row = if verdict.proven { self.breaches_in_a_row.saturating_add(1) } else { 0 };
        self.evaluate(now, verdict, trigger);
    }

    /// Decides whether a closed breaker trips; if not, updates the incident.
    pub(super) fn evaluate(&mut self, now: MonotonicInstant, verdict: Verdict, trigger: Trigger) {
        self.note_ages(now, verdict, trigger);
        match self.trip_rule(verdict, trigger) {
            Some(reason) => self.trip(now, reason),
            None => self.update_incident(now, verdict),
        }
    }

    /// Evaluates the rules without a finished call.
    pub(super) fn judge_without_call(&mut self, now: MonotonicInstant) {
        self.expire_samples(now);
        self.evaluate(now, self.verdict(), Trigger::NONE);
    }

    pub(super) fn verdict(&self) -> Verdict {
        self.limits.verdict(&self.settings, &self.window, &self.evidence, self.stalled, self.time.latest())
    }

    pub(super) fn trip_rule(&self, verdict: Verdict, trigger: Trigger) -> Option<TripReason> {
        let original = self.limits.evidence().is_none();
        let latency = if self.simulated_latency {
            Some(TripReason::Latency)
        } else if verdict.breach {
            self.trend_reason(verdict)
        } else {
            None
        };
        let memory = self.memory_rule();
        match (memory.is_exhausted(), latency) {
            (true, Some(_)) => Some(TripReason::MemoryAndLatency),
            (true, None) => Some(TripReason::Memory),
            (false, Some(reason)) if original || trigger.latency || self.simulated_latency => Some(reason),
            #[cfg(feature = "forecast")]
            (false, _) if memory.is_forecast_to_trip() => Some(TripReason::MemoryForecast),
            (false, _) => {
                let failures = (original || trigger.failures)
                    && !planted("core: failures do not trip")
                    && self.limits.failures(
                        &self.settings,
                        &self.window,
                        &self.evidence,
                        self.stalled,
                        self.time.latest(),
                    );
                failures.then_some(TripReason::Failures)
            }
        }
    }

    /// Why a breach trips; `None` where it does not.
    #[cfg(feature = "trend")]
    fn trend_reason(&self, verdict: Verdict) -> Option<TripReason> {
        let runs = Runs { breaches: self.breaches_in_a_row, stalls: self.stall_run.calls() };
        self.limits.trend(&self.settings, &self.window, verdict, runs)
    }

    /// Without trend analysis every breach trips.
    #[cfg(not(feature = "trend"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "with the trend it needs both")]
    fn trend_reason(&self, _: Verdict) -> Option<TripReason> {
        Some(TripReason::Latency)
    }

    pub(super) fn probe_finished(
        &mut self,
        now: MonotonicInstant,
        latency: Latency,
        outcome: Outcome,
        admitted: u16,
        good: u16,
    ) {
        self.counts.finished(outcome);
        if latency > self.probe_threshold {
            return self.trip(now, TripReason::ProbeSlow);
        }
        let is_planted = planted("core: a failed probe counts as a good one");
        match if is_planted { Outcome::Ok } else { outcome } {
            Outcome::Ok => {
                let good = good.saturating_add(1);
                self.state = State::HalfOpen { admitted, good };
                if good >= self.probe_limit {
                    self.change_state(now, State::Closed, Cause::Recovered);
                }
            }
            Outcome::Failed if self.settings.failure_rule_is_on() => self.trip(now, TripReason::ProbeFailed),
            Outcome::Failed | Outcome::Ignored => self.release_probe(),
        }
    }

    pub(super) fn acquire_probe(&mut self, now: MonotonicInstant) -> Result<(), Rejection> {
        let State::HalfOpen { admitted, good } = self.state else { return Ok(()) };
        if admitted >= self.probe_limit && !planted("core: half-open admits without a limit") {
            return Err(self.rejection_at(now));
        }
        self.state = State::HalfOpen { admitted: admitted.saturating_add(1), good };
        self.last_probe_at = now;
        Ok(())
    }

    pub(super) fn release_probe(&mut self) {
        if let State::HalfOpen { admitted, good } = self.state {
            self.state = State::HalfOpen { admitted: admitted.saturating_sub(1).max(good), good };
        }
    }

    /// The instant from which every probe in flight, lost ones included, is older than the threshold.
    pub(super) fn probe_deadline(&self) -> MonotonicInstant {
        self.last_probe_at.plus_nanos(self.probe_threshold.as_nanos().saturating_add(1))
    }

    pub(super) fn end_wait(&mut self, now: MonotonicInstant) {
        let to = self.start_of_recovery();
        self.change_state(now, to, Cause::WaitOver);
    }

    /// Starts the half-open phase under the current policy. Returns Closed if the policy sets no probes.
    pub(super) fn start_of_recovery(&mut self) -> State {
        self.probe_limit = self.settings.half_open_max_calls;
        self.probe_threshold = self.settings.latency_threshold;
        if self.probe_limit == 0 { State::Closed } else { State::HalfOpen { admitted: 0, good: 0 } }
    }

    pub(super) fn trip(&mut self, now: MonotonicInstant, reason: TripReason) {
        let closed = self.state == State::Closed;
        let wait = if !closed || self.has_closed_soon_before(now) {
            self.wait.after_failure(&self.settings)
        } else {
            self.wait.after_trip(&self.settings)
        };
        #[cfg(target_pointer_width = "64")]
        let wait = self.wait.at_least_asked(now, wait, &self.settings);
        if closed {
            self.trips.record_evidence(self.evidence_of(now, self.test_behind(reason)));
        }
        self.is_on_trial = closed && self.test_behind(reason).is_some();
        self.trips.record(Trip { reason, at: now, stalled: self.stalled });
        self.counts.tripped(reason);
        self.change_state(now, State::Open { until: now.plus_nanos(wait) }, Cause::Trip(reason));
        if let Some(cause) = self.incident.tripped(now, reason) {
            self.emit(now, EventKind::IncidentStarted(cause));
        }
    }

    /// Changes the state. No other function does, except for the counters of a half-open state.
    pub(super) fn change_state(&mut self, now: MonotonicInstant, to: State, cause: Cause) {
        let from = self.state.kind();
        debug_assert!(is_legal(from, cause, to.kind()), "{from} to {to:?} by {cause:?}");
        self.state = to;
        self.generation = self.generation.wrapping_add(1);
        self.generation_since = now;
        self.stalled = 0;
        self.stall_run = StallRun::NONE;
        self.dropped = 0;
        self.evidence.restart(self.limits.evidence());
        self.breaches_in_a_row = 0;
        if to == State::Closed {
            self.window.clear();
        }
        self.incident.state_changed((to == State::Closed).then_some(now));
        self.emit(now, EventKind::Transition { from, to: to.kind(), cause });
        let on_trial = self.is_on_trial;
        self.is_on_trial = match to {
            State::Closed => matches!(cause, Cause::Recovered | Cause::WaitOver),
            State::Open { .. } | State::HalfOpen { .. } => on_trial,
            State::Disabled | State::ForcedOpen => false,
        };
        if on_trial && cause == Cause::Recovered {
            self.count_false_trip(now);
        }
    }

    pub(super) fn memory_seen(&mut self, now: MonotonicInstant, changed: bool) {
        if changed {
            self.memory_changed(now);
        }
        match self.state {
            State::Closed if self.memory.is_set() => self.judge_without_call(now),
            State::HalfOpen { .. } if self.memory.is_set() => self.trip(now, TripReason::Memory),
            _ => {}
        }
    }

    pub(super) fn catch_up(&mut self, now: MonotonicInstant) {
        self.expire_samples(now);
        match self.state {
            State::Closed => {
                let verdict = self.verdict();
                self.update_incident(now, verdict);
            }
            State::HalfOpen { admitted, good }
                if admitted > good
                    && now >= self.probe_deadline()
                    && !planted("core: a probe that hangs is waited for") =>
            {
                self.trip(now, TripReason::ProbeSlow);
            }
            _ => {}
        }
    }

    pub(super) fn expire_samples(&mut self, now: MonotonicInstant) {
        if self.window.expire(now) && self.window.len() == 0 && self.stalled == 0 {
            self.evidence.restart(self.limits.evidence());
        }
    }

    fn update_incident(&mut self, now: MonotonicInstant, verdict: Verdict) {
        if let Some(condition) = self.condition(verdict) {
            if let Some(cause) = self.incident.condition_holds(now, condition, &self.settings) {
                self.emit(now, EventKind::IncidentStarted(cause));
            }
        } else if !planted("core: a healthy incident does not end")
            && let Some(end) = self.incident.healthy(now, &self.settings, self.limits.minimum_samples)
        {
            self.wait.fall_back();
            self.emit(now, EventKind::IncidentEnded(end));
        }
    }

    /// Returns the condition that begins an incident without a trip.
    #[cfg_attr(not(feature = "forecast"), expect(clippy::unused_self, reason = "only a forecast needs it"))]
    fn condition(&self, verdict: Verdict) -> Option<IncidentCause> {
        #[cfg(feature = "forecast")]
        if self.memory.runs_out() {
            return Some(IncidentCause::MemoryCondition);
        }
        (verdict.above && verdict.enough).then_some(IncidentCause::LatencyCondition)
    }

    pub(super) fn trip_reason(&self) -> TripReason {
        self.trips.reason().unwrap_or(TripReason::Latency)
    }

    /// Disarms the fast path: the next finished call takes the slow path.
    pub(super) fn disarm_fast_path(&mut self) {
        #[cfg(target_pointer_width = "64")]
        {
            self.fast_path_until = Instant::ZERO;
            self.steady_until = Instant::ZERO;
        }
    }

    pub(super) fn read_clock(&mut self, raw: Instant) -> MonotonicInstant {
        self.disarm_fast_path();
        let jumps = self.time.jumps();
        let now = self.time.reading(raw);
        if self.time.jumps() != jumps {
            self.emit(now, EventKind::ClockJumpedBack);
        }
        self.expire_memory(now);
        now
    }

    pub(super) fn expire_memory(&mut self, now: MonotonicInstant) {
        if self.memory.expire(now, &self.settings) {
            self.memory_changed(now);
        }
    }

    pub(super) fn memory_changed(&mut self, now: MonotonicInstant) {
        self.emit(now, EventKind::Memory(self.memory.state()));
        #[cfg(feature = "forecast")]
        self.forecast(now, self.memory.runs_out());
    }

    /// Applies a forecast; it is ignored while memory is unknown or the horizon is 0.
    #[cfg(feature = "forecast")]
    pub(super) fn forecast(&mut self, now: MonotonicInstant, runs_out: bool) {
        if self.memory.forecast(runs_out, &self.settings) {
            self.emit(now, EventKind::MemoryForecast { runs_out: self.memory.runs_out() });
        }
    }

    pub(super) fn memory_rule(&self) -> MemoryRule<'_> {
        MemoryRule {
            latch: &self.memory,
            simulated: self.simulated_memory,
            #[cfg(feature = "forecast")]
            settings: &self.settings,
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn emit(&mut self, at: MonotonicInstant, kind: EventKind) {
        self.events.push(Event { at, generation: self.generation(), kind });
    }
}
