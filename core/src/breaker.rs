//! The breaker itself: inputs go in with the time, decisions and events come out.

use core::fmt;
use core::time::Duration;

use crate::counts::Counts;
use crate::event::{Event, EventKind, EventQueue};
use crate::evidence::{Evidence, EvidenceRule};
use crate::incident::IncidentTracker;
use crate::memory::{MemoryLatch, MemorySample};
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::rules::{Limits, Verdict};
use crate::state::{Cause, State, TripReason, is_legal};
use crate::time::{Instant, Timeline};
use crate::trend::Slope;
use crate::units::Latency;
use crate::wait::Wait;
use crate::window::Window;

/// Which stretch of the breaker's life a call was admitted in.
///
/// It changes with every transition and with every `reset`, so that a late result cannot touch a state that it knows
/// nothing of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Generation(u32);

impl Generation {
    /// The generation with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number; wraps after 2^32 transitions.
    pub const fn get(self) -> u32 {
        self.0
    }
}

/// Why a call was not admitted, and when asking again makes sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
    /// How long to wait; `None` where no time can be told (memory, an operator).
    pub retry_after: Option<Duration>,
}

/// Why a call was not admitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum RefusalReason {
    /// The breaker is open, for this reason.
    Open(TripReason),
    /// Half-open, and all probes are taken.
    Probing,
    /// An operator forced it open.
    ForcedOpen,
}

impl RefusalReason {
    /// The name as it stands in bodies and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open(reason) => reason.as_str(),
            Self::Probing => "probing",
            Self::ForcedOpen => "forced_open",
        }
    }
}

/// The window of a policy does not fit into the breaker's capacity `N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapacityError {
    /// The size asked for.
    pub latency_window_size: u16,
    /// The capacity.
    pub capacity: usize,
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "latency_window_size {} is more than the capacity {}", self.latency_window_size, self.capacity)
    }
}

impl core::error::Error for CapacityError {}

/// The last trip.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trip {
    /// Why.
    pub reason: TripReason,
    /// When, in the breaker's own time.
    pub at: Instant,
}

/// The state machine of one circuit breaker with room for `N` samples (1 ≤ N ≤ 65,535).
///
/// It has no clock and starts nothing: every `handle_*` and `try_*` takes the time, [`Breaker::poll_event`] hands out
/// what happened and [`Breaker::poll_deadline`] says when [`Breaker::handle_time`] is due. The order of use is
///
/// 1. [`try_admit`](Breaker::try_admit) before a call; keep the [`Generation`] it gives.
/// 2. [`handle_finished`](Breaker::handle_finished) with that generation after it (or
///    [`handle_dropped`](Breaker::handle_dropped), if it was never made).
/// 3. [`handle_stalled`](Breaker::handle_stalled) and [`handle_memory`](Breaker::handle_memory) from time to time, if there
///    is somebody who counts hanging calls and somebody who reads memory.
/// 4. [`handle_time`](Breaker::handle_time) at the deadline, and [`poll_event`](Breaker::poll_event) until it is empty.
///
/// Nothing panics and nothing allocates. Every method is O(1) but for those that say otherwise.
///
/// ```
/// use core::time::Duration;
/// use tripline_core::{Breaker, Instant, Latency, Outcome, Policy, State};
///
/// let mut policy = Policy::default();
/// policy.latency_threshold = Latency::from_millis(300);
/// let mut breaker = Breaker::<64>::new(policy, 7)?;
///
/// let mut now = Instant::ZERO;
/// for _ in 0..21 {
///     let generation = breaker.try_admit(now).expect("closed");
///     now = now + Duration::from_millis(400);
///     breaker.handle_finished(now, generation, Latency::from_millis(400), Outcome::Ok);
/// }
/// assert!(matches!(breaker.state(), State::Open { .. }));
/// assert!(breaker.try_admit(now).is_err());
/// # Ok::<(), tripline_core::CapacityError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Breaker<const N: usize> {
    policy: Policy,
    limits: Limits,
    time: Timeline,
    state: State,
    generation: u32,
    generation_since: Instant,
    window: Window<N>,
    evidence: Evidence,
    /// Calls of this generation that are in flight for longer than the threshold.
    stalled: u16,
    /// Recorded samples in a row that each left a breach.
    breaches_in_a_row: u16,
    memory: MemoryLatch,
    simulated_memory: bool,
    simulated_latency: bool,
    wait: Wait,
    probes: Probes,
    last_trip: Option<Trip>,
    incident: IncidentTracker,
    events: EventQueue,
    counts: Counts,
}

