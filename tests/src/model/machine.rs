//! The model's time, rules and transitions.

use std::time::Duration;

use tripline_core::{
    Cause, IncidentCause, Instant, Latency, MemoryState, MonotonicInstant, Outcome, State, Trip, TripReason,
};

use super::{Happened, JUMP, Model, Sample};
use crate::trend_model::Slope;

impl Model {
    /// A reading of the clock.
    pub(super) fn reading(&mut self, raw: Instant) {
        let shifted = self.place(raw);
        let behind = self.latest.since(shifted);
        if behind < JUMP {
            self.suspect = false;
            self.latest = self.latest.max(shifted);
        } else if self.suspect {
            self.suspect = false;
            self.offset += behind;
            self.happened.push(Happened::ClockJumpedBack);
        } else {
            self.suspect = true;
        }
        self.let_age();
    }

    /// The end of a call: it never moves time back.
    pub(super) fn end_of_call(&mut self, raw: Instant) {
        let shifted = self.place(raw);
        if shifted > self.latest {
            self.latest = shifted;
            self.suspect = false;
        }
        self.let_age();
    }

    fn place(&self, raw: Instant) -> MonotonicInstant {
        MonotonicInstant::from_nanos(raw.as_nanos()) + self.offset
    }

    fn let_age(&mut self) {
        self.keep_what_counts();
        let believed = self.policy.sample_interval * 3;
        if self.memory_reading.is_some_and(|(at, _)| self.latest.since(at) > believed) {
            self.memory_reading = None;
            self.latch_memory();
        }
    }

    /// Keeps the last `latency_window_size` samples that have not expired.
    pub(super) fn keep_what_counts(&mut self) {
        let (latest, max_age) = (self.latest, self.policy.latency_max_age);
        self.samples.retain(|sample| latest.since(sample.at) <= max_age);
        let size = usize::from(self.policy.latency_window_size.get());
        self.samples.drain(..self.samples.len().saturating_sub(size));
    }

    pub(super) fn latch_memory(&mut self) {
        let threshold = self.policy.memory_threshold.get();
        let clears_below = threshold - self.policy.memory_hysteresis.get().min(threshold / 2.0);
        let was_set = self.memory == MemoryState::Exhausted;
        let next = match self.memory_reading.and_then(|(_, sample)| sample.ratio()) {
            None => MemoryState::Unknown,
            Some(ratio) if ratio >= threshold || (was_set && ratio >= clears_below) => MemoryState::Exhausted,
            Some(_) => MemoryState::Ok,
        };
        if next != self.memory {
            self.memory = next;
            self.happened.push(Happened::Memory(next));
            self.forecast(self.runs_out);
        }
    }

    /// Records a forecast; it is false without a horizon or if memory is unknown.
    pub(super) fn forecast(&mut self, runs_out: bool) {
        let next = runs_out && !self.policy.memory_horizon.is_zero() && self.memory != MemoryState::Unknown;
        if next != self.runs_out {
            self.runs_out = next;
            self.happened.push(Happened::MemoryForecast(next));
        }
    }

    pub(super) fn forecast_trips(&self) -> bool {
        self.runs_out && self.policy.memory_horizon_trips
    }

    pub(super) fn catch_up(&mut self) {
        match self.state {
            State::Closed => self.look_at_incident(),
            State::HalfOpen { admitted, good } if admitted > good => {
                let decided = self.last_probe + Duration::from(self.probe_threshold);
                if self.latest > decided {
                    self.trip(TripReason::ProbeSlow);
                }
            }
            _ => {}
        }
    }

    pub(super) fn record(&mut self, latency: Latency, outcome: Outcome) {
        match outcome {
            Outcome::Ok => self.totals.ok += 1,
            Outcome::Failed => self.totals.failed += 1,
            Outcome::Ignored => self.totals.ignored += 1,
        }
        // A call that outlived the window had already stopped counting as stalled.
        let outlived = Duration::from(latency) > self.policy.latency_max_age;
        if latency > self.policy.latency_threshold && !outlived {
            self.stalled = self.stalled.saturating_sub(1);
        }
        if outcome == Outcome::Ignored {
            return;
        }
        self.samples.push(Sample { at: self.latest, latency, failed: outcome == Outcome::Failed });
        self.keep_what_counts();
        self.incident.calls_since_closed += 1;
        self.breaches_in_a_row = if self.verdict().above { self.breaches_in_a_row + 1 } else { 0 };
        self.judge();
    }

