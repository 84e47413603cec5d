//! Shared parts of the delivery tests: a breaker whose incidents begin and end on command.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, reason = "each test file uses some of it")]

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tripline_runtime::core::{EscalationPolicy, IncidentEnd, Policy};
use tripline_runtime::test_util::{RecordingSink, World};
use tripline_runtime::{
    Alert, AlertSink, Breaker, BreakerName, DeliveryCount, DeliveryError, DeliveryStats, DrainReport, ShutdownHandle,
    Stage, StagingControl, SupervisedBreaker, supervise,
};

pub const RESOLVED: Stage = Stage::Resolved(IncidentEnd::Operator);

pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub fn busy(after: Option<Duration>) -> DeliveryError {
    DeliveryError::Retryable { after, reason: "busy".to_owned() }
}

/// A breaker that runs, with its alerts.
pub struct Running {
    pub breaker: Breaker,
    pub staging: StagingControl,
    pub stats: DeliveryStats,
    pub stop: ShutdownHandle,
    pub report: Rc<Cell<Option<DrainReport>>>,
}

/// Stages with an escalation after so long; no cooldown, so that every incident is told at once.
pub fn staging(escalate_after: Duration) -> EscalationPolicy {
    let mut policy = EscalationPolicy::default();
    policy.escalate_after = escalate_after;
    policy.cooldown = Duration::ZERO;
    policy
}

pub fn breaker(world: &World, name: &str) -> Breaker {
    let name = BreakerName::new(name).unwrap();
    Breaker::builder(world.clock()).name(name).policy(Policy::default()).build().unwrap()
}

/// A breaker that tells this sink.
pub fn run(world: &World, escalate_after: Duration, sink: &Arc<impl AlertSink + 'static>) -> Running {
    run_watch(world, escalate_after, |watch| watch.sink(sink.clone()))
}

/// A breaker that tells two sinks.
pub fn run_two(
    world: &World,
    escalate_after: Duration,
    first: impl AlertSink + 'static,
    second: &Arc<RecordingSink>,
) -> Running {
    run_watch(world, escalate_after, |watch| watch.sink(Arc::new(first)).sink(second.clone()))
}

/// A breaker that is watched as `change` says.
pub fn run_watch(
    world: &World,
    escalate_after: Duration,
    change: impl FnOnce(SupervisedBreaker) -> SupervisedBreaker,
) -> Running {
    let breaker = breaker(world, "payments");
    run_breaker(world, &breaker, escalate_after, change)
}

/// The same, of a breaker that there is.
pub fn run_breaker(
    world: &World,
    breaker: &Breaker,
    escalate_after: Duration,
    change: impl FnOnce(SupervisedBreaker) -> SupervisedBreaker,
) -> Running {
    let staging = StagingControl::new(staging(escalate_after));
    let watch = change(SupervisedBreaker::new(breaker.clone()).staging(staging.clone()));
    let (supervisor, dispatcher, stop) = supervise(world.clock(), [watch], 1);
    let (stats, report) = (dispatcher.stats(), Rc::new(Cell::new(None)));
    let place = report.clone();
    world.spawn(supervisor.run());
    world.spawn(async move { place.set(Some(dispatcher.run().await)) });
    world.run_until_idle();
    Running { breaker: breaker.clone(), staging, stats, stop, report }
}

impl Running {
    /// An incident begins.
    pub fn trip(&self, world: &World) {
        self.breaker.simulate_latency();
        world.run_until_idle();
    }

    /// The incident ends.
    pub fn reset(&self, world: &World) {
        self.breaker.reset();
        world.run_until_idle();
    }

    /// Alerts that wait, in all lanes.
    pub fn waiting(&self) -> u64 {
        self.stats.deliveries().iter().map(|count| count.waiting).sum()
    }

    /// Sent, retried, failed, waiting of one stage of the circuit's alerts at one sink.
    pub fn count(&self, sink: &str, stage: &str) -> (u64, u64, u64, u64) {
        let is_it = |count: &&DeliveryCount| {
            (count.sink.as_str(), count.kind.as_str(), count.stage) == (sink, "circuit-open", stage)
        };
        let counts = self.stats.deliveries();
        let count = counts.iter().find(is_it).unwrap();
        (count.sent, count.retried, count.failed, count.waiting)
    }
}

/// Incident and stage of each.
pub fn stages(alerts: &[Alert]) -> Vec<(u64, Stage)> {
    alerts.iter().map(|alert| (alert.incident, alert.stage)).collect()
}