/// What the probes of the current half-open stretch are held against; changes apply from the next one.
#[derive(Debug, Clone, Copy, Default)]
struct Probes {
    limit: u16,
    threshold: Latency,
    last_admitted: Instant,
}

impl<const N: usize> Breaker<N> {
    /// A closed breaker (disabled, if the policy says so). `seed` feeds the jitter of the wait, nothing else.
    ///
    /// # Errors
    /// [`CapacityError`] where the window of the policy does not fit into `N`.
    pub fn new(policy: Policy, seed: u64) -> Result<Self, CapacityError> {
        check_capacity::<N>(&policy)?;
        let window = Window::new(policy.latency_window_size.get(), policy.latency_max_age, policy.latency_threshold);
        Ok(Self {
            limits: Limits::new(&policy),
            time: Timeline::default(),
            state: if policy.enabled { State::Closed } else { State::Disabled },
            generation: 0,
            generation_since: Instant::ZERO,
            window,
            evidence: Evidence::new(EvidenceRule::new(&policy).as_ref()),
            stalled: 0,
            breaches_in_a_row: 0,
            memory: MemoryLatch::new(),
            simulated_memory: false,
            simulated_latency: false,
            wait: Wait::new(seed),
            probes: Probes::default(),
            last_trip: None,
            incident: IncidentTracker::new(),
            events: EventQueue::new(),
            counts: Counts::default(),
            policy,
        })
    }

    // ----- asking

    /// Asks to make a call. `now` is a reading of the clock.
    ///
    /// While open, the first call to ask after the wait makes the breaker half-open and is its first probe.
    ///
    /// # Errors
    /// [`Refusal`] with the reason and the time to wait, where the state admits no call.
    pub fn try_admit(&mut self, now: Instant) -> Result<Generation, Refusal> {
        let now = self.read_clock(now);
        self.catch_up(now);
        match self.state {
            State::Closed | State::Disabled => {}
            State::Open { until } => {
                if now < until || self.is_held_open() {
                    return Err(self.refusal(now));
                }
                self.end_wait(now);
                self.take_probe(now)?;
            }
            State::HalfOpen { .. } => self.take_probe(now)?,
            State::ForcedOpen => return Err(self.refusal(now)),
        }
        Ok(self.generation())
    }

    /// What asking at `now` would be answered in an open, half-open or forced-open breaker. Changes nothing.
    pub fn refusal(&self, now: Instant) -> Refusal {
        let now = self.time.place(now).max(self.time.latest());
        match self.state {
            State::ForcedOpen => Refusal { reason: RefusalReason::ForcedOpen, retry_after: None },
            State::HalfOpen { .. } => {
                let decided = self.probes.last_admitted.plus_nanos(self.probes.threshold.as_nanos());
                Refusal { reason: RefusalReason::Probing, retry_after: Some(decided.since(now)) }
            }
            State::Open { until } => {
                let wait = (now < until).then(|| until.since(now));
                Refusal { reason: RefusalReason::Open(self.trip_reason()), retry_after: wait }
            }
            State::Closed | State::Disabled => {
                Refusal { reason: RefusalReason::Open(self.trip_reason()), retry_after: Some(Duration::ZERO) }
            }
        }
    }

    // ----- inputs

