//! The state of a fleet that the supervisor, the runner and readers of one process share.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::time::Duration;

use event_listener::{Event as Notification, EventListener};
use futures_lite::future;
use tripline_core::Instant;

use crate::breaker::Breaker;
use crate::breaker::name::BreakerName;
use crate::clock::Clock;
use crate::dispatch::FleetOutbox;
use crate::family::Family;
use crate::fleet::engine::{EngineError, FleetEngine};
use crate::fleet::local::{Entry, Local, Members};
use crate::fleet::settings::{FleetSettings, host_of};
use crate::fleet::status::{FleetBreaker, FleetStatus};
use crate::incidents::staging_control::StagingControl;
use crate::sync::{Arc, Mutex, MutexGuard, lock};

/// Maximum duration of an engine call. A longer one counts as not answered.
pub const MAX_CALL: Duration = Duration::from_secs(3);
/// Maximum random addition to `fallback_after`, so that replicas do not page at the same instant.
const FALLBACK_SPREAD: Duration = Duration::from_secs(30);

/// One process's part in a fleet, whose replicas share the incidents of their breakers. Cheap to clone; all clones
/// share one state.
///
/// Pass it to [`SupervisedBreaker::fleet`](crate::SupervisedBreaker::fleet), and run its
/// [`FleetRunner`](crate::FleetRunner) beside the supervisor.
#[derive(Clone)]
pub struct Fleet {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) engine: Arc<dyn FleetEngine>,
    pub(super) settings: FleetSettings,
    pub(super) clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changed: Notification,
}

pub(super) struct State {
    pub(super) breakers: BTreeMap<BreakerName, Entry>,
    /// Number of breakers that have joined, including those that left.
    joined: u64,
    pub(super) reach: Reach,
    pub(super) members: u32,
    pub(super) claims: u64,
    pub(super) fallbacks: u64,
    /// Number of the last command that was executed.
    pub(super) done: u64,
    /// Whether the next beat is due at once.
    beat_now: bool,
    pub(super) random: fastrand::Rng,
}

/// Whether the engine can be reached.
#[derive(Debug, Clone)]
pub(super) enum Reach {
    /// The last call succeeded.
    Up,
    /// Calls have failed since then; this replica pages alone from `alone_from` on.
    Down { since: Instant, alone_from: Instant, is_alone: bool, is_logged: bool, error: EngineError },
}

impl Reach {
    pub(super) const fn is_alone(&self) -> bool {
        matches!(self, Self::Down { is_alone: true, .. })
    }
}

impl Fleet {
    /// Creates a fleet on this engine. The engine is not called before the runner runs.
    pub fn new(engine: Arc<dyn FleetEngine>, settings: FleetSettings, clock: Arc<dyn Clock>) -> Self {
        let mut random = fastrand::Rng::with_seed(settings.seed);
        let since = clock.now();
        let alone_from = since + settings.fallback_after + FALLBACK_SPREAD.mul_f64(random.f64());
        let error = EngineError::Unreachable { reason: "it was not asked yet".to_owned() };
        let state = State {
            breakers: BTreeMap::new(),
            joined: 0,
            reach: Reach::Down { since, alone_from, is_alone: false, is_logged: false, error },
            members: 0,
            claims: 0,
            fallbacks: 0,
            done: 0,
            beat_now: false,
            random,
        };
        let inner = Inner { engine, settings, clock, state: Mutex::new(state), changed: Notification::new() };
        Self { inner: Arc::new(inner) }
    }

    /// Returns the name of this replica.
    pub fn replica(&self) -> &str {
        &self.inner.settings.replica
    }

    /// Returns the present view of the fleet.
    pub fn status(&self) -> FleetStatus {
        let now = self.inner.clock.now();
        let state = self.inner.state();
        let (error, down_for) = match &state.reach {
            Reach::Up => (None, None),
            Reach::Down { since, error, .. } => (Some(error.to_string()), Some(now.since(*since))),
        };
        FleetStatus {
            replica: self.inner.settings.replica.to_string(),
            is_up: error.is_none(),
            error,
            down_for,
            is_alone: state.reach.is_alone(),
            members: state.members,
            claims: state.claims,
            fallbacks: state.fallbacks,
            breakers: {
                let shown = state.breakers.iter().filter(|(_, entry)| entry.is_shown());
                shown.map(|(name, entry)| of_breaker(name, entry)).collect()
            },
        }
    }

