//! The simulated machine of the process.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tripline_backends::api::ResidentReader;
use tripline_backends::app::{BoxFuture, DurableStore, Platform, Spawner};
use tripline_backends::config::{Fleet, FleetEngineKind};
use tripline_backends::fleet::FleetError;
use tripline_backends::http_client::HyperClient;
use tripline_backends::memory::{MemorySourceKind, MemoryUsed};
use tripline_backends::state_dir::StateDirError;
use tripline_core::Ratio;
use tripline_runtime::test_util::faults::{Fault, FaultPlan, FaultyEngine, FaultyMemory, SkewedClock};
use tripline_runtime::test_util::{ManualClock, MemoryFleet};
use tripline_runtime::{BreakerName, Clock, FleetEngine, MemoryError, MemorySource, MockMemory};

use super::disk::{Disk, SimStore};
use super::fleet_script::EngineFault;
use super::network::SimNetwork;
use super::random::Random;
use super::script::{DiskFault, MemoryFault};
use super::watchdog::WatchedClock;

/// The machine. It outlives the process.
pub(super) struct SimPlatform {
    clock: Arc<dyn Clock>,
    seed: u64,
    tasks: Arc<Mutex<Vec<BoxFuture>>>,
    pub(super) network: SimNetwork,
    pub(super) disk: Disk,
    pub(super) memory: MockMemory,
    pub(super) engine: MemoryFleet,
    /// The way of the process to the engine.
    link: Arc<FaultyEngine>,
    faulty_memory: Arc<FaultyMemory>,
    stores: Mutex<Vec<SimStore>>,
}

impl SimPlatform {
    pub(super) fn new(clock: Arc<ManualClock>, seed: u64) -> Self {
        let engine = MemoryFleet::new(clock.clone(), seed);
        let mut random = Random::new(seed, 6);
        let minutes = |minutes: u64| std::time::Duration::from_secs(minutes * 60);
        // The time of day of most machines is correct to a second, that of some is not.
        let off = random.one_of(&[1, 1, 30, 600]);
        let clock: Arc<dyn Clock> =
            Arc::new(SkewedClock::new(clock, seed, minutes(20)).time_of_day(std::time::Duration::from_secs(off)));
        // The monotonic time of a virtual machine that is moved jumps by a little, also backwards. Every clock drifts: 200 millionths
        // are 9 s in 12 h, which no check notices.
        let lag = std::time::Duration::from_millis(random.one_of(&[0, 0, 5, 100]));
        let drift = random.one_of(&[0, 0, 100, -100, 200, -200]);
        let clock: Arc<dyn Clock> = Arc::new(SkewedClock::new(clock, seed, minutes(1)).monotonic(lag).drift(drift));
        let clock: Arc<dyn Clock> = Arc::new(WatchedClock::new(clock));
        let memory = MockMemory::default();
        Self {
            network: SimNetwork::new(clock.clone(), seed),
            faulty_memory: Arc::new(FaultyMemory::new(Arc::new(memory.clone()), clock.clone(), FaultPlan::new(seed))),
            memory,
            link: Arc::new(FaultyEngine::new(Arc::new(engine.clone()), clock.clone(), FaultPlan::new(seed))),
            engine,
            clock,
            seed,
            tasks: Arc::default(),
            disk: Disk::new(seed),
            stores: Mutex::default(),
        }
    }

    /// Returns the tasks spawned since the last call.
    pub(super) fn take_tasks(&self) -> Vec<BoxFuture> {
        std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Discards the stores of the previous process.
    pub(super) fn restarted(&self) {
        self.stores.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.take_tasks();
    }

    pub(super) fn set_disk_fault(&self, fault: Option<DiskFault>) {
        self.disk.set_fault(fault);
        let stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        stores.iter().enumerate().for_each(|(number, store)| store.set_fault(fault, self.seed_of_faults(number)));
    }

    /// The seed of the faults of a store from now on.
    fn seed_of_faults(&self, store: usize) -> u64 {
        self.seed ^ self.clock.now().as_nanos().rotate_left(20) ^ store as u64
    }

    /// Whether the disk is only slow, without losing data.
    pub(super) fn is_disk_only_slow(&self) -> bool {
        self.disk.fault() == Some(DiskFault::Slow)
    }

    pub(super) fn set_engine_fault(&self, fault: Option<EngineFault>) {
        self.link.set_plan(fault.map_or_else(|| FaultPlan::new(self.seed), |fault| fault.plan(self.seed)));
    }

    pub(super) fn set_memory_fault(&self, fault: Option<MemoryFault>) {
        let plan = FaultPlan::new(self.seed);
        self.faulty_memory.set_plan(match fault {
            None => plan,
            Some(MemoryFault::Unreadable) => plan.with(Fault::Fail, Ratio::ONE),
            Some(MemoryFault::Malformed) => plan.with(Fault::Corrupt, Ratio::ONE),
            Some(MemoryFault::Stale) => plan.with(Fault::Drop, Ratio::ONE),
        });
    }
}

impl Platform for SimPlatform {
    fn clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    fn spawner(&self) -> Spawner {
        let tasks = self.tasks.clone();
        Spawner::new(move |task| tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task))
    }

    fn spawn_dedicated(&self, _: &str, task: BoxFuture) -> io::Result<()> {
        self.spawner().spawn(task);
        Ok(())
    }

    fn seed(&self) -> u64 {
        self.seed
    }

    fn memory(&self, _: MemorySourceKind, _: MemoryUsed) -> Result<Arc<dyn MemorySource>, MemoryError> {
        Ok(self.faulty_memory.clone())
    }

    fn resident_memory(&self) -> ResidentReader {
        Arc::new(|| Some(1 << 24))
    }

    fn durable_store(&self, root: &Path, breaker: &BreakerName) -> Result<DurableStore, StateDirError> {
        let (left, problem) = self.disk.open(root, breaker)?;
        let mut stores = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        let store = self.disk.store(breaker, &self.clock, self.seed_of_faults(stores.len()));
        stores.push(store.clone());
        Ok(DurableStore::new(Arc::new(store), left).problems(problem.into_iter().collect()))
    }

    fn fleet_engine(&self, config: &Fleet, _: &str) -> Result<Option<Arc<dyn FleetEngine>>, FleetError> {
        let link: Arc<dyn FleetEngine> = self.link.clone();
        Ok((config.engine != FleetEngineKind::Off).then_some(link))
    }

    fn replica_name(&self, _: Option<&Path>) -> String {
        "sim-a2b3".to_owned()
    }

    fn alert_client(&self) -> HyperClient {
        HyperClient::default().through(Arc::new(self.network.clone()))
    }
}