    /// A call has finished at `end` (which is never taken as the clock going back) after `latency`.
    ///
    /// A result of an earlier generation counts in [`Breaker::counts`] and nowhere else. O(1) amortised; when many samples
    /// expire at once after an idle time, O(N) once.
    pub fn handle_finished(&mut self, end: Instant, generation: Generation, latency: Latency, outcome: Outcome) {
        let now = self.time.end_of_call(end);
        if generation != self.generation() {
            self.counts.stale = self.counts.stale.wrapping_add(1);
            return;
        }
        match self.state {
            State::Closed => self.record(now, latency, outcome),
            State::HalfOpen { admitted, good } => self.probe_finished(now, latency, outcome, admitted, good),
            State::Open { .. } | State::Disabled | State::ForcedOpen => {}
        }
    }

    /// A call was given up without a result: neutral. A probe gives its place back.
    pub fn handle_dropped(&mut self, generation: Generation) {
        if generation == self.generation() {
            self.give_place_back();
        }
        self.counts.dropped = self.counts.dropped.wrapping_add(1);
    }

    /// `count` calls of `generation` are in flight for longer than [`Breaker::slow_after`] (and not longer than
    /// `latency_max_age`). Each counts as a slow call while it lasts. Tell it after the finished calls, not before.
    pub fn handle_stalled(&mut self, now: Instant, generation: Generation, count: u16) {
        let now = self.time.end_of_call(now);
        if generation != self.generation() || (count == 0 && self.stalled == 0) {
            return;
        }
        match self.state {
            State::Closed => {
                self.expire_samples(now);
                self.stalled = count;
                if let Some(rule) = &self.limits.evidence {
                    self.evidence.stalled(rule, count);
                }
                self.judge(now, self.verdict());
            }
            State::HalfOpen { .. } if count > 0 => self.trip(now, TripReason::ProbeSlow),
            _ => {}
        }
    }

    /// Memory was read. The rule is looked at even if no call is made.
    pub fn handle_memory(&mut self, now: Instant, sample: MemorySample) {
        let now = self.read_clock(now);
        let changed = self.memory.observe(now, sample, &self.policy);
        self.memory_seen(now, changed);
        self.catch_up(now);
    }

    /// Memory could not be read: it is unknown from now on, and the latch is clear.
    pub fn handle_memory_lost(&mut self, now: Instant) {
        let now = self.read_clock(now);
        let changed = self.memory.lose();
        self.memory_seen(now, changed);
        self.catch_up(now);
    }

    /// Lets time pass: samples age, a memory reading goes stale, a lost probe is given up, an incident ends.
    pub fn handle_time(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.catch_up(now);
    }

    /// Applies new settings between two samples; the window is kept. A changed `enabled` acts as
    /// [`enable`](Breaker::enable) or [`disable`](Breaker::disable). O(N).
    ///
    /// # Errors
    /// [`CapacityError`] where the window does not fit; then nothing changes.
    pub fn handle_policy(&mut self, now: Instant, policy: &Policy) -> Result<(), CapacityError> {
        check_capacity::<N>(policy)?;
        let enabled = policy.enabled;
        self.policy = Policy { enabled: self.policy.enabled, ..policy.clone() };
        self.limits = Limits::new(&self.policy);
        let size = self.policy.latency_window_size.get();
        self.window.retune(size, self.policy.latency_max_age, self.policy.latency_threshold);
        self.weigh_evidence_again();
        if !self.verdict().breach {
            self.breaches_in_a_row = 0;
        }
        let changed = self.memory.retune(&self.policy);
        let at = self.time.latest();
        if changed {
            self.emit(at, EventKind::Memory(self.memory.state()));
        }
        if enabled {
            self.enable(now);
        } else {
            self.disable(now);
        }
        Ok(())
    }

    // ----- operators

    /// Closes the breaker, forgets the window, undoes the overlays and ends the incident. A disabled one stays disabled.
    pub fn reset(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.simulated_memory = false;
        self.simulated_latency = false;
        let to = if self.policy.enabled { State::Closed } else { State::Disabled };
        self.change_state(now, to, Cause::Reset);
        self.end_incident_by_operator(now);
    }

