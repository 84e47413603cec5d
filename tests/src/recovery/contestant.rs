//! Contestants between callers and service: the trait, no breaker, and Tripline.

use std::collections::BTreeMap;
use std::time::Duration;

use tripline_core::{Breaker, CapacityError, Generation, Instant, Latency, Outcome, Policy, StateKind};

/// Minimum interval between two polls of calls in flight.
const MIN_REFRESH: Duration = Duration::from_millis(10);

/// An admitted call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admitted {
    /// Increases with every call.
    pub number: u64,
    /// When it was admitted.
    pub start: Instant,
    /// The generation that it belongs to.
    pub generation: Generation,
}

/// A breaker in a simulation.
pub trait Contestant {
    /// Admits or rejects the call with this number.
    ///
    /// # Errors
    /// The time to wait before asking again.
    fn ask(&mut self, now: Instant, number: u64) -> Result<Admitted, Duration>;

    /// Records a finished call.
    fn finished(&mut self, now: Instant, call: Admitted, latency: Latency);

    /// Polls the contestant.
    fn look(&mut self, now: Instant);

    /// Returns when to poll, if nothing else happens.
    fn next_look(&self) -> Option<Instant>;

    /// Returns its state.
    fn state(&self) -> StateKind;
}

/// No breaker: every call is made.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoBreaker;

impl Contestant for NoBreaker {
    fn ask(&mut self, now: Instant, number: u64) -> Result<Admitted, Duration> {
        Ok(Admitted { number, start: now, generation: Generation::default() })
    }

    fn finished(&mut self, _: Instant, _: Admitted, _: Latency) {}

    fn look(&mut self, _: Instant) {}

    fn next_look(&self) -> Option<Instant> {
        None
    }

    fn state(&self) -> StateKind {
        StateKind::Closed
    }
}

/// The core as the runtime drives it: stalled calls are reported when a call finishes, and at least every
/// max(threshold / 8, 10 ms) while calls are in flight.
#[derive(Debug, Clone)]
pub struct Tripline {
    breaker: Breaker<64>,
    /// Calls in flight of this generation, by number and thus by start; hanging ones are stored separately.
    generation: Generation,
    young: BTreeMap<u64, Instant>,
    hanging: BTreeMap<u64, Instant>,
    looked_at: Instant,
    refresh: Duration,
}

impl Tripline {
    /// Creates a breaker with this policy; its jitter is drawn from `seed`.
    ///
    /// # Errors
    /// [`CapacityError`] if the window is larger than 64.
    pub fn new(policy: Policy, seed: u64) -> Result<Self, CapacityError> {
        let refresh = (Duration::from(policy.latency_threshold) / 8).max(MIN_REFRESH);
        let breaker = Breaker::new(policy, seed)?;
        Ok(Self {
            generation: breaker.generation(),
            breaker,
            young: BTreeMap::new(),
            hanging: BTreeMap::new(),
            looked_at: Instant::ZERO,
            refresh,
        })
    }

    fn forget_earlier_generations(&mut self) {
        if self.generation != self.breaker.generation() {
            self.generation = self.breaker.generation();
            self.young.clear();
            self.hanging.clear();
        }
    }

    fn report_stalls(&mut self, now: Instant) {
        self.forget_earlier_generations();
        self.looked_at = now;
        let slow_after = Duration::from(self.breaker.slow_after());
        while let Some(oldest) = self.young.first_entry()
            && now.since(*oldest.get()) >= slow_after
        {
            let (number, start) = oldest.remove_entry();
            self.hanging.insert(number, start);
        }
        let too_old = self.breaker.latency_max_age();
        while let Some(oldest) = self.hanging.first_entry()
            && now.since(*oldest.get()) > too_old
        {
            oldest.remove();
        }
        let count = u16::try_from(self.hanging.len()).unwrap_or(u16::MAX);
        self.breaker.handle_stalled(now, self.generation, count);
        self.forget_earlier_generations();
    }
}

impl Contestant for Tripline {
    fn ask(&mut self, now: Instant, number: u64) -> Result<Admitted, Duration> {
        let answer = self.breaker.try_admit(now);
        self.forget_earlier_generations();
        let generation = answer.map_err(|rejection| rejection.retry_after.unwrap_or(self.refresh))?;
        if self.young.is_empty() && self.hanging.is_empty() {
            // No call was in flight, so there was no earlier poll.
            self.looked_at = now;
        }
        self.young.insert(number, now);
        Ok(Admitted { number, start: now, generation })
    }

    fn finished(&mut self, now: Instant, call: Admitted, latency: Latency) {
        self.young.remove(&call.number);
        self.hanging.remove(&call.number);
        self.breaker.handle_finished(now, call.generation, latency, Outcome::Ok);
        self.report_stalls(now);
    }

    fn look(&mut self, now: Instant) {
        self.breaker.handle_timeout(now);
        self.report_stalls(now);
    }

    fn next_look(&self) -> Option<Instant> {
        let in_flight = !(self.young.is_empty() && self.hanging.is_empty());
        let stalls = in_flight.then(|| self.looked_at + self.refresh);
        [self.breaker.poll_timeout(), stalls].into_iter().flatten().min()
    }

    fn state(&self) -> StateKind {
        self.breaker.state().kind()
    }
}
