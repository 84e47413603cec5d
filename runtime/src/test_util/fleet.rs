//! A fleet engine in memory that loses, delays and forgets on demand.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tripline_core::fleet::{
    self, Action, Claim, Commands, FleetContext, FleetState, FleetView, ReplicaSet, ReplicaText, Report, Terms,
};

use crate::breaker::name::BreakerName;
use crate::clock::Clock;
use crate::fleet::engine::{Beat, CommandProgress, EngineError, FleetEngine, Heartbeat};
use crate::sync::{Arc, Mutex, lock};

/// A replica without a call for this long is no longer a member.
const FORGET_MS: u64 = 600_000;

/// The engine of a fleet in memory, for replicas in one process, in tests and simulation. All clones are the same
/// engine.
///
/// It runs the rule of [`tripline_core::fleet`] on its own clock. Faults are set from outside and can differ between
/// replicas.
#[derive(Clone)]
pub struct MemoryFleet {
    clock: Arc<dyn Clock>,
    inner: Arc<Mutex<Inner>>,
}

/// A step of a call of a [`MemoryFleet`], at which the calling process may end.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetStep {
    /// The caller.
    pub replica: ReplicaText,
    /// The call: `beat`, `sync`, `leave`, or `claim` or `acknowledge` with the stage, as in `claim initial`.
    pub call: String,
    /// Whether the call has taken effect, and only its response is outstanding.
    pub is_done: bool,
}

/// Called at each step. If it returns true, the caller never continues.
pub type StepHook = Arc<dyn Fn(&FleetStep) -> bool + Send + Sync>;

#[derive(Default)]
struct Inner {
    store: Store,
    /// The contents of the second primary, and the replicas that reach it.
    second: Option<(Store, Vec<String>)>,
    hook: Option<StepHook>,
    faults: Faults,
    random: fastrand::Rng,
    calls: u64,
}

/// The contents of a [`MemoryFleet`] at one time.
#[derive(Debug, Clone)]
pub struct SavedFleet(Store);

/// The contents of the engine, which `forget` clears.
#[derive(Debug, Default, Clone)]
struct Store {
    born_ms: Option<u64>,
    members: ReplicaTimes,
    breakers: BTreeMap<BreakerName, FleetState<ReplicaTimes>>,
    commands: Commands,
    /// The last command that each replica executed.
    done: BTreeMap<ReplicaText, u64>,
}

#[derive(Debug, Default)]
struct Faults {
    is_down: bool,
    hangs: bool,
    cut_off: Vec<String>,
    foreign: Vec<BreakerName>,
    lost: f64,
    delay: Duration,
    ahead: Duration,
}

/// Replicas, each with a time: the [`ReplicaSet`] of the engine in memory, and of tests of the rule.
#[derive(Debug, Clone)]
pub struct ReplicaTimes {
    times: BTreeMap<ReplicaText, u64>,
    /// Bounds of all times. Only if they pass a limit is there anything to prune.
    bounds: (u64, u64),
}

impl Default for ReplicaTimes {
    fn default() -> Self {
        Self { times: BTreeMap::new(), bounds: (u64::MAX, 0) }
    }
}

impl PartialEq for ReplicaTimes {
    fn eq(&self, other: &Self) -> bool {
        self.times == other.times
    }
}

impl ReplicaTimes {
    fn retain(&mut self, is_kept: impl Fn(u64) -> bool) {
        self.bounds = (u64::MAX, 0);
        let Self { times, bounds: (oldest, newest) } = self;
        times.retain(|_, &mut at| {
            let is_kept = is_kept(at);
            if is_kept {
                (*oldest, *newest) = (at.min(*oldest), at.max(*newest));
            }
            is_kept
        });
    }
}

impl ReplicaSet for ReplicaTimes {
    fn insert(&mut self, replica: &ReplicaText, at_ms: u64) {
        self.bounds = (self.bounds.0.min(at_ms), self.bounds.1.max(at_ms));
        self.times.insert(replica.clone(), at_ms);
    }

    fn remove(&mut self, replica: &ReplicaText) {
        self.times.remove(replica);
    }

    fn contains(&self, replica: &ReplicaText) -> bool {
        self.times.contains_key(replica)
    }

    fn prune(&mut self, before_ms: u64) {
        if before_ms > self.bounds.0 {
            self.retain(|at| at >= before_ms);
        }
    }

    fn prune_after(&mut self, after_ms: u64) {
        if after_ms < self.bounds.1 {
            self.retain(|at| at <= after_ms);
        }
    }

    fn count(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }
}

impl MemoryFleet {
    /// Creates an engine without members on `clock`; faults are drawn from `seed`.
    pub fn new(clock: Arc<dyn Clock>, seed: u64) -> Self {
        let inner = Inner { random: fastrand::Rng::with_seed(seed), ..Inner::default() };
        Self { clock, inner: Arc::new(Mutex::new(inner)) }
    }