    /// A disabled breaker closes; any other stays as it is.
    pub fn enable(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.policy.enabled = true;
        if self.state == State::Disabled {
            self.change_state(now, State::Closed, Cause::Enable);
        }
    }

    /// Admits everything and records nothing, until [`Breaker::enable`]; ends the incident. A breaker that is forced open
    /// stays so until [`Breaker::reset`].
    pub fn disable(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.policy.enabled = false;
        if !matches!(self.state, State::Disabled | State::ForcedOpen) {
            self.simulated_memory = false;
            self.simulated_latency = false;
            self.change_state(now, State::Disabled, Cause::Disable);
            self.end_incident_by_operator(now);
        }
    }

    /// Admits nothing until [`Breaker::reset`]; false where the breaker is disabled, which must be undone first.
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

    /// Lets the memory rule see exhausted memory (an overlay: the readings stay as they are) until
    /// [`Breaker::undo_simulations`] or [`Breaker::reset`]; false, and without effect, where the breaker is disabled or forced
    /// open.
    pub fn simulate_memory(&mut self, now: Instant) -> bool {
        self.simulate(now, |breaker| breaker.simulated_memory = true)
    }

    /// Lets the latency rule hold (no samples are made up), in the same way as [`Breaker::simulate_memory`].
    pub fn simulate_latency(&mut self, now: Instant) -> bool {
        self.simulate(now, |breaker| breaker.simulated_latency = true)
    }

    /// Undoes both simulations; an open breaker goes on with its wait.
    pub fn undo_simulations(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.simulated_memory = false;
        self.simulated_latency = false;
        self.catch_up(now);
    }

    // ----- outputs

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Whether [`Breaker::poll_event`] has something to hand out.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// When [`Breaker::handle_time`] is due, on the clock that gives the readings; `None` = nothing waits for time.
    pub fn poll_deadline(&self) -> Option<Instant> {
        let probe = match self.state {
            State::HalfOpen { admitted, good } if admitted > good => self.probe_deadline(),
            _ => Instant::MAX,
        };
        let memory = self.memory.deadline().plus_nanos(1);
        let incident = self.incident.deadline(&self.policy, self.limits.minimum_samples);
        let next = probe.min(memory).min(incident);
        (next < Instant::MAX).then(|| self.time.as_clock_shows(next))
    }

    // ----- the machine

    fn record(&mut self, now: Instant, latency: Latency, outcome: Outcome) {
        self.counts.finished(outcome);
        if outcome == Outcome::Ignored {
            return;
        }
        self.expire_samples(now);
        let slow = latency > self.policy.latency_threshold;
        if slow {
            self.stalled = self.stalled.saturating_sub(1);
            self.counts.slow = self.counts.slow.wrapping_add(1);
        }
        self.window.record(now, latency, outcome);
        if let Some(rule) = &self.limits.evidence
            && (slow || outcome == Outcome::Ok)
        {
            self.evidence.finished(rule, slow);
        }
        self.incident.call_recorded();
        let verdict = self.verdict();
        self.breaches_in_a_row = if verdict.breach { self.breaches_in_a_row.saturating_add(1) } else { 0 };
        self.judge(now, verdict);
    }

    /// Takes the trip decision of a closed breaker; without one, looks at the incident.
    fn judge(&mut self, now: Instant, verdict: Verdict) {
        match self.trip_rule(verdict) {
            Some(reason) => self.trip(now, reason),
            None => self.look_at_incident(now, verdict),
        }
    }

    fn verdict(&self) -> Verdict {
        self.limits.verdict(&self.window, &self.evidence, self.stalled)
    }

    fn trip_rule(&self, verdict: Verdict) -> Option<TripReason> {
        let latency = if self.simulated_latency {
            Some(TripReason::Latency)
        } else if verdict.breach && verdict.enough {
            self.latency_rule(verdict)
        } else {
            None
        };
        let memory = self.memory.is_set() || self.simulated_memory;
        match (memory, latency) {
            (true, Some(_)) => Some(TripReason::MemoryAndLatency),
            (true, None) => Some(TripReason::Memory),
            (false, Some(reason)) => Some(reason),
            (false, None) => self.limits.failures(&self.window, self.stalled).then_some(TripReason::Failures),
        }
    }

