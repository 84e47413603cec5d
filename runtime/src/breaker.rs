//! The handle that everybody shares.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use event_listener::{Event as Notification, EventListener};
use tripline_core::{
    Breaker as Core, CapacityError, Event, Generation, Instant, Latency, MemorySample, Outcome, Policy, StateKind,
};

use crate::cell::{Admission, CAPACITY, Cell};
use crate::classic::Classic;
use crate::clock::Clock;
use crate::in_flight::{CallId, InFlight, StallRule};
use crate::incident_book::IncidentBook;
use crate::name::BreakerName;
use crate::permit::{OwnedPermit, OwnedTimed, Permit, Timed, Token};
use crate::rejection::Rejection;
use crate::sync::{Arc, AtomicU64, Mutex, MutexGuard, Ordering, lock};

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
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) name: BreakerName,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config_file: Option<PathBuf>,
    pub(crate) stall_detection: bool,
    pub(crate) cell: Cell,
    pub(crate) in_flight: InFlight,
    pub(crate) classic: Classic,
    pub(crate) refused: AtomicU64,
    /// Somebody samples memory, ages samples and pages people.
    pub(crate) supervisors: AtomicU64,
    /// What people were told of, also if the supervisor is replaced meanwhile.
    pub(crate) incident: Mutex<IncidentBook>,
    pub(crate) changed: Notification,
}

/// Asking.
impl Breaker {
    /// Asks to make a call whose instants the caller knows. While closed this reads no clock.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    pub fn try_acquire(&self) -> Result<Permit<'_>, Rejection> {
        Ok(Permit::new(self, self.admit(None)?))
    }

    /// Asks to make a call that starts now.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    pub fn try_start(&self) -> Result<Timed<'_>, Rejection> {
        let start = self.shared.clock.now();
        Ok(Timed::new(self, self.admit(Some(start))?, start))
    }

    /// As [`Breaker::try_acquire`], for a permit that lives on its own.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    pub fn try_acquire_owned(&self) -> Result<OwnedPermit, Rejection> {
        let token = self.admit(None)?;
        Ok(OwnedPermit::new(self.clone(), token))
    }

    /// As [`Breaker::try_start`], for a permit that lives on its own.
    ///
    /// # Errors
    /// [`Rejection`] with the reason and the time to wait.
    pub fn try_start_owned(&self) -> Result<OwnedTimed, Rejection> {
        let start = self.shared.clock.now();
        let token = self.admit(Some(start))?;
        Ok(OwnedTimed::new(self.clone(), token, start))
    }

    /// `start` is known where a clock was read; otherwise one is read only if the core must be asked.
    pub(crate) fn admit(&self, start: Option<Instant>) -> Result<Token, Rejection> {
        let generation = match self.shared.cell.admission() {
            Admission::Untracked(generation) => return Ok(Token { generation, call: None }),
            Admission::Tracked(generation) => generation,
            Admission::Ask => self.ask_core(start.unwrap_or_else(|| self.shared.clock.now()))?,
        };
        let call = self.shared.stall_detection.then(|| self.track(generation, start));
        Ok(Token { generation, call })
    }

    fn track(&self, generation: Generation, start: Option<Instant>) -> CallId {
        let (call, is_first_untimed) = self.shared.in_flight.enter(generation, start);
        if is_first_untimed {
            self.shared.changed.notify(usize::MAX);
        }
        call
    }

    fn ask_core(&self, now: Instant) -> Result<Generation, Rejection> {
        let answer = self.with_core(|core| {
            self.count_stalled(core, now);
            core.try_admit(now)
        });
        answer.map_err(|refusal| {
            // Relaxed: a statistic that nothing else is derived from.
            self.shared.refused.fetch_add(1, Ordering::Relaxed);
            Rejection::new(&self.shared.name, refusal)
        })
    }
}

/// Finishing, for the permits.
impl Breaker {
    pub(crate) fn finish(&self, token: Token, end: Instant, latency: Latency, outcome: Outcome) {
        self.with_core(|core| {
            core.handle_finished(end, token.generation, latency, outcome);
            if let Some(call) = token.call {
                self.shared.in_flight.leave(call);
            }
            self.count_stalled(core, end);
        });
    }

    pub(crate) fn give_up(&self, token: Token) {
        self.with_core(|core| {
            core.handle_dropped(token.generation);
            if let Some(call) = token.call
                && let Some(count) = self.shared.in_flight.leave(call)
            {
                // No clock is read; an instant in the past is clamped to the latest.
                core.handle_stalled(Instant::ZERO, token.generation, count);
            }
        });
    }

    fn count_stalled(&self, core: &mut Core<CAPACITY>, now: Instant) {
        if self.shared.stall_detection {
            let rule = stall_rule(core);
            let count = self.shared.in_flight.stalled(now, rule);
            core.handle_stalled(now, rule.generation, count);
        }
    }
}

