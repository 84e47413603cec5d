//! A store with faults.

use std::io;

use async_trait::async_trait;

use super::plan::{Fault, FaultPlan};
use crate::clock::Clock;
use crate::dispatch::durable::{DurableState, StateStore};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

/// A store that fails according to a [`FaultPlan`].
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tripline_runtime::core::{Policy, Ratio};
/// use tripline_runtime::test_util::faults::{Fault, FaultPlan, FaultyStore};
/// use tripline_runtime::test_util::{MemoryStore, World};
/// use tripline_runtime::{Breaker, SupervisedBreaker};
///
/// let world = World::new(1);
/// let breaker = Breaker::builder(world.clock()).build()?;
/// let disk = Arc::new(MemoryStore::default());
/// let minute = world.now()..world.now() + Duration::from_secs(60);
/// let plan = FaultPlan::new(1).during(minute, Fault::FullDisk, Ratio::ONE);
/// let store = Arc::new(FaultyStore::new(disk.clone(), world.clock(), plan));
/// let stop = world.supervise([SupervisedBreaker::new(breaker.clone()).store(store)]);
///
/// breaker.force_open();
/// world.advance(Duration::from_secs(30));
/// assert!(disk.last().is_none());
/// world.advance(Duration::from_secs(120));
/// assert!(disk.last().is_some(), "it is saved when there is room again");
/// # stop.stop(Duration::ZERO);
/// # Ok::<(), tripline_runtime::core::CapacityError>(())
/// ```
#[derive(Debug)]
pub struct FaultyStore {
    inner: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    plan: Mutex<FaultPlan>,
    injected: AtomicU64,
}

impl FaultyStore {
    /// Wraps `inner` with the faults of `plan` on this clock.
    pub fn new(inner: Arc<dyn StateStore>, clock: Arc<dyn Clock>, plan: FaultPlan) -> Self {
        Self { inner, clock, plan: Mutex::new(plan), injected: AtomicU64::new(0) }
    }

    /// Replaces the plan, from the next operation on.
    pub fn set_plan(&self, plan: FaultPlan) {
        *lock(&self.plan) = plan;
    }

    /// Number of saves for which the plan drew a fault.
    pub fn injected(&self) -> u64 {
        // Relaxed: a statistic.
        self.injected.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl StateStore for FaultyStore {
    async fn save(&self, state: &DurableState) -> io::Result<()> {
        let fault = lock(&self.plan).draw(self.clock.now());
        // Relaxed: a statistic.
        self.injected.fetch_add(u64::from(fault.is_some()), Ordering::Relaxed);
        match fault {
            None => self.inner.save(state).await,
            Some(Fault::Drop) => Ok(()),
            Some(Fault::Delay(span)) => {
                self.clock.sleep_until(self.clock.now() + span).await;
                self.inner.save(state).await
            }
            Some(Fault::Duplicate) => {
                self.inner.save(state).await?;
                self.inner.save(state).await
            }
            Some(Fault::Fail) => Err(io::Error::other("injected")),
            Some(Fault::Hang(span)) => {
                self.clock.sleep_until(self.clock.now() + span).await;
                Err(io::ErrorKind::TimedOut.into())
            }
            Some(Fault::Corrupt) => Err(io::ErrorKind::InvalidData.into()),
            Some(Fault::TornWrite) => {
                self.inner.save(state).await?;
                Err(io::ErrorKind::WriteZero.into())
            }
            Some(Fault::FullDisk) => Err(io::ErrorKind::StorageFull.into()),
        }
    }
}
