//! The breaker: takes inputs with their time, returns decisions and events.

mod evidence;
#[cfg(target_pointer_width = "64")]
mod fast_path;
mod operator;
mod rejection;
mod stall_run;
mod transitions;
mod trip;
mod view;

use core::fmt;
use core::time::Duration;

use crate::counts::Counts;
use crate::event::{Event, EventQueue};
use crate::evidence::Evidence;
use crate::generation::Generation;
use crate::incident::IncidentTracker;
use crate::memory::{MemoryLatch, MemorySample};
use crate::monotonic::{MonotonicInstant, MonotonicTime};
use crate::open_backoff::OpenBackoff;
use crate::outcome::Outcome;
use crate::packed_policy::PackedPolicy;
use crate::policy::Policy;
use crate::rules::DerivedPolicy;
use crate::state::{State, TripReason};
use crate::time::Instant;
use crate::units::Latency;
use crate::window::{Sample, SampleStore, Window};

pub use rejection::{Rejection, RejectionReason};
use stall_run::StallRun;
use trip::TripLog;
pub use trip::{Trip, TripEvidence};

/// Returned if the window of a policy does not fit into the breaker's capacity `N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CapacityError {
    /// The requested window size, in samples.
    pub latency_window_size: u16,
    /// The capacity, in samples.
    pub capacity: usize,
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "latency_window_size {} is more than the capacity {}", self.latency_window_size, self.capacity)
    }
}

impl core::error::Error for CapacityError {}

/// The state machine of one circuit breaker with room for `N` samples (1 ≤ N ≤ 65,535), kept in the store `S`.
///
/// The breaker has no clock and starts no thread. Every `handle_*` and `try_*` method takes the time,
/// [`Breaker::poll_event`] returns the events, and [`Breaker::poll_timeout`] returns the time at which
/// [`Breaker::handle_timeout`] is due. The order of use is:
///
/// 1. [`try_admit`](Breaker::try_admit) before a call; keep the returned [`Generation`].
/// 2. [`handle_finished`](Breaker::handle_finished) after the call, with that generation, or
///    [`handle_dropped`](Breaker::handle_dropped) if the call was abandoned.
/// 3. [`handle_stalled`](Breaker::handle_stalled) and [`handle_memory`](Breaker::handle_memory) periodically, where
///    stalled calls are counted and memory is read.
/// 4. [`handle_timeout`](Breaker::handle_timeout) at the deadline, then [`poll_event`](Breaker::poll_event) until it
///    returns `None`.
///
/// No method panics or allocates. Every method is O(1) unless its documentation says otherwise.
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
/// // Every call is slow. After a start, the evidence must last for half of `warm_up` before the breaker opens.
/// while let Ok(generation) = breaker.try_admit(now) {
///     now = now + Duration::from_millis(400);
///     breaker.handle_finished(now, generation, Latency::from_millis(400), Outcome::Ok);
/// }
/// assert!(matches!(breaker.state(), State::Open { .. }));
/// assert!(now < Instant::from_millis(10_000));
/// # Ok::<(), tripline_core::CapacityError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Breaker<const N: usize, S = [Sample; N]> {
    settings: PackedPolicy,
    limits: DerivedPolicy,
    time: MonotonicTime,
    state: State,
    generation: u32,
    generation_since: MonotonicInstant,
    window: Window<S>,
    evidence: Evidence,
    /// Calls of this generation in flight for longer than the threshold.
    stalled: u16,
    /// Whether stalled calls are reported. If so, a call that outlived `latency_max_age` was counted when it stalled.
    stall_run: StallRun,
    /// Closed: the breaker closed by itself after a trip. Open or half-open: it opened on evidence, and its first
    /// probes are not decided yet.
    is_on_trial: bool,
    /// Calls dropped while some hung, since stalled calls were last counted.
    dropped: u16,
    /// Consecutive samples that each left a breach.
    breaches_in_a_row: u16,
    memory: MemoryLatch,
    simulated_memory: bool,
    simulated_latency: bool,
    wait: OpenBackoff,
    /// Limits of the current half-open phase; policy changes apply from the next one.
    probe_limit: u16,
    probe_threshold: Latency,
    last_probe_at: MonotonicInstant,
    trips: TripLog,
    incident: IncidentTracker,
    events: EventQueue,
    counts: Counts,
    #[cfg(target_pointer_width = "64")]
    fast_path_until: Instant,
    #[cfg(target_pointer_width = "64")]
    steady_until: Instant,
    #[cfg(all(test, target_pointer_width = "64"))]
    fast_path_probe: fast_path::FastPathProbe,
}

impl<const N: usize> Breaker<N> {
    /// Creates a closed breaker, or a disabled one if the policy says so. `seed` feeds only the jitter of the open
    /// wait.
    ///
    /// # Errors
    /// [`CapacityError`] if the window of the policy does not fit into `N`.
    #[expect(clippy::needless_pass_by_value, reason = "a policy is made for its breaker")]
    pub fn new(policy: Policy, seed: u64) -> Result<Self, CapacityError> {
        Self::with_samples([Sample::NONE; N], &policy, seed)
    }
}