    /// Returns the view of one breaker's incident in the fleet; `None` for a breaker that does not take part.
    pub fn breaker(&self, name: &str) -> Option<FleetBreaker> {
        let state = self.inner.state();
        let found = state.breakers.get_key_value(name).filter(|(_, entry)| entry.is_shown());
        found.map(|(name, entry)| of_breaker(name, entry))
    }

    /// Sets whether the breaker of this name was removed from the configuration. A removed one executes no commands, and leaves the
    /// status when its incident has ended; its supervisor reports it as healthy once it is closed or disabled.
    pub fn set_retired(&self, name: &str, is_retired: bool) {
        if let Some(entry) = self.inner.state().breakers.get_mut(name) {
            entry.is_retired = is_retired;
        }
    }

    /// Adds `breaker` to the fleet, or the family whose shared member it is. Alerts that waited in an earlier process to be sent alone are
    /// not sent: the engine may be reachable now, and a replica that pages alone sends the present stage.
    pub(crate) fn join(
        &self,
        breaker: &Breaker,
        family: Option<Family>,
        outbox: FleetOutbox,
        staging: StagingControl,
    ) -> FleetMember {
        outbox.start(self.inner.clock.now());
        let mut state = self.inner.state();
        state.joined += 1;
        let id = state.joined;
        if !state.reach.is_alone() {
            outbox.stop_alone();
        }
        let entry = Entry::new(id, breaker.clone(), family, outbox, staging);
        state.breakers.insert(breaker.name().clone(), entry);
        drop(state);
        FleetMember { fleet: self.clone(), name: breaker.name().clone(), id }
    }
}

fn of_breaker(name: &BreakerName, entry: &Entry) -> FleetBreaker {
    let is_running = entry.is_running();
    let view = entry.view.as_ref().filter(|_| is_running);
    FleetBreaker {
        name: name.clone(),
        open: view.map_or(0, |view| view.open),
        unwell: view.map_or(0, |view| view.unwell),
        first: view.map(|view| host_of(&view.first).to_owned()).filter(|first| !first.is_empty()),
        stage: view.map(|view| view.known.stage.as_str()),
        age: view.map(|view| Duration::from_millis(view.known.age_ms)),
    }
}

/// A breaker's membership in a fleet, for its supervisor. The breaker leaves when this is dropped.
#[derive(Debug)]
pub(crate) struct FleetMember {
    fleet: Fleet,
    name: BreakerName,
    id: u64,
}

impl FleetMember {
    /// Reports the health of the breaker; `members` if it is a family. Returns true if this replica pages alone now.
    pub(crate) fn report(&self, local: Local, members: Option<Members>) -> bool {
        let inner = &self.fleet.inner;
        let mut state = inner.state();
        let is_alone = state.reach.is_alone();
        let Some(entry) = state.breakers.get_mut(&self.name) else { return is_alone };
        entry.members = members;
        if entry.local == local {
            return is_alone;
        }
        let before = std::mem::replace(&mut entry.local, local);
        let mut is_change = (before.is_open, before.unwell) != (local.is_open, local.unwell);
        let has_budget = inner.settings.probe_millionths > 0;
        if has_budget {
            is_change |= entry.note_probing(before);
        }
        if is_change {
            entry.sync_at = Some(Instant::ZERO);
        }
        drop(state);
        if has_budget {
            // Immediately, since its wait may be short.
            inner.hold_probes_of(&self.name);
        }
        if is_change {
            inner.notify();
        }
        is_alone
    }

    /// Whether alerts that were paged alone are also closed alone.
    pub(crate) fn closes_alone(&self) -> bool {
        self.fleet.inner.settings.fallback_close
    }
}

impl Drop for FleetMember {
    fn drop(&mut self) {
        let mut state = self.fleet.inner.state();
        // Another breaker of that name may have joined since.
        if let Some(entry) = state.breakers.get_mut(&self.name).filter(|entry| entry.id == self.id) {
            (entry.is_gone, entry.local) = (true, Local::default());
            entry.sync_at = Some(Instant::ZERO);
        }
        drop(state);
        self.fleet.inner.notify();
    }
}

impl Inner {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    pub(super) fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    pub(super) fn notify(&self) {
        self.changed.notify(usize::MAX);
    }