    fn latency_rule(&self, verdict: Verdict) -> Option<TripReason> {
        if !self.policy.trend_analysis {
            return Some(TripReason::Latency);
        }
        let slope = self.window.sums().slope(self.limits.trend_minimum);
        let sustained = self.breaches_in_a_row >= self.policy.latency_window_size.get();
        if slope == Slope::Rising {
            Some(TripReason::LatencyRising)
        } else if verdict.plateau {
            Some(TripReason::LatencyPlateau)
        } else if sustained && slope != Slope::Falling {
            Some(TripReason::LatencySustained)
        } else {
            None
        }
    }

    fn probe_finished(&mut self, now: Instant, latency: Latency, outcome: Outcome, admitted: u16, good: u16) {
        self.counts.finished(outcome);
        if latency > self.probes.threshold {
            self.counts.slow = self.counts.slow.wrapping_add(1);
            return self.trip(now, TripReason::ProbeSlow);
        }
        match outcome {
            Outcome::Ok => {
                let good = good.saturating_add(1);
                self.state = State::HalfOpen { admitted, good };
                if good >= self.probes.limit {
                    self.change_state(now, State::Closed, Cause::Recovered);
                }
            }
            Outcome::Failed if self.limits.failure_rule_is_on() => self.trip(now, TripReason::ProbeFailed),
            Outcome::Failed | Outcome::Ignored => self.give_place_back(),
        }
    }

    fn take_probe(&mut self, now: Instant) -> Result<(), Refusal> {
        let State::HalfOpen { admitted, good } = self.state else { return Ok(()) };
        if admitted >= self.probes.limit {
            return Err(self.refusal(now));
        }
        self.state = State::HalfOpen { admitted: admitted.saturating_add(1), good };
        self.probes.last_admitted = now;
        Ok(())
    }

    fn give_place_back(&mut self) {
        if let State::HalfOpen { admitted, good } = self.state {
            self.state = State::HalfOpen { admitted: admitted.saturating_sub(1).max(good), good };
        }
    }

    /// The moment from which every probe in flight is older than the threshold, whoever may have lost it.
    fn probe_deadline(&self) -> Instant {
        self.probes.last_admitted.plus_nanos(self.probes.threshold.as_nanos().saturating_add(1))
    }

    fn end_wait(&mut self, now: Instant) {
        self.probes.limit = self.policy.half_open_max_calls;
        self.probes.threshold = self.policy.latency_threshold;
        let to = if self.probes.limit == 0 { State::Closed } else { State::HalfOpen { admitted: 0, good: 0 } };
        self.change_state(now, to, Cause::WaitOver);
    }

    fn trip(&mut self, now: Instant, reason: TripReason) {
        let wait = match self.state {
            State::HalfOpen { .. } => self.wait.after_failed_probe(&self.policy),
            _ => self.wait.after_trip(&self.policy),
        };
        self.last_trip = Some(Trip { reason, at: now });
        self.counts.tripped(reason);
        self.change_state(now, State::Open { until: now.plus_nanos(wait) }, Cause::Trip(reason));
        if let Some(cause) = self.incident.tripped(reason) {
            self.emit(now, EventKind::IncidentStarted(cause));
        }
    }

    /// The only place where the state becomes another one.
    fn change_state(&mut self, now: Instant, to: State, cause: Cause) {
        let from = self.state.kind();
        debug_assert!(is_legal(from, cause, to.kind()), "{from} to {to:?} by {cause:?}");
        self.state = to;
        self.generation = self.generation.wrapping_add(1);
        self.generation_since = now;
        self.stalled = 0;
        self.evidence = Evidence::new(self.limits.evidence.as_ref());
        self.breaches_in_a_row = 0;
        if to == State::Closed {
            self.window.clear();
        }
        self.incident.state_changed();
        self.emit(now, EventKind::Transition { from, to: to.kind(), cause });
    }

