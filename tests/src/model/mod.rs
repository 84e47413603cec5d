//! A breaker that stores everything and recomputes everything: the design in its simplest form.
//!
//! It covers `trip_confidence` 0 (a breach is "above") and `wait_jitter` 0; both have tests of their own.

use std::time::Duration;

use tripline_core::{
    Cause, Generation, IncidentCause, IncidentEnd, Instant, Latency, MemorySample, MemoryState, MonotonicInstant,
    Outcome, Policy, State, StateKind, Trip, TripReason,
};

use crate::trend_model::{self, Slope};

mod incident;
mod machine;

pub use incident::Incident;

/// A recorded call.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// When it ended, in the breaker's own time.
    pub at: MonotonicInstant,
    /// The latency of the call.
    pub latency: Latency,
    /// Whether it failed.
    pub failed: bool,
}

/// Totals, as [`tripline_core::Counts`] names them.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Good results.
    pub ok: u64,
    /// Failed results.
    pub failed: u64,
    /// Ignored results.
    pub ignored: u64,
    /// Good and failed results above the threshold.
    pub slow: u64,
    /// Results of an earlier generation.
    pub stale: u64,
    /// Dropped calls.
    pub dropped: u64,
    /// Every trip's reason, in order.
    pub trips: Vec<TripReason>,
}

/// The events that the model expects, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happened {
    /// A transition or a reset.
    Transition(StateKind, StateKind, Cause),
    /// The memory state changed.
    Memory(MemoryState),
    /// The memory forecast began or ended.
    MemoryForecast(bool),
    /// An incident began.
    IncidentStarted(IncidentCause),
    /// An incident ended.
    IncidentEnded(IncidentEnd),
    /// The clock was set back.
    ClockJumpedBack,
}

/// The latency rules' view of the window.
#[derive(Debug, Clone, Copy)]
pub struct Verdict {
    /// The percentile exceeds the threshold; without `trip_confidence` this is a breach.
    pub above: bool,
    /// There are `minimum_samples`.
    pub enough: bool,
    /// At least five calls, all of them slow.
    pub plateau: bool,
}

/// The naive breaker.
#[derive(Debug, Clone)]
pub struct Model {
    /// The settings in force.
    pub policy: Policy,
    /// The latest instant seen.
    pub latest: MonotonicInstant,
    offset: Duration,
    suspect: bool,
    /// The state.
    pub state: State,
    /// The generation's number.
    pub generation: u32,
    /// The window, oldest first.
    pub samples: Vec<Sample>,
    /// Stalled calls, as last reported.
    pub stalled: u16,
    breaches_in_a_row: u32,
    /// The memory state.
    pub memory: MemoryState,
    memory_reading: Option<(MonotonicInstant, MemorySample)>,
    /// Whether memory is forecast to run out.
    pub runs_out: bool,
    /// Exhausted memory is simulated.
    pub simulated_memory: bool,
    /// A latency breach is simulated.
    pub simulated_latency: bool,
    failed_probings: u32,
    probe_limit: u16,
    probe_threshold: Latency,
    last_probe: MonotonicInstant,
    /// The last trip.
    pub last_trip: Option<Trip>,
    /// The incident.
    pub incident: Incident,
    /// Totals.
    pub totals: Totals,
    /// Events that were not taken yet.
    pub happened: Vec<Happened>,
    /// Whether a trend was so close to its bound that rounding decides; from here on the model may differ.
    pub undecided: bool,
}

/// A clock that lags by this much, twice, was set back.
const JUMP: Duration = Duration::from_secs(1);

impl Model {
    /// Creates a closed breaker, or a disabled one.
    pub fn new(policy: Policy) -> Self {
        Self {
            state: if policy.enabled { State::Closed } else { State::Disabled },
            policy,
            latest: MonotonicInstant::ZERO,
            offset: Duration::ZERO,
            suspect: false,
            generation: 0,
            samples: Vec::new(),
            stalled: 0,
            breaches_in_a_row: 0,
            memory: MemoryState::Unknown,
            memory_reading: None,
            runs_out: false,
            simulated_memory: false,
            simulated_latency: false,
            failed_probings: 0,
            probe_limit: 0,
            probe_threshold: Latency::ZERO,
            last_probe: MonotonicInstant::ZERO,
            last_trip: None,
            incident: Incident::default(),
            totals: Totals::default(),
            happened: Vec::new(),
            undecided: false,
        }
    }

