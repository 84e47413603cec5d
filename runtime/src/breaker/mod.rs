//! The handle that everybody shares.

pub(crate) mod builder;
mod call;
pub(crate) mod explanation;
pub(crate) mod go_breaker_compat;
pub(crate) mod name;
pub(crate) mod permit;
pub(crate) mod registry;
pub(crate) mod rejection;
pub(crate) mod rejection_counters;

use std::fmt;
use std::path::{Path, PathBuf};

use event_listener::EventListener;
use tripline_core::{
    Breaker as Core, CapacityError, Event, Generation, Instant, Latency, MemoryForecast, Outcome, Policy,
    Rejection as CoreRejection,
};

use crate::breaker::go_breaker_compat::GoBreakerCompat;
use crate::breaker::name::BreakerName;
use crate::breaker::permit::{OwnedPermit, OwnedTimedPermit, Permit, TimedPermit};
use crate::breaker::rejection::Rejection;
use crate::breaker::rejection_counters::RejectionCounters;
use crate::clock::Clock;
use crate::hot_path::call_token::CallToken;
use crate::hot_path::gate::Admission;
use crate::hot_path::handoff::HandoffCell;
use crate::hot_path::in_flight::{EpochMark, InFlightEpochs};
use crate::hot_path::owned::{Ending, ExclusiveState, MAX_WINDOW, Report};
use crate::hot_path::shared::{Shared, finish_slow_path};
use crate::hot_path::stall_detector::Now;
use crate::incidents::alert_stager::AlertStager;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, lock, spin_loop};

/// A circuit breaker to share: cheap to clone, and every clone is the same breaker.
///
/// It has room for 1,024 samples. Ask before a call, and finish the permit after it:
///
/// ```
/// use std::sync::Arc;
/// use tripline_runtime::core::{Outcome, Policy};
/// use tripline_runtime::{Breaker, SystemClock};
///
/// let breaker = Breaker::builder(Arc::new(SystemClock::new())).policy(Policy::default()).build()?;
/// match breaker.try_start() {
///     Ok(permit) => {
///         // … the call …
///         permit.finish(Outcome::Ok);
///     }
///     Err(rejection) => eprintln!("{rejection}"),
/// }
/// # Ok::<(), tripline_runtime::core::CapacityError>(())
/// ```
#[derive(Clone)]
pub struct Breaker {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) name: BreakerName,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) stall_detection: bool,
    pub(crate) cell: HandoffCell<ExclusiveState, Shared>,
    pub(crate) classic: GoBreakerCompat,
    pub(crate) rejection_counters: RejectionCounters,
    pub(crate) reports_dropped: AtomicU64,
    /// Somebody samples memory, ages samples and pages people.
    pub(crate) supervisors: AtomicU64,
    /// There only while there is a horizon. Elsewhere, so that a breaker without one stays small.
    pub(crate) forecast: Mutex<Option<Box<MemoryForecast>>>,
    /// What people were told of, also if the supervisor is replaced meanwhile.
    pub(crate) incident: Mutex<AlertStager>,
}

/// Asking.
impl Breaker {
    /// Asks to make a call whose instants the caller knows. While closed this reads no clock.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejection> {
        Ok(Permit::new(self, self.admit(None)?))
    }

    /// Asks to make a call that starts now.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    #[inline]
    pub fn try_start(&self) -> Result<TimedPermit<'_>, Rejection> {
        let start = self.inner.clock.now();
        Ok(TimedPermit::new(self, self.admit(Some(start))?, start))
    }

    /// As [`Breaker::try_acquire`], for a permit that lives on its own.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    #[inline]
    pub fn try_acquire_owned(&self) -> Result<OwnedPermit, Rejection> {
        let token = self.admit(None)?;
        Ok(OwnedPermit::new(self.clone(), token))
    }

    /// As [`Breaker::try_start`], for a permit that lives on its own.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    #[inline]
    pub fn try_start_owned(&self) -> Result<OwnedTimedPermit, Rejection> {
        let start = self.inner.clock.now();
        let token = self.admit(Some(start))?;
        Ok(OwnedTimedPermit::new(self.clone(), token, start))
    }

    /// `start` is known where a clock was read; otherwise one is read only if the breaker is not closed.
    #[inline]
    pub(crate) fn admit(&self, start: Option<Instant>) -> Result<CallToken, Rejection> {
        let admission = self.shared().gate.admission();
        if admission.is_free() {
            return Ok(CallToken::free(admission));
        }
        self.admit_tracked(admission, start)
    }

    #[inline(never)] // what is in line stays small
    fn admit_tracked(&self, mut admission: Admission, start: Option<Instant>) -> Result<CallToken, Rejection> {
        loop {
            let generation = if admission.is_tracked() { admission.generation() } else { self.ask(start)? };
            if !self.inner.stall_detection {
                return Ok(CallToken::untracked(generation));
            }
            let epoch = self.enter(start);
            admission = self.shared().gate.admission();
            if admission.generation() == generation {
                return Ok(CallToken::tracked(generation, epoch));
            }
            // The state has changed meanwhile, and it came in among the calls of another generation; so it asks again.
            self.shared().epochs.cancel(epoch);
        }
    }

    #[inline]
    fn enter(&self, start: Option<Instant>) -> EpochMark {
        if let Some(start) = start
            && self.shared().epochs.is_due(start)
        {
            self.begin_epoch(start);
        }
        let (epoch, wake) = self.shared().epochs.increment(start);
        if wake {
            self.shared().wake();
        }
        epoch
    }

    #[cold]
    fn begin_epoch(&self, now: Instant) {
        // Whoever owns the core now may do it; an epoch that is a little longer does no harm.
        let _ = self.inner.cell.try_with(|exclusive| self.shared().begin_epoch(exclusive, now));
        self.shared().notify_if_changed();
    }

    #[cold]
    fn ask(&self, start: Option<Instant>) -> Result<Generation, Rejection> {
        let now = start.unwrap_or_else(|| self.inner.clock.now());
        let answer = self.shared().gate.rejection(now).map_or_else(|| self.ask_core(now), Err);
        answer.map_err(|rejection| {
            self.inner.rejection_counters.count(rejection.reason);
            Rejection::new(&self.inner.name, rejection)
        })
    }

    /// Takes a place among the probes. Where others are at it all the time they take the places: nobody waits here.
    fn ask_core(&self, now: Instant) -> Result<Generation, CoreRejection> {
        for _ in 0..TRIES {
            let answer = self.inner.cell.try_with(|exclusive| self.shared().admit(exclusive, now));
            if let Some(answer) = answer {
                self.shared().notify_if_changed();
                return answer;
            }
            spin_loop();
        }
        Err(self.shared().gate.rejection_while_busy())
    }
}