/// Inputs of those who keep the breaker going: the supervisor, or a driver of your own.
impl Breaker {
    /// Lets time pass: calls in flight become stalled, samples age, a lost probe is given up, an incident ends.
    pub fn handle_time(&self, now: Instant) {
        self.with_core(|core| {
            self.count_stalled(core, now);
            core.handle_time(now);
        });
    }

    /// Memory was read, or could not be.
    pub fn handle_memory(&self, now: Instant, sample: Option<MemorySample>) {
        self.with_core(|core| match sample {
            Some(sample) => core.handle_memory(now, sample),
            None => core.handle_memory_lost(now),
        });
    }

    /// When [`Breaker::handle_time`] is due at the latest, if nothing else happens.
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let (deadline, rule) = self.shared.cell.with(|core| {
            let counts = matches!(core.state().kind(), StateKind::Closed | StateKind::HalfOpen);
            (core.poll_deadline(), counts.then(|| stall_rule(core)))
        });
        let stall =
            rule.filter(|_| self.shared.stall_detection).map(|rule| self.shared.in_flight.next_stall(now, rule));
        [deadline, stall].into_iter().flatten().min()
    }

    /// The next thing that happened. Each event is handed out once: to the supervisor, where there is one.
    pub fn poll_event(&self) -> Option<Event> {
        self.shared.cell.with(Core::poll_event)
    }

    /// Resolves when something happens after this call.
    pub fn changed(&self) -> EventListener {
        self.shared.changed.listen()
    }
}

/// What operators do.
impl Breaker {
    /// Applies new settings to the running breaker; the window is kept.
    ///
    /// # Errors
    /// [`CapacityError`] where the window is larger than 1,024; then nothing changes.
    pub fn set_policy(&self, policy: &Policy) -> Result<(), CapacityError> {
        let now = self.shared.clock.now();
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

    fn operate<R>(&self, act: impl FnOnce(&mut Core<CAPACITY>, Instant) -> R) -> R {
        let now = self.shared.clock.now();
        self.with_core(|core| act(core, now))
    }
}

/// Reading.
impl Breaker {
    /// The name.
    pub fn name(&self) -> &BreakerName {
        &self.shared.name
    }

    /// The clock.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    /// The file that the settings came from.
    pub fn config_file(&self) -> Option<&Path> {
        self.shared.config_file.as_deref()
    }

    /// Whether calls in flight are tracked.
    pub fn detects_stalls(&self) -> bool {
        self.shared.stall_detection
    }

    /// Calls in flight; 0 where they are not tracked.
    pub fn in_flight(&self) -> usize {
        self.shared.in_flight.len()
    }

    /// Calls that were refused since the breaker was made.
    pub fn refused(&self) -> u64 {
        // Relaxed: a statistic.
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// From which age on a call in flight is slow.
    pub fn slow_after(&self) -> Latency {
        self.shared.cell.with(|core| core.slow_after())
    }

    /// Reads from the core, after letting time pass to now.
    pub fn read<R>(&self, read: impl FnOnce(&Core<CAPACITY>) -> R) -> R {
        let now = self.shared.clock.now();
        self.with_core(|core| {
            self.count_stalled(core, now);
            core.handle_time(now);
            read(core)
        })
    }

    /// Whether a supervisor looks after this breaker; without one memory and alerts do not work.
    pub fn is_supervised(&self) -> bool {
        // Acquire pairs with the Release in `Supervised`.
        self.shared.supervisors.load(Ordering::Acquire) > 0
    }

    pub(crate) fn classic(&self) -> &Classic {
        &self.shared.classic
    }

    pub(crate) fn incident(&self) -> MutexGuard<'_, IncidentBook> {
        lock(&self.shared.incident)
    }

    pub(crate) fn supervise(&self) -> Supervised {
        // Release pairs with the Acquire in `is_supervised`.
        self.shared.supervisors.fetch_add(1, Ordering::Release);
        Supervised { breaker: self.clone() }
    }

    /// The only way in that may change the core: whoever waits for a change is woken when something happened.
    pub(crate) fn with_core<R>(&self, act: impl FnOnce(&mut Core<CAPACITY>) -> R) -> R {
        let (result, happened) = self.shared.cell.with(|core| {
            let before = core.events_emitted();
            let result = act(core);
            (result, core.events_emitted() != before)
        });
        if happened {
            self.shared.changed.notify(usize::MAX);
        }
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
        self.breaker.shared.supervisors.fetch_sub(1, Ordering::Release);
    }
}

fn stall_rule(core: &Core<CAPACITY>) -> StallRule {
    StallRule {
        generation: core.generation(),
        after: Duration::from(core.slow_after()),
        until: core.policy().latency_max_age,
        clock_jumps: core.clock_jumps(),
    }
}

impl fmt::Debug for Breaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker").field("name", &self.shared.name).finish_non_exhaustive()
    }
}
