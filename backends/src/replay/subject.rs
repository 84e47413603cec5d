//! The breaker that is replayed to, with its clock on the input's line of time.

use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::core::{
    Breaker as Core, Event, Instant, Latency, MemorySample, Outcome, Policy, Ratio, StateKind,
};
use tripline_runtime::{Breaker, CAPACITY, OwnedPermit};

use super::clock::VirtualClock;
use super::error::ReplayError;
use super::output::View;

/// Where time begins on the virtual clock: late enough for "one nanosecond before", and one step of the core's ages, so that
/// these are told as if time began at 0.
const BEGINNING: u64 = 1 << 17;

/// A breaker as in production, whose clock is moved by hand. Instants are nanoseconds on the input's line.
///
/// The runtime looks for stalled calls whenever a call finishes. A replay owes a strict order, in which all calls that finish
/// at an instant come before those that become stalled at it. So where only the first are meant, the runtime is told the
/// nanosecond before as the time: no call becomes stalled by it, and the core, whose time has already been moved on to now,
/// counts it as now.
#[derive(Debug)]
pub(super) struct Subject {
    breaker: Breaker,
    clock: Arc<VirtualClock>,
    enabled: bool,
    /// What [`BEGINNING`] is on the input's line.
    origin: i64,
    now: i64,
}

impl Subject {
    pub(super) fn new(policy: &Policy, stall_detection: bool) -> Result<Self, ReplayError> {
        let clock = Arc::new(VirtualClock::default());
        let mut policy = policy.clone();
        policy.wait_jitter = Ratio::ZERO;
        let enabled = policy.enabled;
        let builder = Breaker::builder(clock.clone()).policy(policy).stall_detection(stall_detection);
        let breaker = builder.build().map_err(ReplayError::Window)?;
        Ok(Self { breaker, clock, enabled, origin: 0, now: 0 })
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

    /// Asks for a call that starts now; `None` where it is refused.
    pub(super) fn start(&self) -> Option<OwnedPermit> {
        let permit = self.breaker.try_acquire_owned().ok()?;
        // The start of an untimed call is the next instant that the breaker is told.
        self.let_time_pass();
        Some(permit)
    }

    /// A call that took `latency` nanoseconds finishes now.
    pub(super) fn finish(&self, permit: OwnedPermit, latency: i64, outcome: Outcome) {
        self.move_core_to_now();
        let end = self.just_before_now();
        permit.finish(Instant::from_nanos(end.as_nanos().saturating_sub(latency.unsigned_abs())), end, outcome);
    }

    pub(super) fn read_memory(&self, sample: MemorySample) {
        self.breaker.handle_memory(self.instant(self.now), Some(sample));
    }

    /// Calls in flight become stalled, and what is due now is done.
    pub(super) fn let_time_pass(&self) {
        self.breaker.handle_time(self.instant(self.now));
    }

    /// As [`Subject::let_time_pass`], but no call becomes stalled by it.
    pub(super) fn look(&self) {
        self.move_core_to_now();
        self.breaker.handle_time(self.just_before_now());
    }

    /// As [`Subject::look`], and tells what is seen.
    pub(super) fn view(&self) -> View {
        self.move_core_to_now();
        self.read_just_before(|core| {
            let state = core.state().kind();
            let tripped = matches!(state, StateKind::Open | StateKind::HalfOpen);
            let reason = core.last_trip().filter(|_| tripped).map(|trip| trip.reason);
            View { state, percentile: core.percentile(), trend: core.trend(), reason }
        })
    }

    pub(super) fn percentile(&self) -> Option<Latency> {
        self.move_core_to_now();
        self.read_just_before(Core::percentile)
    }

    /// Which of `count` calls, all of this generation, that are about to become stalled now makes the breaker trip, if they
    /// become so one after the other; counted from 0. Asked of a copy.
    pub(super) fn tripping_stall(&self, count: u16) -> Option<u16> {
        let now = self.instant(self.now);
        self.read_just_before(|core| {
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

    /// The instant of an event on the input's line.
    pub(super) fn time_of(&self, event: &Event) -> i64 {
        self.origin.saturating_add_unsigned(event.at.as_nanos().saturating_sub(BEGINNING))
    }

    /// When time has to pass, if nothing else happens.
    pub(super) fn next_deadline(&self) -> Option<i64> {
        // The runtime also tells when a call could become stalled that starts right after the instant it is asked at; there is
        // no such call, so it is asked as of the end of time.
        let deadline = self.breaker.next_deadline(Instant::MAX).filter(|&deadline| deadline < Instant::MAX)?;
        Some(self.origin.saturating_add_unsigned(deadline.as_nanos().saturating_sub(BEGINNING)))
    }

    fn instant(&self, at: i64) -> Instant {
        Instant::from_nanos(BEGINNING.saturating_add(at.saturating_sub(self.origin).unsigned_abs()))
    }

    fn just_before_now(&self) -> Instant {
        Instant::from_nanos(self.instant(self.now).as_nanos().saturating_sub(1))
    }

    /// Enabling a breaker that is enabled does nothing but tell it the time.
    fn move_core_to_now(&self) {
        if self.enabled {
            self.breaker.enable();
        }
    }

    fn read_just_before<R>(&self, read: impl FnOnce(&Core<CAPACITY>) -> R) -> R {
        self.clock.set(self.just_before_now());
        let result = self.breaker.read(read);
        self.clock.set(self.instant(self.now));
        result
    }
}
