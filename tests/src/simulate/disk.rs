//! The disk with the durable states.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tripline_backends::state_dir::{Quarantined, StateDirError, decode, encode, recover};
use tripline_core::Ratio;
use tripline_runtime::test_util::faults::{Fault, FaultPlan, FaultyStore};
use tripline_runtime::{BreakerName, Clock, DurableState, StateStore};

use super::damage::damage;
use super::extras::OPTIONAL;
use super::random::Random;
use super::script::DiskFault;

/// The disk. It outlives the process. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    files: Arc<Mutex<BTreeMap<BreakerName, StateFile>>>,
    medium: Arc<Mutex<Medium>>,
}

/// What the files are stored on.
#[derive(Debug)]
struct Medium {
    fault: Option<DiskFault>,
    random: Random,
}

/// The state of one breaker on disk, with the expected contents.
#[derive(Debug, Clone, Default)]
pub(super) struct StateFile {
    bytes: Option<Vec<u8>>,
    /// The file beside it that the next state is written to, before it is renamed. A kill leaves a part of it.
    next: Option<Vec<u8>>,
    /// Whether `bytes` are not those that were written.
    is_damaged: bool,
    /// Number of files that a process set aside.
    set_aside: u32,
    /// The last state whose save succeeded.
    pub(super) acknowledged: Option<DurableState>,
    /// States that were to be saved since.
    pub(super) attempted: Vec<DurableState>,
    /// Saves that failed.
    pub(super) failures: u64,
}

/// Duration of a write.
const WRITE_TIME: Duration = Duration::from_millis(3);
/// Duration of a write that does not get further than half of the file.
const TORN_WRITE_TIME: Duration = Duration::from_secs(4);
/// Maximum number of stored attempts.
const MAX_ATTEMPTS: usize = 64;

impl Disk {
    pub(super) fn new(seed: u64) -> Self {
        let medium = Medium { fault: None, random: Random::new(seed, 8) };
        Self { files: Arc::default(), medium: Arc::new(Mutex::new(medium)) }
    }

