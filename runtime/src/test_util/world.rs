//! Runs breakers, supervisors and dispatchers on one thread and on virtual time, reproducibly for a seed.

use std::future::Future;
use std::time::Duration;

use tripline_core::{AlertKind, CapacityError, Confidence, EscalationPolicy, Instant, Latency, Outcome, Policy};

use super::executor::Executor;
use super::sink::RecordingSink;
use super::traffic::Traffic;
use crate::breaker::Breaker;
use crate::breaker::name::BreakerName;
use crate::clock::Clock as _;
use crate::clock::manual::ManualClock;
use crate::incidents::alert::Alert;
use crate::incidents::staging_control::StagingControl;
use crate::memory::mock::MockMemory;
use crate::supervisor::shutdown::ShutdownHandle;
use crate::supervisor::supervise;
use crate::supervisor::target::SupervisedBreaker;
use crate::sync::Arc;

/// A world in which time passes only by [`World::advance`], and every due event happens at its instant.
///
/// Ready tasks are polled in an order drawn from the seed: run a test with many seeds to cover many interleavings.
#[derive(Debug)]
pub struct World {
    clock: Arc<ManualClock>,
    executor: Executor,
    seed: u64,
}

/// A supervised breaker of a [`World`], with its memory, alerts and settings.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Subject {
    /// The breaker.
    pub breaker: Breaker,
    /// Its memory, half used.
    pub memory: Arc<MockMemory>,
    /// Its alerts.
    pub alerts: Arc<RecordingSink>,
    /// The policy of its alerts.
    pub staging: StagingControl,
    /// Stops its supervisor and dispatcher.
    pub stop: ShutdownHandle,
}

/// The numbers of admitted and rejected calls of [`World::drive`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TrafficAnswers {
    /// Calls that were made.
    pub admitted: u64,
    /// Calls that were rejected.
    pub rejected: u64,
}

impl World {
    /// Creates an empty world whose clock shows 1 s.
    pub fn new(seed: u64) -> Self {
        Self { clock: Arc::new(ManualClock::default()), executor: Executor::new(seed), seed }
    }

    /// Returns the clock; set it directly to make it jump.
    pub fn clock(&self) -> Arc<ManualClock> {
        self.clock.clone()
    }

    /// Returns the present reading of the clock.
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Creates a supervised breaker named `default`, with its own memory and alerts.
    ///
    /// # Errors
    /// [`CapacityError`] if the policy's window is too large.
    pub fn breaker(&self, policy: Policy) -> Result<Subject, CapacityError> {
        self.staged_breaker(policy, EscalationPolicy::default())
    }

    /// Returns the first alert of a breaker that opens because calls take `latency`, a sample for tests of alert sinks.
    /// The threshold is 300 ms, and a few slow calls suffice. `None` if the breaker does not open.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_runtime::AlertKind;
    /// use tripline_runtime::test_util::World;
    ///
    /// let alert = World::sample_alert(Duration::from_millis(400)).ok_or("it did not open")?;
    /// assert_eq!(alert.kind, AlertKind::CircuitOpen);
    /// assert!(World::sample_alert(Duration::from_millis(100)).is_none());
    /// # Ok::<(), &str>(())
    /// ```
    pub fn sample_alert(latency: Duration) -> Option<Alert> {
        let world = Self::new(1);
        let mut policy = Policy::default();
        policy.trip_confidence = Confidence::ZERO;
        policy.latency_threshold = Latency::from_millis(300);
        let subject = world.breaker(policy).ok()?;
        for _ in 0..30 {
            world.request(&subject.breaker, latency, Outcome::Ok);
            world.advance(Duration::from_millis(100));
        }
        let mut alert = subject.alerts.all().into_iter().next()?;
        alert.kind = AlertKind::CircuitOpen;
        Some(alert)
    }

    /// Does the same as [`World::breaker`], with a name, for worlds of several breakers.
    ///
    /// ```
    /// use tripline_runtime::core::{Policy, StateKind};
    /// use tripline_runtime::test_util::World;
    ///
    /// let world = World::new(1);
    /// let payments = world.breaker_named("payments".parse()?, Policy::default())?;
    /// let search = world.breaker_named("search".parse()?, Policy::default())?;
    /// payments.breaker.force_open();
    /// assert_eq!(search.breaker.state(), StateKind::Closed);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`CapacityError`] if the policy's window is too large.
    pub fn breaker_named(&self, name: BreakerName, policy: Policy) -> Result<Subject, CapacityError> {
        self.subject(name, policy, EscalationPolicy::default())
    }

