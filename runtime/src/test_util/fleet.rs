//! A fleet engine in memory that loses, delays and forgets on demand.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tripline_core::fleet::{self, Claim, FleetContext, FleetState, FleetView, ReplicaSet, ReplicaText, Report, Terms};

use crate::breaker::name::BreakerName;
use crate::clock::Clock;
use crate::fleet::engine::{EngineError, FleetEngine, Heartbeat};
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

#[derive(Default)]
struct Inner {
    store: Store,
    faults: Faults,
    random: fastrand::Rng,
    calls: u64,
}

/// The contents of the engine, which `forget` clears.
#[derive(Debug, Default)]
struct Store {
    born_ms: Option<u64>,
    members: ReplicaTimes,
    breakers: BTreeMap<BreakerName, FleetState<ReplicaTimes>>,
}

#[derive(Debug, Default)]
struct Faults {
    is_down: bool,
    hangs: bool,
    cut_off: Vec<String>,
    lost: f64,
    delay: Duration,
}

/// Replicas, each with a time: the [`ReplicaSet`] of the engine in memory, and of tests of the rule.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct ReplicaTimes(BTreeMap<ReplicaText, u64>);

impl ReplicaSet for ReplicaTimes {
    fn insert(&mut self, replica: &ReplicaText, at_ms: u64) {
        self.0.insert(replica.clone(), at_ms);
    }

    fn remove(&mut self, replica: &ReplicaText) {
        self.0.remove(replica);
    }

    fn prune(&mut self, before_ms: u64) {
        self.0.retain(|_, at| *at >= before_ms);
    }

    fn count(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
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

    /// Sets the share of calls, 0 to 1, that is lost: half of them before they take effect, half of them afterwards.
    pub fn set_lost(&self, share: f64) {
        lock(&self.inner).faults.lost = share;
    }

    /// Sets the maximum random duration of a call.
    pub fn set_delay(&self, delay: Duration) {
        lock(&self.inner).faults.delay = delay;
    }

    /// Clears the contents.
    pub fn forget(&self) {
        lock(&self.inner).store = Store::default();
    }

    /// Number of calls received.
    pub fn calls(&self) -> u64 {
        lock(&self.inner).calls
    }

    /// Makes one call: applies its faults, and runs `act` in one step.
    async fn call<T>(
        &self,
        replica: &ReplicaText,
        act: impl FnOnce(&mut Store, u64) -> T + Send,
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
        let result = {
            let now_ms = self.clock.now().as_nanos() / 1_000_000;
            act(&mut lock(&self.inner).store, now_ms)
        };
        self.pass(after).await;
        if is_lost == Some(false) { unreachable("the answer was lost") } else { Ok(result) }
    }

    async fn pass(&self, span: Duration) {
        if !span.is_zero() {
            self.clock.sleep_until(self.clock.now() + span).await;
        }
    }
}

impl Store {
    fn born_ms(&mut self, now_ms: u64) -> u64 {
        *self.born_ms.get_or_insert(now_ms)
    }

    fn members(&mut self, now_ms: u64) -> u32 {
        self.members.prune(now_ms.saturating_sub(FORGET_MS));
        self.members.count()
    }
}

#[async_trait]
impl FleetEngine for MemoryFleet {
    async fn beat(&self, replica: &ReplicaText) -> Result<Heartbeat, EngineError> {
        self.call(replica, |store, now_ms| {
            store.born_ms(now_ms);
            store.members.insert(replica, now_ms);
            let running = store.breakers.iter().filter(|(_, state)| state.incident.is_running());
            let in_incident = running.map(|(name, _)| name.clone()).collect();
            Heartbeat::new(store.members(now_ms), in_incident)
        })
        .await
    }

    async fn sync(&self, breaker: &BreakerName, report: &Report<'_>, terms: &Terms) -> Result<FleetView, EngineError> {
        self.call(report.replica, |store, now_ms| {
            store.members.insert(report.replica, now_ms);
            let context = FleetContext { now_ms, born_ms: store.born_ms(now_ms), members: store.members(now_ms) };
            fleet::merge(store.breakers.entry(breaker.clone()).or_default(), report, terms, context)
        })
        .await
    }

    async fn acknowledge(
        &self,
        breaker: &BreakerName,
        replica: &ReplicaText,
        claim: &Claim,
    ) -> Result<bool, EngineError> {
        self.call(replica, |store, now_ms| {
            let state = store.breakers.get_mut(breaker);
            state.is_some_and(|state| fleet::acknowledge(&mut state.incident, replica, claim, now_ms))
        })
        .await
    }

    async fn leave(&self, replica: &ReplicaText) -> Result<(), EngineError> {
        self.call(replica, |store, _| {
            store.members.remove(replica);
            for state in store.breakers.values_mut() {
                state.open.remove(replica);
                state.unwell.remove(replica);
            }
        })
        .await
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