    /// Admits a call, or returns `None`.
    pub fn try_admit(&mut self, now: Instant) -> Option<Generation> {
        self.reading(now);
        self.catch_up();
        if let State::Open { until } = self.state {
            let held = self.memory == MemoryState::Exhausted || self.simulated_memory || self.simulated_latency;
            let held = held || self.forecast_trips();
            if self.latest < until || held {
                return None;
            }
            self.probe_limit = self.policy.half_open_max_calls;
            self.probe_threshold = self.policy.latency_threshold;
            let probing = State::HalfOpen { admitted: 0, good: 0 };
            self.change_state(if self.probe_limit == 0 { State::Closed } else { probing }, Cause::WaitOver);
        }
        match self.state {
            State::Closed | State::Disabled => {}
            State::HalfOpen { admitted, good } if admitted < self.probe_limit => {
                self.state = State::HalfOpen { admitted: admitted + 1, good };
                self.last_probe = self.latest;
            }
            State::HalfOpen { .. } | State::Open { .. } | State::ForcedOpen => return None,
        }
        Some(Generation::new(self.generation))
    }

    /// Records a finished call.
    pub fn finish(&mut self, end: Instant, generation: Generation, latency: Latency, outcome: Outcome) {
        self.end_of_call(end);
        let counts = outcome != Outcome::Ignored && self.state != State::Disabled;
        self.totals.slow += u64::from(counts && latency > self.policy.latency_threshold);
        if generation.get() != self.generation {
            self.totals.stale += 1;
            return;
        }
        match self.state {
            State::Closed => self.record(latency, outcome),
            State::HalfOpen { .. } => self.probe_finished(latency, outcome),
            State::Open { .. } | State::Disabled | State::ForcedOpen => {}
        }
    }

    /// Records a dropped call.
    pub fn drop_call(&mut self, generation: Generation) {
        self.totals.dropped += 1;
        if generation.get() == self.generation {
            self.give_place_back();
        }
    }

    /// Sets the number of stalled calls.
    pub fn stall(&mut self, now: Instant, generation: Generation, count: u16) {
        self.end_of_call(now);
        if generation.get() != self.generation || (count == 0 && self.stalled == 0) {
            return;
        }
        match self.state {
            State::Closed => {
                self.stalled = count;
                self.judge();
            }
            State::HalfOpen { .. } if count > 0 => self.trip(TripReason::ProbeSlow),
            _ => {}
        }
    }

    /// Records a memory reading, or that memory could not be read.
    pub fn read_memory(&mut self, now: Instant, sample: Option<MemorySample>) {
        self.reading(now);
        self.memory_reading = sample.map(|sample| (self.latest, sample));
        self.latch_memory();
        if self.memory == MemoryState::Exhausted {
            match self.state {
                State::Closed => self.judge(),
                State::HalfOpen { .. } => self.trip(TripReason::Memory),
                _ => {}
            }
        }
        self.catch_up();
    }

    /// Sets whether memory is forecast to run out.
    pub fn read_forecast(&mut self, now: Instant, runs_out: bool) {
        self.reading(now);
        self.forecast(runs_out);
        if self.forecast_trips() {
            match self.state {
                State::Closed => self.judge(),
                State::HalfOpen { .. } => self.trip(TripReason::MemoryForecast),
                _ => {}
            }
        }
        self.catch_up();
    }

    /// Advances time.
    pub fn pass_time(&mut self, now: Instant) {
        self.reading(now);
        self.catch_up();
    }

    /// Applies a new policy.
    pub fn set_policy(&mut self, now: Instant, policy: &Policy) {
        let was_enabled = self.policy.enabled;
        if policy.latency_threshold > self.policy.latency_threshold {
            // A slow call may not be slow under the new policy.
            self.stalled = 0;
        }
        self.policy = policy.clone();
        self.policy.enabled = was_enabled;
        self.keep_what_counts();
        if !self.verdict().above {
            self.breaches_in_a_row = 0;
        }
        self.latch_memory();
        self.forecast(self.runs_out);
        if policy.enabled { self.enable(now) } else { self.disable(now) }
    }

    /// Resets it as an operator.
    pub fn reset(&mut self, now: Instant) {
        self.reading(now);
        (self.simulated_memory, self.simulated_latency) = (false, false);
        self.change_state(if self.policy.enabled { State::Closed } else { State::Disabled }, Cause::Reset);
        self.end_by_operator();
    }