    /// Sets whether every call fails.
    pub fn set_down(&self, is_down: bool) {
        lock(&self.inner).faults.is_down = is_down;
    }

    /// Sets whether calls hang without a response.
    pub fn set_hanging(&self, hangs: bool) {
        lock(&self.inner).faults.hangs = hangs;
    }

    /// Sets whether this replica can reach the engine.
    pub fn set_cut_off(&self, replica: &str, is_cut_off: bool) {
        let mut inner = lock(&self.inner);
        inner.faults.cut_off.retain(|other| other != replica);
        if is_cut_off {
            inner.faults.cut_off.push(replica.to_owned());
        }
    }

    /// Sets whether a key of this breaker holds a value of another type: beats succeed, and reports on the breaker do not.
    pub fn set_foreign(&self, breaker: &BreakerName, is_foreign: bool) {
        let foreign = &mut lock(&self.inner).faults.foreign;
        foreign.retain(|other| other != breaker);
        if is_foreign {
            foreign.push(breaker.clone());
        }
    }

    /// Sets the share of calls, 0 to 1, that is lost: half of them before they take effect, half of them afterwards.
    pub fn set_lost(&self, share: f64) {
        lock(&self.inner).faults.lost = share;
    }

    /// Sets the maximum random duration of a call.
    pub fn set_delay(&self, delay: Duration) {
        lock(&self.inner).faults.delay = delay;
    }

    /// Sets its clock ahead by this from now on, which may be a jump forward or back.
    pub fn set_clock_ahead(&self, ahead: Duration) {
        lock(&self.inner).faults.ahead = ahead;
    }

    /// Clears the contents.
    pub fn forget(&self) {
        lock(&self.inner).store = Store::default();
    }

    /// Makes these replicas reach a second primary from now on, which begins with a copy of the first.
    pub fn split(&self, replicas: &[&str]) {
        let mut inner = lock(&self.inner);
        let second = (inner.store.clone(), replicas.iter().map(|&replica| replica.to_owned()).collect());
        inner.second = Some(second);
    }

    /// Clears the second primary.
    pub fn forget_second(&self) {
        if let Some((store, _)) = &mut lock(&self.inner).second {
            *store = Store::default();
        }
    }

    /// Makes all replicas reach one primary again: the second if `keeps_second`, else the first. The other's contents are lost.
    pub fn unite(&self, keeps_second: bool) {
        let mut inner = lock(&self.inner);
        if let Some((second, _)) = inner.second.take().filter(|_| keeps_second) {
            inner.store = second;
        }
    }

    /// The current contents, for a failover to a replica of the engine that is behind.
    pub fn save(&self) -> SavedFleet {
        SavedFleet(lock(&self.inner).store.clone())
    }

    /// Replaces the contents, as after a failover.
    pub fn restore(&self, saved: &SavedFleet) {
        lock(&self.inner).store = saved.0.clone();
    }

    /// Calls `hook` before and after the effect of each call.
    pub fn on_step(&self, hook: StepHook) {
        lock(&self.inner).hook = Some(hook);
    }

    /// Number of calls received.
    pub fn calls(&self) -> u64 {
        lock(&self.inner).calls
    }

    /// Makes one call: applies its faults, and runs `act` in one step. `named` renames the call by its result, for the hook.
    async fn call<T>(
        &self,
        replica: &ReplicaText,
        call: &str,
        act: impl FnOnce(&mut Store, u64) -> T + Send,
        named: impl FnOnce(&T) -> Option<String> + Send,
    ) -> Result<T, EngineError> {
        let (before, after, is_lost, hangs, is_down) = {
            let mut inner = lock(&self.inner);
            inner.calls += 1;
            let Inner { faults, random, .. } = &mut *inner;
            let is_cut_off = faults.cut_off.iter().any(|other| other == replica.as_str());
            let lost = random.f64() < faults.lost;
            let before = faults.delay.mul_f64(random.f64() / 2.0);
            let after = faults.delay.mul_f64(random.f64() / 2.0);
            (before, after, lost.then(|| random.bool()), faults.hangs || is_cut_off, faults.is_down)
        };
        let unreachable = |reason: &str| Err(EngineError::Unreachable { reason: reason.to_owned() });
        if hangs {
            std::future::pending::<()>().await;
        }
        self.pass(before).await;
        if is_down || is_lost == Some(true) {
            return unreachable("it is down");
        }
        self.step(replica, call, false).await;
        let result = {
            let mut inner = lock(&self.inner);
            let now_ms = (self.clock.now() + inner.faults.ahead).as_nanos() / 1_000_000;
            let Inner { store, second, .. } = &mut *inner;
            let second = second.as_mut().filter(|(_, replicas)| replicas.iter().any(|other| other == replica.as_str()));
            act(second.map_or(store, |(store, _)| store), now_ms)
        };
        let done = named(&result);
        self.step(replica, done.as_deref().unwrap_or(call), true).await;
        self.pass(after).await;
        if is_lost == Some(false) { unreachable("the answer was lost") } else { Ok(result) }
    }