    fn memory_seen(&mut self, now: Instant, changed: bool) {
        if changed {
            self.emit(now, EventKind::Memory(self.memory.state()));
        }
        match self.state {
            State::Closed if self.memory.is_set() => {
                self.expire_samples(now);
                self.judge(now, self.verdict());
            }
            State::HalfOpen { .. } if self.memory.is_set() => self.trip(now, TripReason::Memory),
            _ => {}
        }
    }

    fn simulate(&mut self, now: Instant, set: impl FnOnce(&mut Self)) -> bool {
        let now = self.read_clock(now);
        if matches!(self.state, State::Disabled | State::ForcedOpen) {
            return false;
        }
        set(self);
        match self.state {
            State::Closed => {
                self.expire_samples(now);
                self.judge(now, self.verdict());
            }
            State::HalfOpen { .. } => {
                let reason = self.trip_rule(Verdict::default()).unwrap_or(TripReason::Latency);
                self.trip(now, reason);
            }
            _ => {}
        }
        true
    }

    fn catch_up(&mut self, now: Instant) {
        if self.memory.expire(now) {
            self.emit(now, EventKind::Memory(self.memory.state()));
        }
        match self.state {
            State::Closed => {
                self.expire_samples(now);
                let verdict = self.verdict();
                self.look_at_incident(now, verdict);
            }
            State::HalfOpen { admitted, good } if admitted > good && now >= self.probe_deadline() => {
                self.trip(now, TripReason::ProbeSlow);
            }
            _ => {}
        }
    }

    fn expire_samples(&mut self, now: Instant) {
        if self.window.expire(now)
            && self.window.len() == 0
            && let Some(rule) = &self.limits.evidence
        {
            self.evidence.forget(rule);
        }
    }

    fn look_at_incident(&mut self, now: Instant, verdict: Verdict) {
        if verdict.above && verdict.enough {
            if let Some(cause) = self.incident.condition_holds(now, &self.policy) {
                self.emit(now, EventKind::IncidentStarted(cause));
            }
        } else if let Some(end) = self.incident.healthy(now, &self.policy, self.limits.minimum_samples) {
            self.wait.fall_back();
            self.emit(now, EventKind::IncidentEnded(end));
        }
    }

    fn end_incident_by_operator(&mut self, now: Instant) {
        self.wait.fall_back();
        if let Some(end) = self.incident.end_by_operator() {
            self.emit(now, EventKind::IncidentEnded(end));
        }
    }

    fn weigh_evidence_again(&mut self) {
        self.evidence = Evidence::new(self.limits.evidence.as_ref());
        if let Some(rule) = &self.limits.evidence {
            for latency in self.window.latencies() {
                self.evidence.finished(rule, latency > self.policy.latency_threshold);
            }
            self.evidence.stalled(rule, self.stalled);
        }
    }

    fn is_held_open(&self) -> bool {
        self.memory.is_set() || self.simulated_memory || self.simulated_latency
    }

    fn trip_reason(&self) -> TripReason {
        self.last_trip.map_or(TripReason::Latency, |trip| trip.reason)
    }

    fn read_clock(&mut self, raw: Instant) -> Instant {
        let jumps = self.time.jumps();
        let now = self.time.reading(raw);
        if self.time.jumps() != jumps {
            self.emit(now, EventKind::ClockJumpedBack);
        }
        now
    }

    fn emit(&mut self, at: Instant, kind: EventKind) {
        self.events.push(Event { at, generation: self.generation, kind });
    }
}

fn check_capacity<const N: usize>(policy: &Policy) -> Result<(), CapacityError> {
    let latency_window_size = policy.latency_window_size.get();
    if usize::from(latency_window_size) > N {
        return Err(CapacityError { latency_window_size, capacity: N });
    }
    Ok(())
}

mod view;