impl<const N: usize, S: SampleStore> Breaker<N, S> {
    /// Creates a breaker as [`Breaker::new`] does, with its window in `samples`, which has, or grows to, the size in
    /// the policy.
    ///
    /// # Errors
    /// [`CapacityError`] as for [`Breaker::new`].
    pub fn with_samples(mut samples: S, policy: &Policy, seed: u64) -> Result<Self, CapacityError> {
        check_capacity::<N>(policy)?;
        let latency_window_size = policy.latency_window_size.get();
        samples.grow(usize::from(latency_window_size));
        let capacity = samples.as_ref().len();
        if usize::from(latency_window_size) > capacity {
            return Err(CapacityError { latency_window_size, capacity });
        }
        let limits = DerivedPolicy::new(policy);
        Ok(Self {
            settings: PackedPolicy::new(policy),
            time: MonotonicTime::default(),
            state: if policy.enabled { State::Closed } else { State::Disabled },
            generation: 0,
            generation_since: MonotonicInstant::ZERO,
            window: Window::new(samples, policy),
            evidence: Evidence::new(limits.evidence()),
            limits,
            stalled: 0,
            stall_run: StallRun::NONE,
            is_on_trial: false,
            dropped: 0,
            breaches_in_a_row: 0,
            memory: MemoryLatch::new(),
            simulated_memory: false,
            simulated_latency: false,
            wait: OpenBackoff::new(seed),
            probe_limit: 0,
            probe_threshold: Latency::ZERO,
            last_probe_at: MonotonicInstant::ZERO,
            trips: TripLog::EMPTY,
            incident: IncidentTracker::new(),
            events: EventQueue::new(),
            counts: Counts::default(),
            #[cfg(target_pointer_width = "64")]
            fast_path_until: Instant::ZERO,
            #[cfg(target_pointer_width = "64")]
            steady_until: Instant::ZERO,
            #[cfg(all(test, target_pointer_width = "64"))]
            fast_path_probe: fast_path::FastPathProbe::default(),
        })
    }

    /// Admits or rejects a call. `now` is a reading of the clock.
    ///
    /// While open, the first call after the wait makes the breaker half-open and is its first probe.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait, if the state admits no call.
    pub fn try_admit(&mut self, now: Instant) -> Result<Generation, Rejection> {
        let now = self.read_clock(now);
        self.catch_up(now);
        match self.state {
            State::Closed | State::Disabled => {}
            State::Open { until } => {
                if now < until
                    || self.is_held_open()
                    || crate::planted::planted("core: the wait of an open breaker does not end")
                {
                    return Err(self.rejection_at(now));
                }
                self.end_wait(now);
                self.acquire_probe(now)?;
            }
            State::HalfOpen { .. } => self.acquire_probe(now)?,
            State::ForcedOpen => return Err(self.rejection_at(now)),
        }
        Ok(self.generation())
    }