    /// Resumes an incident of the previous process.
    pub fn resume_incident(&mut self, now: Instant, cause: IncidentCause, trip: Option<TripReason>) {
        self.reading(now);
        self.resume(cause);
        let had_trip = trip.is_some() || matches!(cause, IncidentCause::Trip(_));
        match self.state {
            State::Closed if had_trip && self.policy.half_open_max_calls > 0 => {
                self.probe_limit = self.policy.half_open_max_calls;
                self.probe_threshold = self.policy.latency_threshold;
                self.change_state(State::HalfOpen { admitted: 0, good: 0 }, Cause::Resumed);
            }
            State::Disabled => self.end_by_operator(),
            _ => {}
        }
    }

    /// Enables it as an operator.
    pub fn enable(&mut self, now: Instant) {
        self.reading(now);
        self.policy.enabled = true;
        if self.state == State::Disabled {
            self.change_state(State::Closed, Cause::Enable);
        }
    }

    /// Disables it as an operator.
    pub fn disable(&mut self, now: Instant) {
        self.reading(now);
        self.policy.enabled = false;
        if !matches!(self.state, State::Disabled | State::ForcedOpen) {
            (self.simulated_memory, self.simulated_latency) = (false, false);
            self.change_state(State::Disabled, Cause::Disable);
            self.end_by_operator();
        }
    }

    /// Forces it open as an operator.
    pub fn force_open(&mut self, now: Instant) {
        self.reading(now);
        if !matches!(self.state, State::Disabled | State::ForcedOpen) {
            self.change_state(State::ForcedOpen, Cause::ForceOpen);
        }
    }

    /// Simulates exhausted memory, or a breach.
    pub fn simulate(&mut self, now: Instant, memory: bool) {
        self.reading(now);
        if matches!(self.state, State::Disabled | State::ForcedOpen) {
            return;
        }
        self.simulated_memory |= memory;
        self.simulated_latency |= !memory;
        match self.state {
            State::Closed => self.judge(),
            State::HalfOpen { .. } => {
                let memory = self.simulated_memory || self.memory == MemoryState::Exhausted;
                self.trip(match (memory, self.simulated_latency) {
                    (true, true) => TripReason::MemoryAndLatency,
                    (true, false) => TripReason::Memory,
                    (false, _) => TripReason::Latency,
                });
            }
            _ => {}
        }
    }

    /// Removes both simulations.
    pub fn undo_simulations(&mut self, now: Instant) {
        self.reading(now);
        (self.simulated_memory, self.simulated_latency) = (false, false);
        self.catch_up();
    }

    /// The latencies that count, oldest first: all but those of fast failures.
    pub fn latencies(&self) -> Vec<Latency> {
        let threshold = self.policy.latency_threshold;
        self.samples.iter().filter(|s| !s.failed || s.latency > threshold).map(|s| s.latency).collect()
    }

    /// The percentile of the window, by sorting it.
    pub fn percentile(&self) -> Option<Latency> {
        let mut sorted = self.latencies();
        sorted.sort_unstable();
        sorted.get(self.index(sorted.len())).copied()
    }

    /// Returns the direction of the latencies; `None` if rounding decides.
    pub fn slope(&self) -> Option<Slope> {
        trend_model::slope(&self.latencies(), usize::from(self.policy.effective_trend_minimum()))
    }

    /// The latency rules' view, stalled calls included.
    pub fn verdict(&self) -> Verdict {
        let threshold = u64::from(self.policy.latency_threshold.as_micros());
        let mut sorted: Vec<u64> = self.latencies().iter().map(|l| u64::from(l.as_micros())).collect();
        sorted.extend((0..self.stalled).map(|_| u64::MAX));
        sorted.sort_unstable();
        Verdict {
            above: sorted.get(self.index(sorted.len())).is_some_and(|&value| value > threshold),
            enough: sorted.len() >= self.minimum_samples(),
            plateau: sorted.len() >= 5 && sorted.iter().all(|&value| value > threshold),
        }
    }

    /// min(⌊n·p⌋, n−1).
    fn index(&self, n: usize) -> usize {
        ((n as f64 * self.policy.percentile.get()).floor() as usize).min(n.saturating_sub(1))
    }

    /// min(set or default, window size); the default is the smallest n ≥ 10 of which two must be slow.
    fn minimum_samples(&self) -> usize {
        let size = usize::from(self.policy.latency_window_size.get());
        let default = || (10..size).find(|&n| n - self.index(n) >= 2).unwrap_or(size);
        self.policy.minimum_samples.map_or_else(default, usize::from).clamp(1, size)
    }
}