    /// Waits forever if the hook ends the caller here.
    async fn step(&self, replica: &ReplicaText, call: &str, is_done: bool) {
        let Some(hook) = lock(&self.inner).hook.clone() else { return };
        if hook(&FleetStep { replica: replica.clone(), call: call.to_owned(), is_done }) {
            std::future::pending::<()>().await;
        }
    }

    async fn pass(&self, span: Duration) {
        if !span.is_zero() {
            self.clock.sleep_until(self.clock.now() + span).await;
        }
    }
}

impl Store {
    fn born_ms(&mut self, now_ms: u64) -> u64 {
        let born_ms = self.born_ms.get_or_insert(now_ms);
        *born_ms = now_ms.min(*born_ms);
        *born_ms
    }

    fn members(&mut self, now_ms: u64) -> u32 {
        self.members.prune(now_ms.saturating_sub(FORGET_MS));
        self.members.prune_after(now_ms);
        self.members.count()
    }
}

#[async_trait]
impl FleetEngine for MemoryFleet {
    async fn beat(&self, beat: &Beat<'_>) -> Result<Heartbeat, EngineError> {
        let act = |store: &mut Store, now_ms| {
            store.born_ms(now_ms);
            store.members.insert(beat.replica, now_ms);
            let running = store.breakers.iter().filter(|(_, state)| state.incident.is_running());
            let in_incident = running.map(|(name, _)| name.clone()).collect();
            let mut heartbeat = Heartbeat::new(store.members(now_ms), in_incident);
            if let Some(done) = beat.commands_done {
                store.done.insert(beat.replica.clone(), done);
                heartbeat.commands = store.commands.newer(done, now_ms).cloned().collect();
            }
            heartbeat
        };
        self.call(beat.replica, "beat", act, |_| None).await
    }

    async fn sync(&self, breaker: &BreakerName, report: &Report<'_>, terms: &Terms) -> Result<FleetView, EngineError> {
        let is_foreign = lock(&self.inner).faults.foreign.contains(breaker);
        let act = |store: &mut Store, now_ms| {
            if is_foreign {
                return Err(EngineError::ForeignKey { key: format!("incident:{breaker}") });
            }
            store.members.insert(report.replica, now_ms);
            let context = FleetContext { now_ms, born_ms: store.born_ms(now_ms), members: store.members(now_ms) };
            Ok(fleet::merge(store.breakers.entry(breaker.clone()).or_default(), report, terms, context))
        };
        let named = |view: &Result<FleetView, EngineError>| {
            view.as_ref().ok()?.claim.map(|claim| format!("claim {}", claim.due.as_str()))
        };
        self.call(report.replica, "sync", act, named).await?
    }

    async fn acknowledge(
        &self,
        breaker: &BreakerName,
        replica: &ReplicaText,
        claim: &Claim,
    ) -> Result<bool, EngineError> {
        let act = |store: &mut Store, now_ms| {
            let state = store.breakers.get_mut(breaker);
            state.is_some_and(|state| fleet::acknowledge(&mut state.incident, replica, claim, now_ms))
        };
        self.call(replica, &format!("acknowledge {}", claim.due.as_str()), act, |_| None).await
    }

    async fn command(&self, action: Action, breaker: &BreakerName) -> Result<u64, EngineError> {
        let breaker = fleet::text(breaker.as_str());
        let act = |store: &mut Store, now_ms| store.commands.place(action, &breaker, now_ms);
        self.call(&ReplicaText::new(), "command", act, |_| None).await
    }

    async fn command_progress(&self, number: u64) -> Result<CommandProgress, EngineError> {
        let act = |store: &mut Store, now_ms| {
            let done = store.done.values().filter(|&&done| done >= number).count();
            CommandProgress::new(u32::try_from(done).unwrap_or(u32::MAX), store.members(now_ms))
        };
        self.call(&ReplicaText::new(), "progress", act, |_| None).await
    }

    async fn leave(&self, replica: &ReplicaText) -> Result<(), EngineError> {
        let act = |store: &mut Store, _| {
            store.members.remove(replica);
            store.done.remove(replica);
            for state in store.breakers.values_mut() {
                state.open.remove(replica);
                state.unwell.remove(replica);
                state.probing.remove(replica);
            }
        };
        self.call(replica, "leave", act, |()| None).await
    }
}

impl fmt::Debug for MemoryFleet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = lock(&self.inner);
        f.debug_struct("MemoryFleet")
            .field("store", &inner.store)
            .field("faults", &inner.faults)
            .finish_non_exhaustive()
    }
}