    /// Makes the next beat due at once.
    pub(super) fn beat_now(&self) {
        self.state().beat_now = true;
        self.notify();
    }

    /// Whether the next beat is due at once; clears the mark.
    pub(super) fn take_beat_now(&self) -> bool {
        std::mem::take(&mut self.state().beat_now)
    }

    /// Records a successful call; `reported` is the breaker of a report. The engine counts as reached once no breaker's report fails:
    /// a beat succeeds also where reports do not. The next reports hand over the alerts that were paged alone.
    pub(super) fn reached(&self, reported: Option<&BreakerName>) {
        let mut state = self.state();
        if let Some(entry) = reported.and_then(|name| state.breakers.get_mut(name)) {
            entry.has_failed = false;
        }
        if state.breakers.values().any(|entry| entry.has_failed && entry.needs_report()) {
            return;
        }
        let before = std::mem::replace(&mut state.reach, Reach::Up);
        let Reach::Down { since, is_alone, .. } = before else { return };
        for entry in state.breakers.values_mut() {
            if is_alone {
                entry.outbox.stop_alone();
                entry.staging.wake();
            }
            if entry.needs_report() {
                entry.sync_at = Some(Instant::ZERO);
            }
        }
        drop(state);
        let seconds = self.clock.now().since(since).as_secs();
        tracing::info!(replica = self.settings.replica.as_str(), seconds, "the fleet's engine is reached");
    }

    /// Takes a clock that was set back to `now`: a deadline on it may now be far in the future.
    pub(super) fn set_back(&self, now: Instant) {
        let mut state = self.state();
        if let Reach::Down { since, alone_from, .. } = &mut state.reach {
            *since = now.min(*since);
            *alone_from = (*alone_from).min(now + self.settings.fallback_after + FALLBACK_SPREAD);
        }
        state.breakers.values_mut().for_each(|entry| entry.set_back(now));
    }

    /// Records a failed call.
    pub(super) fn failed(&self, error: &EngineError) {
        let now = self.clock.now();
        let mut state = self.state();
        if let Reach::Down { error: last, is_logged, .. } = &mut state.reach {
            // Logging every different error text would add nothing.
            let is_new = std::mem::discriminant(last) != std::mem::discriminant(error) || !*is_logged;
            *is_logged = true;
            last.clone_from(error);
            if !is_new {
                return;
            }
        } else {
            let spread = FALLBACK_SPREAD.mul_f64(state.random.f64());
            let alone_from = now + self.settings.fallback_after + spread;
            state.reach =
                Reach::Down { since: now, alone_from, is_alone: false, is_logged: true, error: error.clone() };
        }
        drop(state);
        self.let_all_probe();
        let replica = self.settings.replica.as_str();
        tracing::warn!(replica, %error, "the fleet's engine does not answer; without it each replica pages alone");
    }

    /// Returns the result of a call, or an error if it takes too long.
    pub(super) async fn within<T>(&self, call: impl Future<Output = Result<T, EngineError>>) -> Result<T, EngineError> {
        let deadline = self.clock.now() + MAX_CALL;
        let timeout = async {
            self.clock.sleep_until(deadline).await;
            Err(EngineError::Unreachable { reason: format!("no answer within {} s", MAX_CALL.as_secs()) })
        };
        future::or(call, timeout).await
    }

    /// Records that no stage is being sent for a breaker any more.
    pub(super) fn sent(&self, name: &BreakerName, change: impl FnOnce(&mut Entry)) {
        let mut state = self.state();
        if let Some(entry) = state.breakers.get_mut(name) {
            entry.is_sending = false;
            change(entry);
            entry.sync_at = Some(Instant::ZERO);
        }
        drop(state);
        self.notify();
    }

    /// Begins to page alone if that is due. Returns when it will be due.
    pub(super) fn fall_back(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state();
        let Reach::Down { alone_from, is_alone, .. } = &mut state.reach else { return None };
        if *is_alone {
            return None;
        }
        if now < *alone_from {
            return Some(*alone_from);
        }
        *is_alone = true;
        state.fallbacks += 1;
        state.breakers.values().for_each(|entry| entry.staging.wake());
        drop(state);
        tracing::warn!(replica = self.settings.replica.as_str(), "the fleet's engine is out of reach: paging alone");
        None
    }
}

impl fmt::Debug for Fleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fleet").field("settings", &self.inner.settings).finish_non_exhaustive()
    }
}
