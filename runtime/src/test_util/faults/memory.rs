//! A memory source with faults.

use std::io;

use tripline_core::MemorySample;

use super::plan::{Fault, FaultPlan};
use crate::clock::Clock;
use crate::memory::{MemoryError, MemoryReading, MemorySource};
use crate::sync::{Arc, Mutex, lock};

/// A memory source that fails according to a [`FaultPlan`].
///
/// ```
/// use std::sync::Arc;
/// use tripline_runtime::core::Ratio;
/// use tripline_runtime::test_util::ManualClock;
/// use tripline_runtime::test_util::faults::{Fault, FaultPlan, FaultyMemory};
/// use tripline_runtime::{MemorySource, MockMemory};
///
/// let plan = FaultPlan::new(1).with(Fault::Fail, Ratio::ONE);
/// let memory = FaultyMemory::new(Arc::new(MockMemory::default()), Arc::new(ManualClock::default()), plan);
/// assert!(memory.read().is_err());
/// ```
#[derive(Debug)]
pub struct FaultyMemory {
    inner: Arc<dyn MemorySource>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    plan: FaultPlan,
    last: Option<MemoryReading>,
    injected: u64,
}

impl FaultyMemory {
    /// Wraps `inner` with the faults of `plan` on this clock.
    pub fn new(inner: Arc<dyn MemorySource>, clock: Arc<dyn Clock>, plan: FaultPlan) -> Self {
        Self { inner, clock, state: Mutex::new(State { plan, last: None, injected: 0 }) }
    }

    /// Replaces the plan, from the next operation on.
    pub fn set_plan(&self, plan: FaultPlan) {
        lock(&self.state).plan = plan;
    }

    /// Number of readings for which the plan drew a fault, also one without effect here.
    pub fn injected(&self) -> u64 {
        lock(&self.state).injected
    }
}

impl MemorySource for FaultyMemory {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn sample(&self) -> Result<MemorySample, MemoryError> {
        self.read().map(|reading| reading.sample)
    }

    fn read(&self) -> Result<MemoryReading, MemoryError> {
        let mut state = lock(&self.state);
        let fault = state.plan.draw(self.clock.now());
        state.injected += u64::from(fault.is_some());
        let what = || self.inner.name().to_owned();
        match fault {
            Some(Fault::Fail | Fault::Hang(_)) => {
                return Err(MemoryError::Unreadable { what: what(), error: io::Error::other("injected") });
            }
            Some(Fault::Corrupt | Fault::TornWrite) => {
                return Err(MemoryError::Malformed { what: what(), found: "12x".to_owned(), expected: "bytes" });
            }
            Some(Fault::Drop | Fault::Delay(_)) if state.last.is_some() => {}
            Some(Fault::Duplicate) => {
                self.inner.read()?;
                state.last = Some(self.inner.read()?);
            }
            _ => state.last = Some(self.inner.read()?),
        }
        state.last.clone().map_or_else(|| self.inner.read(), Ok)
    }
}