/// How often a caller tries to own the core, which is held for some ten nanoseconds by whoever is not descheduled.
const TRIES: u32 = if cfg!(tripline_loom) { 2 } else { 32 };

/// Finishing, for the permits.
impl Breaker {
    /// Where nobody else owns the core and nothing is going on, all that this takes is in line; the rest is called.
    #[inline]
    pub(crate) fn finish(&self, token: CallToken, end: Instant, latency: Latency, outcome: Outcome) {
        let Some(mut owner) = self.inner.cell.try_own() else {
            return self.report(token, end, Ending::Finished(outcome, latency));
        };
        if !owner.value(|exclusive| exclusive.try_finish_fast(token, end, latency, outcome)) {
            finish_slow_path(owner, token, end, latency, outcome);
        }
    }

    /// Where calls are not tracked, one that is given up while nothing has changed leaves no trace.
    #[inline]
    pub(crate) fn give_up(&self, token: CallToken) {
        if !token.is_still(self.shared().gate.admission()) {
            self.report(token, self.shared().gate.latest(), Ending::Dropped);
        }
    }

    #[inline(never)]
    fn report(&self, token: CallToken, end: Instant, ending: Ending) {
        let record = Report { token, end, ending }.pack();
        if !self.inner.cell.submit(record) {
            self.lose(token);
        }
        self.shared().notify_if_changed();
    }

    /// A report that nobody took counts nowhere but here, and its call is no longer in flight.
    #[cold]
    fn lose(&self, token: CallToken) {
        // Relaxed: a statistic.
        self.inner.reports_dropped.fetch_add(1, Ordering::Relaxed);
        if let Some(epoch) = token.epoch() {
            self.shared().epochs.cancel(epoch);
        }
    }
}

/// Inputs of those who keep the breaker going: the supervisor, or a exclusive of your own.
impl Breaker {
    /// Lets time pass: calls in flight become stalled, samples age, a lost probe is given up, an incident ends.
    pub fn handle_timeout(&self, now: Instant) {
        self.with_exclusive(|exclusive, epochs| {
            exclusive.count_stalled(Now::Clock(now), epochs);
            exclusive.core.handle_timeout(now);
        });
    }

    /// `count` calls are in flight for longer than [`Breaker::slow_after`]: for a exclusive that knows its calls, with
    /// [`stall_detection`](crate::Builder::stall_detection) off.
    pub fn handle_stalled(&self, now: Instant, count: u16) {
        self.with_core(|core| core.handle_stalled(now, core.generation(), count));
    }

    /// When [`Breaker::handle_timeout`] is due at the latest, if nothing else happens.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        self.with_exclusive(|exclusive, epochs| exclusive.next_deadline(now, epochs))
    }

    /// The next thing that happened. Each event is handed out once: to the supervisor, where there is one.
    pub fn poll_event(&self) -> Option<Event> {
        self.with_core(Core::poll_event)
    }

    /// Resolves when something happens after this call.
    pub fn changed(&self) -> EventListener {
        self.shared().listen()
    }
}

/// What operators do.
impl Breaker {
    /// Applies new settings to the running breaker; the window is kept.
    ///
    /// # Errors
    /// [`CapacityError`] where the window is larger than 1,024; then nothing changes.
    pub fn set_policy(&self, policy: &Policy) -> Result<(), CapacityError> {
        let now = self.inner.clock.now();
        self.with_core(|core| core.handle_policy(now, policy))
    }

