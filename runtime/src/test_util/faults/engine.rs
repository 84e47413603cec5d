//! A fleet engine with faults.

use async_trait::async_trait;
use tripline_core::fleet::{Action, Claim, FleetView, ReplicaText, Report, Terms};

use super::plan::{Fault, FaultPlan};
use crate::breaker::name::BreakerName;
use crate::clock::Clock;
use crate::fleet::engine::{Beat, CommandProgress, EngineError, FleetEngine, Heartbeat};
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

/// A fleet engine with the faults of a [`FaultPlan`]. Each replica may have its own decorator of the same engine, with
/// its own plan: a partition is a plan that hangs or drops the calls of some replicas.
///
/// A fleet of two replicas, one of which does not reach the engine:
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use tripline_runtime::core::Ratio;
/// use tripline_runtime::core::fleet::text;
/// use tripline_runtime::test_util::faults::{Fault, FaultPlan, FaultyEngine};
/// use tripline_runtime::test_util::{MemoryFleet, World};
/// use tripline_runtime::{Fleet, FleetRunner, FleetSettings, ShutdownHandle};
///
/// let world = World::new(1);
/// let engine = Arc::new(MemoryFleet::new(world.clock(), 1));
/// let stop = ShutdownHandle::default();
/// let join = |name: &str, seed, plan| {
///     let link = FaultyEngine::new(engine.clone(), world.clock(), plan);
///     let fleet = Fleet::new(Arc::new(link), FleetSettings::new(text(name), seed), world.clock());
///     world.spawn(FleetRunner::new(fleet.clone(), stop.clone()).run());
///     fleet
/// };
/// let hang = Fault::Hang(Duration::from_secs(60));
/// let (near, far) = (join("web-1", 1, FaultPlan::new(1)), join("web-2", 2, FaultPlan::new(2).with(hang, Ratio::ONE)));
/// world.advance(Duration::from_secs(20));
/// assert!(near.status().is_up && !far.status().is_up);
/// assert_eq!(near.status().members, 1);
/// # stop.stop(Duration::ZERO);
/// ```
#[derive(Debug)]
pub struct FaultyEngine {
    inner: Arc<dyn FleetEngine>,
    clock: Arc<dyn Clock>,
    plan: Mutex<FaultPlan>,
    injected: AtomicU64,
}

/// The effect of a call, given its fault.
enum Way {
    /// It takes effect this many times, and returns the last answer.
    Answered(u32),
    /// It takes effect, and its answer is lost.
    AnswerLost,
}

impl FaultyEngine {
    /// Creates `inner` with the faults of `plan`, on this clock.
    pub fn new(inner: Arc<dyn FleetEngine>, clock: Arc<dyn Clock>, plan: FaultPlan) -> Self {
        Self { inner, clock, plan: Mutex::new(plan), injected: AtomicU64::new(0) }
    }

    /// Replaces the plan, from the next operation on.
    pub fn set_plan(&self, plan: FaultPlan) {
        *lock(&self.plan) = plan;
    }

    /// Number of calls for which the plan drew a fault.
    pub fn injected(&self) -> u64 {
        // Relaxed: a statistic.
        self.injected.load(Ordering::Relaxed)
    }

    /// Draws the fault of one call, and waits for as long as it delays the call.
    async fn way(&self) -> Result<Way, EngineError> {
        let fault = lock(&self.plan).draw(self.clock.now());
        // Relaxed: a statistic.
        self.injected.fetch_add(u64::from(fault.is_some()), Ordering::Relaxed);
        match fault {
            None => Ok(Way::Answered(1)),
            Some(Fault::Duplicate) => Ok(Way::Answered(2)),
            Some(Fault::Corrupt | Fault::TornWrite) => Ok(Way::AnswerLost),
            Some(Fault::Drop) => Err(unreachable("injected: lost")),
            Some(Fault::Delay(span)) => {
                self.clock.sleep_until(self.clock.now() + span).await;
                Ok(Way::Answered(1))
            }
            Some(Fault::Hang(span)) => {
                self.clock.sleep_until(self.clock.now() + span).await;
                Err(unreachable("injected: no answer"))
            }
            Some(Fault::Fail) => Err(EngineError::Rejected { reason: "injected: rejected".to_owned() }),
            Some(Fault::FullDisk) => Err(EngineError::Rejected { reason: "injected: out of memory".to_owned() }),
        }
    }
}

fn unreachable(reason: &str) -> EngineError {
    EngineError::Unreachable { reason: reason.to_owned() }
}

/// Makes a call in this way.
macro_rules! along {
    ($way:expr, $call:expr) => {
        match $way {
            Way::Answered(times) => {
                for _ in 1..times {
                    $call.await?;
                }
                $call.await
            }
            Way::AnswerLost => {
                $call.await?;
                Err(unreachable("injected: the answer is lost"))
            }
        }
    };
}

#[async_trait]
impl FleetEngine for FaultyEngine {
    async fn beat(&self, beat: &Beat<'_>) -> Result<Heartbeat, EngineError> {
        along!(self.way().await?, self.inner.beat(beat))
    }

    async fn sync(&self, breaker: &BreakerName, report: &Report<'_>, terms: &Terms) -> Result<FleetView, EngineError> {
        along!(self.way().await?, self.inner.sync(breaker, report, terms))
    }

    async fn acknowledge(
        &self,
        breaker: &BreakerName,
        replica: &ReplicaText,
        claim: &Claim,
    ) -> Result<bool, EngineError> {
        along!(self.way().await?, self.inner.acknowledge(breaker, replica, claim))
    }

    async fn command(&self, action: Action, breaker: &BreakerName) -> Result<u64, EngineError> {
        along!(self.way().await?, self.inner.command(action, breaker))
    }

    async fn command_progress(&self, number: u64) -> Result<CommandProgress, EngineError> {
        along!(self.way().await?, self.inner.command_progress(number))
    }

    async fn leave(&self, replica: &ReplicaText) -> Result<(), EngineError> {
        along!(self.way().await?, self.inner.leave(replica))
    }
}
