//! The breaker that is replayed to, with its clock on the input's line of time.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tripline_runtime::core::{Event, Generation, Instant, Latency, MemorySample, Outcome, Policy, Ratio};
use tripline_runtime::{Breaker, ManualClock, OwnedPermit, SharedCore, TripExplanation};

use super::clock::ReplayClock;
use super::error::ReplayError;
use super::in_flight::{CallId, InFlight, StallRule};
use super::observe::View;

/// Where time begins on the virtual clock: late enough for "one nanosecond before", and one step of the core's ages, so that
/// these are reported as if time began at 0.
const BEGINNING: u64 = 1 << 17;

/// A breaker as in production, whose clock is moved by hand. Instants are nanoseconds on the input's line.
///
/// The runtime sees a call that hangs up to an eighth of the threshold late; a replay owes the exact instant, so it counts
/// them itself. It also owes a strict order, in which all calls that finish at an instant come before those that become
/// stalled at it: [`ReplayedBreaker::let_time_pass`] counts up to now, everything else up to the nanosecond before.
#[derive(Debug)]
pub(super) struct ReplayedBreaker {
    breaker: Breaker,
    clock: Arc<dyn ReplayClock>,
    /// `None` where stalled calls do not count.
    in_flight: Option<InFlight>,
    /// The instant on the input's line that [`BEGINNING`] stands for.
    origin: i64,
    now: i64,
}

/// A call in flight.
#[derive(Debug)]
pub(super) struct Call {
    permit: OwnedPermit,
    id: Option<CallId>,
}

impl Call {
    pub(super) fn generation(&self) -> Generation {
        self.permit.generation()
    }
}

impl ReplayedBreaker {
    pub(super) fn new(policy: &Policy, stall_detection: bool) -> Result<Self, ReplayError> {
        let clock = Arc::new(ManualClock::new(Instant::ZERO).time_of_day(SystemTime::UNIX_EPOCH));
        let mut policy = policy.clone();
        policy.wait_jitter = Ratio::ZERO;
        let builder = Breaker::builder(clock.clone()).policy(policy).stall_detection(false);
        let breaker = builder.build().map_err(ReplayError::Window)?;
        Ok(Self::on(breaker, clock, stall_detection))
    }

    /// As [`ReplayedBreaker::new`], with a breaker that was made on `clock`, without stall detection of its own.
    pub(super) fn on(breaker: Breaker, clock: Arc<dyn ReplayClock>, stall_detection: bool) -> Self {
        Self { breaker, clock, in_flight: stall_detection.then(InFlight::default), origin: 0, now: 0 }
    }

    /// From here on instants are those of the breaker's own clock.
    pub(super) fn use_own_time(&mut self) {
        self.origin = i64::try_from(BEGINNING).unwrap_or(0);
        self.now = self.origin;
    }

    /// Time begins at `origin`: nothing happens before it.
    pub(super) fn begin(&mut self, origin: i64) {
        self.origin = origin;
        self.go_to(origin);
    }

    pub(super) fn go_to(&mut self, now: i64) {
        self.now = now;
        self.clock.set(self.instant(now));
    }

    pub(super) fn slow_after(&self) -> i64 {
        i64::try_from(Duration::from(self.breaker.slow_after()).as_nanos()).unwrap_or(i64::MAX)
    }

    /// Asks for a call that starts now; `None` where it is rejected.
    pub(super) fn start(&mut self) -> Option<Call> {
        self.count_stalled(self.just_before_now());
        let permit = self.breaker.try_acquire_owned().ok()?;
        let start = self.instant(self.now);
        let id = self.in_flight.as_mut().map(|calls| calls.enter(permit.generation(), start));
        Some(Call { permit, id })
    }

    /// A call that took `latency` nanoseconds finishes now.
    pub(super) fn finish(&mut self, call: Call, latency: i64, outcome: Outcome) {
        let end = self.instant(self.now);
        if let (Some(calls), Some(id)) = (&mut self.in_flight, call.id) {
            calls.leave(id);
        }
        call.permit.finish(Instant::from_nanos(end.as_nanos().saturating_sub(latency.unsigned_abs())), end, outcome);
        self.count_stalled(self.just_before_now());
    }

    pub(super) fn read_memory(&self, sample: MemorySample) {
        self.breaker.handle_memory(self.instant(self.now), Some(sample));
    }