    /// Closes the breaker, forgets the window, undoes simulations and ends the incident.
    pub fn reset(&self) {
        self.operate(Core::reset);
    }

    /// A disabled breaker closes; any other stays as it is.
    pub fn enable(&self) {
        self.operate(Core::enable);
    }

    /// Admits everything and records nothing until [`Breaker::enable`].
    pub fn disable(&self) {
        self.operate(Core::disable);
    }

    /// Admits nothing until [`Breaker::reset`]; false where the breaker is disabled.
    pub fn force_open(&self) -> bool {
        self.operate(Core::force_open)
    }

    /// Lets the memory rule see exhausted memory until [`Breaker::undo_simulations`] or [`Breaker::reset`]; false where the
    /// breaker is disabled or forced open.
    pub fn simulate_memory(&self) -> bool {
        self.operate(Core::simulate_memory)
    }

    /// Lets the latency rule hold, in the same way.
    pub fn simulate_latency(&self) -> bool {
        self.operate(Core::simulate_latency)
    }

    /// Undoes both simulations.
    pub fn undo_simulations(&self) {
        self.operate(Core::undo_simulations);
    }

    fn operate<R>(&self, act: impl FnOnce(&mut Core<MAX_WINDOW>, Instant) -> R) -> R {
        let now = self.inner.clock.now();
        self.with_core(|core| act(core, now))
    }
}

/// Reading.
impl Breaker {
    /// The name.
    pub fn name(&self) -> &BreakerName {
        &self.inner.name
    }

    /// The clock.
    #[inline]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The file that the settings came from.
    pub fn config_file(&self) -> Option<&Path> {
        self.inner.config_file.as_deref()
    }

    /// Whether calls in flight are tracked.
    pub fn detects_stalls(&self) -> bool {
        self.inner.stall_detection
    }

    /// Calls in flight; 0 where they are not tracked.
    pub fn in_flight(&self) -> usize {
        usize::try_from(self.with_exclusive(ExclusiveState::in_flight)).unwrap_or(usize::MAX)
    }

    /// Reports of calls that were lost because more came at once than could wait, and nobody took them.
    pub fn reports_dropped(&self) -> u64 {
        // Relaxed: a statistic.
        self.inner.reports_dropped.load(Ordering::Relaxed)
    }

    /// From which age on a call in flight is slow.
    #[inline]
    pub fn slow_after(&self) -> Latency {
        self.shared().gate.slow_after()
    }

    /// Reads from the core, after letting time pass to now. Others wait for it, or leave their reports, as long as `read` takes:
    /// it should be quick, and must not use this breaker, or it waits for itself.
    pub fn read<R>(&self, read: impl FnOnce(&Core<MAX_WINDOW>) -> R) -> R {
        let now = self.inner.clock.now();
        self.with_exclusive(|exclusive, epochs| {
            exclusive.count_stalled(Now::Clock(now), epochs);
            exclusive.core.handle_timeout(now);
            // What the time has brought about is told whatever becomes of `read`.
            self.shared().publish(exclusive);
            read(&exclusive.core)
        })
    }

    /// Whether a supervisor looks after this breaker; without one memory and alerts do not work.
    pub fn is_supervised(&self) -> bool {
        // Acquire pairs with the Release in `Supervised`.
        self.inner.supervisors.load(Ordering::Acquire) > 0
    }

    #[inline]
    fn shared(&self) -> &Shared {
        self.inner.cell.applier()
    }

    pub(crate) fn classic(&self) -> &GoBreakerCompat {
        &self.inner.classic
    }

    pub(crate) fn incident(&self) -> MutexGuard<'_, AlertStager> {
        lock(&self.inner.incident)
    }

    pub(crate) fn supervise(&self) -> Supervised {
        // Release pairs with the Acquire in `is_supervised`.
        self.inner.supervisors.fetch_add(1, Ordering::Release);
        Supervised { breaker: self.clone() }
    }

    pub(crate) fn with_core<R>(&self, act: impl FnOnce(&mut Core<MAX_WINDOW>) -> R) -> R {
        self.with_exclusive(|exclusive, _| act(&mut exclusive.core))
    }

    /// Owns the core for the length of `act`, after those who came first.
    pub(crate) fn with_exclusive<R>(&self, act: impl FnOnce(&mut ExclusiveState, &InFlightEpochs) -> R) -> R {
        let result = self.inner.cell.with(|exclusive| {
            let result = act(exclusive, &self.shared().epochs);
            self.shared().publish(exclusive);
            self.shared().gate.publish_figures(&exclusive.core);
            result
        });
        self.shared().notify_if_changed();
        result
    }
}

/// As long as it lives, the breaker counts as supervised.
#[derive(Debug)]
pub(crate) struct Supervised {
    breaker: Breaker,
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // Release pairs with the Acquire in `is_supervised`.
        self.breaker.inner.supervisors.fetch_sub(1, Ordering::Release);
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.inner.name).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(tripline_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_breaker_with_its_window_of_1_024_takes_12_kib_at_most() {
        let bytes = size_of::<Inner>();
        println!("one breaker: {bytes} bytes");
        assert!(bytes <= 12 * 1_024, "{bytes}");
    }
}