    pub(super) fn judge(&mut self) {
        match self.trip_rule() {
            Some(reason) => self.trip(reason),
            None => self.look_at_incident(),
        }
    }

    fn trip_rule(&mut self) -> Option<TripReason> {
        let latency = self.latency_rule();
        let memory = self.memory == MemoryState::Exhausted || self.simulated_memory;
        match (memory, latency) {
            (true, Some(_)) => Some(TripReason::MemoryAndLatency),
            (true, None) => Some(TripReason::Memory),
            (false, Some(reason)) => Some(reason),
            (false, None) if self.forecast_trips() => Some(TripReason::MemoryForecast),
            (false, None) => self.failure_rule().then_some(TripReason::Failures),
        }
    }

    fn latency_rule(&mut self) -> Option<TripReason> {
        if self.simulated_latency {
            return Some(TripReason::Latency);
        }
        let verdict = self.verdict();
        if !verdict.above || !verdict.enough {
            return None;
        }
        if !self.policy.trend_analysis {
            return Some(TripReason::Latency);
        }
        let slope = self.slope();
        self.undecided |= slope.is_none();
        let sustained = self.breaches_in_a_row >= u32::from(self.policy.latency_window_size.get());
        match slope {
            Some(Slope::Rising) => Some(TripReason::LatencyRising),
            _ if verdict.plateau => Some(TripReason::LatencyPlateau),
            Some(Slope::Falling) => None,
            _ => sustained.then_some(TripReason::LatencySustained),
        }
    }

    fn failure_rule(&self) -> bool {
        let rate = self.policy.failure_rate_threshold.get();
        let n = self.samples.len() + usize::from(self.stalled);
        let failed = self.samples.iter().filter(|s| s.failed).count();
        rate > 0.0 && n >= self.minimum_samples() && failed as f64 / n as f64 >= rate
    }

    pub(super) fn probe_finished(&mut self, latency: Latency, outcome: Outcome) {
        let slow = latency > self.probe_threshold;
        match outcome {
            Outcome::Ok => self.totals.ok += 1,
            Outcome::Failed => self.totals.failed += 1,
            Outcome::Ignored => self.totals.ignored += 1,
        }
        if slow {
            self.trip(TripReason::ProbeSlow);
        } else if outcome == Outcome::Failed && self.policy.failure_rate_threshold.get() > 0.0 {
            self.trip(TripReason::ProbeFailed);
        } else if outcome != Outcome::Ok {
            self.give_place_back();
        } else if let State::HalfOpen { admitted, good } = self.state {
            self.state = State::HalfOpen { admitted, good: good + 1 };
            if good + 1 >= self.probe_limit {
                self.change_state(State::Closed, Cause::Recovered);
            }
        }
    }

    pub(super) fn give_place_back(&mut self) {
        if let State::HalfOpen { admitted, good } = self.state {
            self.state = State::HalfOpen { admitted: admitted.saturating_sub(1).max(good), good };
        }
    }

    pub(super) fn trip(&mut self, reason: TripReason) {
        if matches!(self.state, State::HalfOpen { .. }) {
            self.failed_probings += 1;
        }
        let wait = self.wait();
        self.last_trip = Some(Trip { reason, at: self.latest, stalled: self.stalled });
        self.totals.trips.push(reason);
        self.change_state(State::Open { until: self.latest + wait }, Cause::Trip(reason));
        self.start_incident(IncidentCause::Trip(reason));
    }

    fn wait(&self) -> Duration {
        let longest = self.policy.max_wait_time.max(self.policy.wait_time).as_secs_f64();
        let mut wait = self.policy.wait_time.as_secs_f64();
        for _ in 0..self.failed_probings {
            wait = (wait * self.policy.wait_backoff.get()).min(longest);
        }
        Duration::from_secs_f64(wait)
    }

    pub(super) fn change_state(&mut self, to: State, cause: Cause) {
        self.happened.push(Happened::Transition(self.state.kind(), to.kind(), cause));
        self.state = to;
        self.generation = self.generation.wrapping_add(1);
        self.stalled = 0;
        self.breaches_in_a_row = 0;
        if to == State::Closed {
            self.samples.clear();
        }
        self.incident_sees_new_state();
    }
}