    /// Does the same as [`World::breaker`], with staged alerts.
    ///
    /// # Errors
    /// [`CapacityError`] if the policy's window is too large.
    pub fn staged_breaker(&self, policy: Policy, staging: EscalationPolicy) -> Result<Subject, CapacityError> {
        self.subject(BreakerName::default(), policy, staging)
    }

    fn subject(&self, name: BreakerName, policy: Policy, staging: EscalationPolicy) -> Result<Subject, CapacityError> {
        let staging = StagingControl::new(staging);
        let breaker = Breaker::builder(self.clock.clone()).name(name).policy(policy).seed(self.seed).build()?;
        let memory = Arc::new(MockMemory::default());
        let alerts = Arc::new(RecordingSink::default());
        let watch = SupervisedBreaker::new(breaker.clone()).memory(memory.clone()).sink(alerts.clone());
        let watch = watch.staging(staging.clone());
        let stop = self.supervise([watch]);
        Ok(Subject { breaker, memory, alerts, staging, stop })
    }

    /// Runs a supervisor and a dispatcher for these breakers.
    pub fn supervise(&self, targets: impl IntoIterator<Item = SupervisedBreaker>) -> ShutdownHandle {
        let (supervisor, dispatcher, stop) = supervise(self.clock.clone(), targets, self.seed);
        self.spawn(supervisor.run());
        self.spawn(async {
            dispatcher.run().await;
        });
        self.run_until_idle();
        stop
    }

    /// Adds a task. It runs at the next [`World::advance`] or [`World::run_until_idle`].
    pub fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.executor.spawn(task);
    }

    /// Starts a call of `breaker` that takes `latency`. Returns false if it was rejected.
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

    /// Sends traffic to `breaker` for `span`. Calls that are in flight then end later.
    ///
    /// ```
    /// use std::time::Duration;
    /// use tripline_runtime::core::{Policy, Ratio, StateKind};
    /// use tripline_runtime::test_util::{Traffic, World};
    ///
    /// let world = World::new(1);
    /// let mut policy = Policy::default();
    /// policy.failure_rate_threshold = Ratio::new(0.5)?;
    /// let subject = world.breaker(policy)?;
    ///
    /// let mut healthy = Traffic::new(7, 50.0, Duration::from_millis(20));
    /// let answers = world.drive(&subject.breaker, &mut healthy, Duration::from_secs(60));
    /// assert_eq!((answers.rejected, subject.breaker.state()), (0, StateKind::Closed));
    ///
    /// let mut failing = healthy.failed(Ratio::new(0.9)?);
    /// let answers = world.drive(&subject.breaker, &mut failing, Duration::from_secs(10));
    /// assert!(answers.rejected > answers.admitted, "{answers:?}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn drive(&self, breaker: &Breaker, traffic: &mut Traffic, span: Duration) -> TrafficAnswers {
        let end = self.now() + span;
        let mut answers = TrafficAnswers::default();
        for call in traffic {
            let left = end.since(self.now());
            if call.gap > left {
                self.advance(left);
                break;
            }
            self.advance(call.gap);
            if self.request(breaker, call.latency, call.outcome) {
                answers.admitted += 1;
            } else {
                answers.rejected += 1;
            }
        }
        answers
    }

    /// Returns the number of tasks that have not ended.
    pub fn tasks(&self) -> usize {
        self.executor.tasks()
    }

    /// Runs every task that can run without time passing.
    pub fn run_until_idle(&self) {
        self.executor.run_until_idle();
    }

    /// Advances time, stopping at every instant for which a task waits.
    pub fn advance(&self, span: Duration) {
        let end = self.now() + span;
        while self.step(end) {}
    }

    /// Runs the ready tasks, then advances time to the next instant for which a task waits, but not beyond `end`.
    /// Returns false if `end` is reached. For simulations that inspect the world after each step.
    pub fn step(&self, end: Instant) -> bool {
        self.run_until_idle();
        let next = self.clock.next_wake().filter(|&next| next <= end);
        self.clock.set(next.unwrap_or(end));
        self.run_until_idle();
        next.is_some()
    }
}