    /// Returns the rejection that an open, half-open or forced-open breaker would give at `now`. Changes nothing.
    pub fn rejection(&self, now: Instant) -> Rejection {
        self.rejection_at(self.time.place(now).max(self.time.latest()))
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(super) fn rejection_at(&self, now: MonotonicInstant) -> Rejection {
        match self.state {
            State::ForcedOpen => Rejection { reason: RejectionReason::ForcedOpen, retry_after: None },
            State::HalfOpen { .. } => {
                let decided = self.last_probe_at.plus_nanos(self.probe_threshold.as_nanos());
                Rejection { reason: RejectionReason::Probing, retry_after: Some(decided.since(now)) }
            }
            State::Open { until } => {
                let wait = (now < until).then(|| until.since(now));
                Rejection { reason: RejectionReason::Open(self.trip_reason()), retry_after: wait }
            }
            State::Closed | State::Disabled => {
                Rejection { reason: RejectionReason::Open(self.trip_reason()), retry_after: Some(Duration::ZERO) }
            }
        }
    }

    /// Records a call that finished at `end` after `latency`. An earlier `end` than the latest instant is not taken as
    /// a clock set back.
    ///
    /// A result of an earlier generation changes only [`Breaker::counts`]. Cost: O(1) amortised; once O(N) if many
    /// samples expire together after an idle period.
    #[inline]
    pub fn handle_finished(&mut self, end: Instant, generation: Generation, latency: Latency, outcome: Outcome) {
        #[cfg(target_pointer_width = "64")]
        if self.try_record_fast(end, generation, latency, outcome)
            || self.try_record_steady(end, generation, latency, outcome)
        {
            return;
        }
        self.record_slow_path(end, generation, latency, outcome);
    }

    /// Records a call that was abandoned without a result. It is neutral; a probe releases its slot. If the call was
    /// stalled, report the lower count of stalled calls next: the call is then removed from the evidence.
    pub fn handle_dropped(&mut self, generation: Generation) {
        if generation == self.generation() {
            if !crate::planted::planted("core: a dropped probe keeps its slot") {
                self.release_probe();
            }
            if self.stalled > 0 {
                self.dropped = self.dropped.saturating_add(1);
            }
        }
        self.counts.dropped = self.counts.dropped.wrapping_add(1);
    }

    /// Sets the number of calls of `generation` in flight for longer than [`Breaker::slow_after`] and not longer than
    /// `latency_max_age`. Each counts as a slow call while it lasts. Call this after `handle_finished`, not before.
    pub fn handle_stalled(&mut self, now: Instant, generation: Generation, count: u16) {
        let now = self.time.end_of_call(now);
        self.expire_memory(now);
        self.disarm_fast_path();
        if generation != self.generation() || (count == 0 && self.stalled == 0) {
            return;
        }
        match self.state {
            State::Closed => {
                self.expire_samples(now);
                if count > 0 {
                    self.stall_run.report();
                }
                let trigger = self.count_stalled(now, count);
                self.evaluate(now, self.verdict(), trigger);
            }
            State::HalfOpen { .. } if count > 0 => self.trip(now, TripReason::ProbeSlow),
            _ => {}
        }
    }

    /// Records a memory reading and evaluates the memory rule, even without calls.
    pub fn handle_memory(&mut self, now: Instant, sample: MemorySample) {
        let now = self.read_clock(now);
        let changed = self.memory.observe(now, sample, &self.settings);
        self.memory_seen(now, changed);
        self.catch_up(now);
    }

    /// Records that memory could not be read: it becomes unknown, and the latch clears.
    pub fn handle_memory_lost(&mut self, now: Instant) {
        let now = self.read_clock(now);
        let changed = self.memory.invalidate();
        self.memory_seen(now, changed);
        self.catch_up(now);
    }

    /// Sets whether memory is forecast to run out within `memory_horizon`. Call it after each reading, for example with
    /// the result of a [`MemoryForecast`](crate::MemoryForecast). It has no effect if the horizon is 0 or memory is
    /// unknown.
    #[cfg(feature = "forecast")]
    pub fn handle_memory_forecast(&mut self, now: Instant, runs_out: bool) {
        let now = self.read_clock(now);
        self.forecast(now, runs_out);
        match self.state {
            State::Closed if self.memory_rule().is_forecast_to_trip() => self.judge_without_call(now),
            State::HalfOpen { .. } if self.memory_rule().is_forecast_to_trip() => {
                self.trip(now, TripReason::MemoryForecast);
            }
            _ => {}
        }
        self.catch_up(now);
    }

    /// Records that the service asks for no calls for `wait`, as by a `Retry-After`. The state stays. A breaker that opens meanwhile stays open
    /// until that time is over, or for the policy's `max_wait_time`. On 64-bit targets only: a bus has no such header.
    ///
    /// ```
    /// use core::time::Duration;
    /// use tripline_core::{Breaker, Instant, Policy, State};
    ///
    /// let mut breaker = Breaker::<64>::new(Policy::default(), 7)?;
    /// breaker.handle_retry_after(Instant::from_millis(0), Duration::from_secs(45));
    /// breaker.simulate_latency(Instant::from_millis(5_000));
    /// let State::Open { until } = breaker.state() else { panic!("it has opened") };
    /// assert_eq!(breaker.on_clock(until), Instant::from_millis(45_000));
    /// # Ok::<(), tripline_core::CapacityError>(())
    /// ```
    #[cfg(target_pointer_width = "64")]
    pub fn handle_retry_after(&mut self, now: Instant, wait: Duration) {
        let now = self.read_clock(now);
        self.wait.ask(now, wait);
    }

    /// Advances time: samples expire, a memory reading becomes stale, a lost probe is given up, an incident ends.
    pub fn handle_timeout(&mut self, now: Instant) {
        let now = self.read_clock(now);
        self.catch_up(now);
    }

    /// Returns the next event, oldest first; `None` if the queue is empty.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop()
    }

    /// Returns the clock reading at which [`Breaker::handle_timeout`] is due; `None` if no deadline is pending.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let probe = match self.state {
            State::HalfOpen { admitted, good } if admitted > good => self.probe_deadline(),
            _ => MonotonicInstant::MAX,
        };
        let memory = self.memory.fresh_until(&self.settings).plus_nanos(1);
        let incident = self.incident.deadline(&self.settings, self.limits.minimum_samples);
        // The expiry of samples only decides whether a closed breaker is healthy again.
        let ageing = if self.incident.has_condition() { self.window.next_expiry() } else { MonotonicInstant::MAX };
        let next = probe.min(memory).min(incident).min(ageing);
        (next < MonotonicInstant::MAX).then(|| self.time.clock_reading(next))
    }
}

fn check_capacity<const N: usize>(policy: &Policy) -> Result<(), CapacityError> {
    let latency_window_size = policy.latency_window_size.get();
    if usize::from(latency_window_size) > N {
        return Err(CapacityError { latency_window_size, capacity: N });
    }
    Ok(())
}
