//! How alerts leave: one lane per breaker and sink, in order, with retries, and never in the way of anybody else.

use std::collections::VecDeque;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use event_listener::Event as Notification;
use futures_lite::{FutureExt as _, future};

use tripline_core::Stage;

use crate::alert::{Alert, AlertSink, DeliveryError};
use crate::backoff::Backoff;
use crate::clock::Clock;
use crate::stop::Stop;
use crate::sync::{Arc, Mutex, lock};

/// Alerts that may wait in one lane. An incident has a few, so this many mean that the sink has been dead for long.
const LANE_CAPACITY: usize = 64;

/// Delivers alerts, as a future for any executor.
#[derive(Debug)]
#[must_use = "a dispatcher does nothing until `run`"]
pub struct Dispatcher {
    clock: Arc<dyn Clock>,
    stop: Stop,
    seed: u64,
    lanes: Vec<Lane>,
}

/// What was still waiting when the time to drain was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainReport {
    /// Alerts that were not delivered.
    pub undelivered: usize,
}

/// One sink's queue of one breaker.
#[derive(Debug, Clone)]
struct Lane {
    sink: Arc<dyn AlertSink>,
    queue: Arc<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Notification,
}

#[derive(Debug, Default)]
struct Waiting {
    alerts: VecDeque<Alert>,
    closed: bool,
}

/// The supervisor's end of a breaker's lanes. Sending never waits.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    lanes: Vec<Lane>,
}

impl Outbox {
    pub(crate) fn send(&self, alert: &Alert) {
        for lane in &self.lanes {
            lane.push(alert.clone());
        }
    }

    /// Nothing more will come.
    pub(crate) fn close(&self) {
        for lane in &self.lanes {
            lock(&lane.queue.waiting).closed = true;
            lane.queue.changed.notify(usize::MAX);
        }
    }
}

impl Drop for Outbox {
    /// A supervisor that is dropped sends nothing more either.
    fn drop(&mut self) {
        self.close();
    }
}

impl Dispatcher {
    pub(crate) fn new(clock: Arc<dyn Clock>, stop: Stop, seed: u64) -> Self {
        Self { clock, stop, seed, lanes: Vec::new() }
    }

    pub(crate) fn outbox(&mut self, sinks: &[Arc<dyn AlertSink>]) -> Outbox {
        let lanes: Vec<Lane> = sinks.iter().map(|sink| Lane { sink: sink.clone(), queue: Arc::default() }).collect();
        self.lanes.extend(lanes.iter().cloned());
        Outbox { lanes }
    }

    /// Delivers until it is told to stop and everything is delivered, or the time to drain is over; tells what is left.
    pub async fn run(self) -> DrainReport {
        let work = self.lanes.iter().enumerate().map(|(index, lane)| {
            let backoff = Backoff::new(self.seed.wrapping_add(index as u64));
            Box::pin(lane.clone().run(self.clock.clone(), backoff)) as Job
        });
        future::or(all(work.collect()), self.time_to_drain_is_over()).await;
        DrainReport { undelivered: self.lanes.iter().map(Lane::len).sum() }
    }

    async fn time_to_drain_is_over(&self) {
        loop {
            let stopped = self.stop.listen();
            if self.stop.is_set() {
                break;
            }
            stopped.await;
        }
        self.clock.sleep_until(self.clock.now() + self.stop.drain()).await;
    }
}

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs all of them at once, until the last is done. There are few, so each wake looks at all.
async fn all(mut jobs: Vec<Job>) {
    future::poll_fn(|context| {
        jobs.retain_mut(|job| job.as_mut().poll(context).is_pending());
        if jobs.is_empty() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
}

impl Lane {
    fn push(&self, alert: Alert) {
        let mut waiting = lock(&self.queue.waiting);
        if waiting.alerts.len() >= LANE_CAPACITY {
            waiting.make_room();
            tracing::warn!(
                breaker = alert.breaker.as_str(),
                sink = self.sink.name(),
                "too many alerts wait; an older one is given up"
            );
        }
        waiting.alerts.push_back(alert);
        drop(waiting);
        self.queue.changed.notify(usize::MAX);
    }

    fn len(&self) -> usize {
        lock(&self.queue.waiting).alerts.len()
    }

    async fn run(self, clock: Arc<dyn Clock>, mut backoff: Backoff) {
        while let Some(alert) = self.first().await {
            let (breaker, sink, stage) = (alert.breaker.as_str(), self.sink.name(), alert.stage.as_str());
            // A sink that panics must not take the others with it.
            let delivered = AssertUnwindSafe(self.sink.deliver(&alert)).catch_unwind().await;
            match delivered.unwrap_or_else(|_| Err(DeliveryError::Permanent { reason: "the sink panicked".to_owned() }))
            {
                Ok(()) => self.done_with(&alert),
                Err(DeliveryError::Permanent { reason }) => {
                    tracing::error!(breaker, sink, stage, reason, "alert cannot be delivered");
                    self.done_with(&alert);
                }
                Err(DeliveryError::Pending { after }) => {
                    clock.sleep_until(clock.now() + after).await;
                    continue;
                }
                Err(DeliveryError::Retryable { after, reason }) => {
                    let wait = backoff.next().max(after.unwrap_or(Duration::ZERO));
                    tracing::warn!(breaker, sink, stage, reason, ?wait, "alert not delivered, will be tried again");
                    clock.sleep_until(clock.now() + wait).await;
                    continue;
                }
            }
            backoff.reset();
        }
    }

    /// The alert at the head, which stays there until it is delivered; `None` when nothing more will come.
    async fn first(&self) -> Option<Alert> {
        loop {
            let changed = self.queue.changed.listen();
            {
                let waiting = lock(&self.queue.waiting);
                if let Some(alert) = waiting.alerts.front() {
                    return Some(alert.clone());
                }
                if waiting.closed {
                    return None;
                }
            }
            changed.await;
        }
    }

    fn done_with(&self, alert: &Alert) {
        let mut waiting = lock(&self.queue.waiting);
        // It may have been given up meanwhile.
        if waiting.alerts.front() == Some(alert) {
            waiting.alerts.pop_front();
        }
    }
}

impl Waiting {
    /// Gives up the oldest alert that is not a resolution; if all are, the second: the first one's beginning was delivered.
    fn make_room(&mut self) {
        let victim = self.alerts.iter().position(|alert| !matches!(alert.stage, Stage::Resolved(_)));
        let _ = self.alerts.remove(victim.unwrap_or(1));
    }
}
