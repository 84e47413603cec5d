//! Everything at once, on one thread, on virtual time, the same way for the same seed.

use std::future::Future;
use std::time::Duration;

use tripline_core::{CapacityError, EscalationPolicy, Instant, Outcome, Policy};

use super::{ManualClock, RecordingSink, executor::Executor};
use crate::breaker::Breaker;
use crate::clock::Clock as _;
use crate::incidents::staging_control::StagingControl;
use crate::memory::mock::MockMemory;
use crate::supervisor::shutdown::ShutdownHandle;
use crate::supervisor::supervise;
use crate::supervisor::target::SupervisedBreaker;
use crate::sync::Arc;

/// A world in which time passes only when you say so, and everything that is due happens at its instant.
///
/// Ready tasks are polled in an order drawn from the seed: run a test with many seeds to see many interleavings.
#[derive(Debug)]
pub struct World {
    clock: Arc<ManualClock>,
    executor: Executor,
    seed: u64,
}

/// A supervised breaker of a [`World`], with what it is connected to.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Subject {
    /// The breaker.
    pub breaker: Breaker,
    /// Its memory, half used.
    pub memory: Arc<MockMemory>,
    /// Its alerts.
    pub alerts: Arc<RecordingSink>,
    /// How its alerts are staged.
    pub staging: StagingControl,
    /// Stops its supervisor and dispatcher.
    pub stop: ShutdownHandle,
}

impl World {
    /// An empty world whose clock shows 1 s.
    pub fn new(seed: u64) -> Self {
        Self { clock: Arc::new(ManualClock::default()), executor: Executor::new(seed), seed }
    }

    /// The clock; set it yourself to make it jump.
    pub fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }

    /// What the clock shows.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// A supervised breaker with memory and alerts of its own.
    ///
    /// # Errors
    /// [`CapacityError`] where the policy's window is too large.
    pub fn breaker(&self, policy: Policy) -> Result<Subject, CapacityError> {
        self.staged_breaker(policy, EscalationPolicy::default())
    }

    /// As [`World::breaker`], with alerts in stages.
    ///
    /// # Errors
    /// [`CapacityError`] where the policy's window is too large.
    pub fn staged_breaker(&self, policy: Policy, staging: EscalationPolicy) -> Result<Subject, CapacityError> {
        let staging = StagingControl::new(staging);
        let breaker = Breaker::builder(self.clock.clone()).policy(policy).seed(self.seed).build()?;
        let memory = Arc::new(MockMemory::default());
        let alerts = Arc::new(RecordingSink::default());
        let watch = SupervisedBreaker::new(breaker.clone()).memory(memory.clone()).sink(alerts.clone());
        let watch = watch.staging(staging.clone());
        let stop = self.supervise([watch]);
        Ok(Subject { breaker, memory, alerts, staging, stop })
    }

    /// Runs a supervisor and a dispatcher for these.
    pub fn supervise(&self, targets: impl IntoIterator<Item = SupervisedBreaker>) -> ShutdownHandle {
        let (supervisor, dispatcher, stop) = supervise(self.clock.clone(), targets, self.seed);
        self.spawn(supervisor.run());
        self.spawn(async {
            dispatcher.run().await;
        });
        self.run_until_idle();
        stop
    }

    /// Adds a task. It runs with the next [`World::advance`] or [`World::run_until_idle`].
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.executor.spawn(task);
    }

    /// Starts a call of `breaker` that takes `latency`; false if it was rejected.
    pub fn request(&self, breaker: &Breaker, latency: Duration, outcome: Outcome) -> bool {
        let Ok(permit) = breaker.try_start_owned() else { return false };
        let clock = self.clock.clone();
        let end = permit.start() + latency;
        self.spawn(async move {
            clock.sleep_until(end).await;
            permit.finish_at(end, outcome);
        });
        self.run_until_idle();
        true
    }

    /// Runs whatever can run without time passing.
    pub fn run_until_idle(&self) {
        self.executor.run_until_idle();
    }

    /// Lets time pass, stopping at every instant that somebody waits for.
    pub fn advance(&self, span: Duration) {
        let end = self.now() + span;
        self.run_until_idle();
        while let Some(next) = self.clock.next_wake().filter(|&next| next <= end) {
            self.clock.set(next);
            self.run_until_idle();
        }
        self.clock.set(end);
        self.run_until_idle();
    }
}