    /// Calls in flight become stalled, and what is due now is done.
    pub(super) fn let_time_pass(&mut self) {
        self.count_stalled(self.instant(self.now));
        self.breaker.handle_timeout(self.instant(self.now));
    }

    /// As [`ReplayedBreaker::let_time_pass`], but no call becomes stalled by it.
    pub(super) fn look(&mut self) {
        self.count_stalled(self.just_before_now());
        self.breaker.handle_timeout(self.instant(self.now));
    }

    /// As [`ReplayedBreaker::look`], and returns what is seen.
    pub(super) fn view(&mut self) -> View {
        self.look();
        self.breaker.read(|core| {
            let state = core.state().kind();
            View { state, percentile: core.percentile(), trend: core.trend(), why: self.breaker.explain(core) }
        })
    }

    /// Whether calls that hang count.
    fn counts_stalls(&self) -> bool {
        self.in_flight.is_some()
    }

    /// How long a call that hangs counts; `None` where such calls do not count.
    pub(super) fn stalls_count_for(&self) -> Option<i64> {
        let max_age = || self.breaker.read(|core| core.policy().latency_max_age);
        self.counts_stalls().then(|| i64::try_from(max_age().as_nanos()).unwrap_or(i64::MAX))
    }

    /// The generation that is current.
    pub(super) fn generation(&self) -> Generation {
        self.breaker.read(SharedCore::generation)
    }

    pub(super) fn percentile(&self) -> Option<Latency> {
        self.breaker.read(SharedCore::percentile)
    }

    /// Which of `count` calls, all of this generation, that are about to become stalled now makes the breaker trip, if they
    /// become so one after the other; counted from 0. Asked of a copy.
    pub(super) fn tripping_stall(&mut self, count: u16) -> Option<u16> {
        self.look();
        let now = self.instant(self.now);
        self.breaker.read(|core| {
            let mut copy = core.clone();
            let (generation, before) = (copy.generation(), copy.stalled());
            (0..count).find(|&nth| {
                copy.handle_stalled(now, generation, before.saturating_add(nth).saturating_add(1));
                copy.generation() != generation
            })
        })
    }

    pub(super) fn poll_event(&self) -> Option<Event> {
        self.breaker.poll_event()
    }

    /// Calls that hung at the last trip, and counted as slow ones.
    pub(super) fn stalled_at_trip(&self) -> u16 {
        self.breaker.read(|core| core.last_trip().map_or(0, |trip| trip.stalled))
    }

    /// Why it is open or half-open, with the evidence; `None` in any other state.
    pub(super) fn why(&self) -> Option<TripExplanation> {
        self.breaker.read(|core| self.breaker.explain(core))
    }

    /// The instant of an event on the input's line.
    pub(super) fn time_of(&self, event: &Event) -> i64 {
        self.origin.saturating_add_unsigned(event.at.as_nanos().saturating_sub(BEGINNING))
    }

    /// When time has to pass, if nothing else happens.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        let deadline = self.breaker.next_deadline(self.instant(self.now))?;
        Some(self.origin.saturating_add_unsigned(deadline.as_nanos().saturating_sub(BEGINNING)))
    }

    fn instant(&self, at: i64) -> Instant {
        Self::instant_since(self.origin, at)
    }

    /// The instant `at` on the virtual clock of breakers whose time begins at `origin`; what lies before it is at its beginning.
    pub(super) fn instant_since(origin: i64, at: i64) -> Instant {
        Instant::from_nanos(BEGINNING.saturating_add(u64::try_from(at.saturating_sub(origin)).unwrap_or(0)))
    }

    fn just_before_now(&self) -> Instant {
        Instant::from_nanos(self.instant(self.now).as_nanos().saturating_sub(1))
    }

    /// Reports to the breaker how many calls hang at `at`, which is now or just before it.
    fn count_stalled(&mut self, at: Instant) {
        let Some(calls) = &mut self.in_flight else { return };
        let rule = self.breaker.read(stall_rule);
        let still = calls.still_stalled(at, rule);
        let count = calls.stalled(at, rule);
        let now = self.instant(self.now);
        if let Some(still) = still.filter(|&still| still < count) {
            self.breaker.handle_stalled(now, still);
        }
        self.breaker.handle_stalled(now, count);
    }
}

fn stall_rule(core: &SharedCore) -> StallRule {
    StallRule {
        generation: core.generation(),
        after: Duration::from(core.slow_after()),
        until: core.policy().latency_max_age,
    }
}
