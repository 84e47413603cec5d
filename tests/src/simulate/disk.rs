//! The disk with the durable states.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tripline_backends::state_dir::{decode, encode};
use tripline_core::Ratio;
use tripline_runtime::test_util::faults::{Fault, FaultPlan, FaultyStore};
use tripline_runtime::{BreakerName, Clock, DurableState, StateStore};

use super::script::DiskFault;

/// The disk. It outlives the process. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Disk {
    files: Arc<Mutex<BTreeMap<BreakerName, StateFile>>>,
}

/// The state of one breaker on disk, with the expected contents.
#[derive(Debug, Clone, Default)]
pub(super) struct StateFile {
    bytes: Option<Vec<u8>>,
    /// The last state whose save succeeded.
    pub(super) acknowledged: Option<DurableState>,
    /// States that were to be saved since.
    pub(super) attempted: Vec<DurableState>,
    /// Saves that failed.
    pub(super) failures: u64,
}

/// Duration of a write.
const WRITE_TIME: Duration = Duration::from_millis(3);
/// Maximum number of stored attempts.
const MAX_ATTEMPTS: usize = 64;

impl Disk {
    pub(super) fn files(&self) -> MutexGuard<'_, BTreeMap<BreakerName, StateFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process that starts has to save nothing yet: what is left is what it goes on with.
    pub(super) fn restarted(&self) {
        for (name, file) in &mut *self.files() {
            if let Some(Ok(left)) = file.bytes.as_ref().map(|bytes| decode(bytes, name)) {
                file.acknowledged = Some(left);
            }
            file.attempted.clear();
        }
    }

    /// Returns the state that a starting process finds.
    pub(super) fn left(&self, breaker: &BreakerName) -> Result<Option<DurableState>, String> {
        let files = self.files();
        let bytes = files.get(breaker).and_then(|file| file.bytes.as_ref());
        bytes.map(|bytes| decode(bytes, breaker)).transpose().map_err(|error| error.to_string())
    }

    /// Returns the store of a breaker, with its faults.
    pub(super) fn store(&self, breaker: &BreakerName, clock: &Arc<dyn Clock>, fault: Option<DiskFault>) -> SimStore {
        let plain = DiskStore { disk: self.clone(), breaker: breaker.clone(), clock: clock.clone() };
        let faulty = FaultyStore::new(Arc::new(plain), clock.clone(), plan(fault));
        SimStore { disk: self.clone(), breaker: breaker.clone(), faulty: Arc::new(faulty) }
    }

    fn change(&self, breaker: &BreakerName, change: impl FnOnce(&mut StateFile)) {
        change(self.files().entry(breaker.clone()).or_default());
    }
}

/// Converts a fault of the script to a plan of the library.
fn plan(fault: Option<DiskFault>) -> FaultPlan {
    let plan = FaultPlan::new(4);
    let Some(fault) = fault else { return plan };
    let fault = match fault {
        DiskFault::Full => Fault::FullDisk,
        DiskFault::Failing => Fault::Fail,
        DiskFault::Slow => Fault::Delay(Duration::from_secs(4)),
        DiskFault::Hanging => Fault::Hang(Duration::from_secs(30)),
        DiskFault::Torn => Fault::TornWrite,
    };
    plan.with(fault, Ratio::ONE)
}

/// The store of one breaker.
#[derive(Debug, Clone)]
pub(super) struct SimStore {
    disk: Disk,
    breaker: BreakerName,
    faulty: Arc<FaultyStore>,
}

impl SimStore {
    pub(super) fn set_fault(&self, fault: Option<DiskFault>) {
        self.faulty.set_plan(plan(fault));
    }
}

#[async_trait]
impl StateStore for SimStore {
    async fn save(&self, state: &DurableState) -> io::Result<()> {
        self.disk.change(&self.breaker, |file| {
            file.attempted.push(state.clone());
            if file.attempted.len() > MAX_ATTEMPTS {
                file.attempted.remove(0);
            }
        });
        let saved = self.faulty.save(state).await;
        self.disk.change(&self.breaker, |file| match &saved {
            Ok(()) => {
                file.acknowledged = Some(state.clone());
                file.attempted.clear();
            }
            Err(_) => file.failures += 1,
        });
        saved
    }
}

#[derive(Debug)]
struct DiskStore {
    disk: Disk,
    breaker: BreakerName,
    clock: Arc<dyn Clock>,
}

#[async_trait]
impl StateStore for DiskStore {
    async fn save(&self, state: &DurableState) -> io::Result<()> {
        let bytes = encode(state)?;
        self.clock.sleep_until(self.clock.now() + WRITE_TIME).await;
        self.disk.change(&self.breaker, |file| file.bytes = Some(bytes));
        Ok(())
    }
}

impl StateFile {
    /// Whether a state with this incident was to be saved since the last one that was.
    pub(super) fn has_tried(&self, incident: u64) -> bool {
        self.attempted.iter().any(|state| state.staging.last_incident >= incident)
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.as_ref().map_or(0, Vec::len)
    }
}