    pub(super) fn files(&self) -> MutexGuard<'_, BTreeMap<BreakerName, StateFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn medium(&self) -> MutexGuard<'_, Medium> {
        self.medium.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn fault(&self) -> Option<DiskFault> {
        self.medium().fault
    }

    /// Sets the fault. At the beginning of [`DiskFault::Corrupt`] files that are at rest may be damaged.
    pub(super) fn set_fault(&self, fault: Option<DiskFault>) {
        let mut medium = self.medium();
        let before = std::mem::replace(&mut medium.fault, fault);
        if fault == Some(DiskFault::Corrupt) && before != fault {
            for (name, file) in &mut *self.files() {
                if medium.random.chance(0.5) && may_be_damaged(name) {
                    file.damage(&mut medium.random);
                }
            }
        }
    }

    /// A starting process has nothing to save: it continues from the stored state.
    pub(super) fn restarted(&self) {
        for (name, file) in &mut *self.files() {
            if file.is_damaged {
                file.acknowledged = None;
            } else if let Some(Ok(left)) = file.bytes.as_ref().map(|bytes| decode(bytes, name)) {
                file.acknowledged = Some(left);
            }
            file.attempted.clear();
        }
    }

    /// The breakers whose states are damaged.
    pub(super) fn damaged(&self) -> Vec<BreakerName> {
        self.files().iter().filter(|(_, file)| file.is_damaged).map(|(name, _)| name.clone()).collect()
    }

    /// Returns the state that a starting process finds; `None` if there is none, or it is damaged.
    pub(super) fn left(&self, breaker: &BreakerName) -> Result<Option<DurableState>, String> {
        let files = self.files();
        let bytes = files.get(breaker).filter(|file| !file.is_damaged).and_then(|file| file.bytes.as_ref());
        bytes.map(|bytes| decode(bytes, breaker)).transpose().map_err(|error| error.to_string())
    }

    /// Opens the state of a breaker, as [`StateDir::open`](tripline_backends::state_dir::StateDir::open) does: a part of a next state is
    /// ignored, and bytes that are no state are set aside.
    pub(super) fn open(
        &self,
        root: &Path,
        breaker: &BreakerName,
    ) -> Result<(Option<DurableState>, Option<Quarantined>), StateDirError> {
        let mut files = self.files();
        let file = files.entry(breaker.clone()).or_default();
        file.next = None;
        recover(file.bytes.clone().map(Ok), breaker, |why| {
            (file.bytes, file.is_damaged) = (None, false);
            file.set_aside += 1;
            let path = Self::path(root, breaker);
            let now = path.with_extension(format!("json.set-aside-{}", file.set_aside));
            Ok(Quarantined::new(path, now, why))
        })
    }

    /// The path of the state of a breaker.
    pub(super) fn path(root: &Path, breaker: &BreakerName) -> PathBuf {
        root.join(breaker.as_str()).join("state.json")
    }

    /// Returns the store of a breaker, with its faults, which are drawn from `seed`.
    pub(super) fn store(&self, breaker: &BreakerName, clock: &Arc<dyn Clock>, seed: u64) -> SimStore {
        let plain = DiskStore { disk: self.clone(), breaker: breaker.clone(), clock: clock.clone() };
        let faulty = FaultyStore::new(Arc::new(plain), clock.clone(), plan(self.fault(), seed));
        SimStore { disk: self.clone(), breaker: breaker.clone(), faulty: Arc::new(faulty) }
    }

    fn change(&self, breaker: &BreakerName, change: impl FnOnce(&mut StateFile)) {
        change(self.files().entry(breaker.clone()).or_default());
    }
}

/// Converts a fault of the script to a plan of the library. [`DiskStore`] damages bytes itself, of which the library knows nothing.
fn plan(fault: Option<DiskFault>, seed: u64) -> FaultPlan {
    let plan = FaultPlan::new(seed);
    let share = |share| Ratio::new(share).unwrap_or(Ratio::ONE);
    match fault {
        None | Some(DiskFault::Corrupt) => plan,
        Some(DiskFault::Full) => plan.with(Fault::FullDisk, Ratio::ONE),
        Some(DiskFault::Failing) => plan.with(Fault::Fail, share(0.7)),
        // A page waits for the store for 5 s: for the save that is under way, and for its own.
        Some(DiskFault::Slow) => plan.with(Fault::Delay(Duration::from_millis(2_400)), Ratio::ONE),
        Some(DiskFault::Hanging) => plan.with(Fault::Hang(Duration::from_secs(30)), share(0.7)),
        // The new state has its name, and the folder is not synchronised.
        Some(DiskFault::Torn) => plan.with(Fault::TornWrite, share(0.4)),
    }
}

/// The store of one breaker.
#[derive(Debug, Clone)]
pub(super) struct SimStore {
    disk: Disk,
    breaker: BreakerName,
    faulty: Arc<FaultyStore>,
}

impl SimStore {
    /// Sets the fault of the disk, whose effects are drawn from `seed`.
    pub(super) fn set_fault(&self, fault: Option<DiskFault>, seed: u64) {
        self.faulty.set_plan(plan(fault, seed));
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
    /// Writes the next state beside the old one, and then renames it, as `StateDir` does.
    async fn save(&self, state: &DurableState) -> io::Result<()> {
        let bytes = encode(state)?;
        self.disk.change(&self.breaker, |file| file.next = Some(bytes[..bytes.len() / 2].to_vec()));
        let is_torn = self.disk.fault() == Some(DiskFault::Torn) && self.disk.medium().random.chance(0.5);
        let time = if is_torn { TORN_WRITE_TIME } else { WRITE_TIME };
        self.clock.sleep_until(self.clock.now() + time).await;
        self.disk.change(&self.breaker, |file| file.next = None);
        if is_torn {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let mut medium = self.disk.medium();
        self.disk.change(&self.breaker, |file| {
            (file.bytes, file.is_damaged) = (Some(bytes), false);
            if medium.fault == Some(DiskFault::Corrupt) && medium.random.chance(0.5) && may_be_damaged(&self.breaker) {
                file.damage(&mut medium.random);
            }
        });
        Ok(())
    }
}

/// A state that is damaged is one that the next start finds. That of a breaker which the file adds later would be found then.
fn may_be_damaged(breaker: &BreakerName) -> bool {
    breaker.as_str() != OPTIONAL
}

impl StateFile {
    /// Damages the stored bytes.
    fn damage(&mut self, random: &mut Random) {
        if let Some(bytes) = &mut self.bytes {
            damage(bytes, random);
            self.is_damaged = true;
        }
    }

    /// Whether its bytes are not those that were written.
    pub(super) fn is_damaged(&self) -> bool {
        self.is_damaged
    }

    /// Whether a state with this incident was to be saved since the last one that was.
    pub(super) fn has_tried(&self, incident: u64) -> bool {
        self.attempted.iter().any(|state| state.staging.last_incident >= incident)
    }

    /// Its size in bytes.
    pub(super) fn size(&self) -> usize {
        self.bytes.as_ref().map_or(0, Vec::len)
    }
}
