//! Delivers the alerts of one breaker and kind to one sink, one at a time, until each is settled.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use futures_lite::{FutureExt as _, future};
use tripline_core::{AlertKind, Instant};

use crate::clock::Clock;
use crate::dispatch::mailbox::{Mailbox, Rejection};
use crate::dispatch::queue::Attempt;
use crate::dispatch::retry_backoff::Backoff;
use crate::incidents::alert::{Alert, AlertSink, DeliveryError, DeliveryStatus};
use crate::sync::Arc;
use tripline_core::planted::planted;

/// Upper limit of a wait that the receiver requests: one bad header must not delay a resolution for days.
const MAX_WAIT: Duration = Duration::from_secs(600);
/// Minimum interval between queries whether an alert was confirmed.
const MIN_PENDING: Duration = Duration::from_millis(10);
/// How long an alert that was accepted but not confirmed delays a newer one. Sent too early, the newer one might
/// overtake it at the receiver.
const PENDING_TIMEOUT: Duration = Duration::from_secs(60);
/// How long an attempt waits for the store: a store that hangs must not delay pages.
const STORE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a rejected close is repeated if a response once confirmed that the alert was opened.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(86_400);
/// The same if no response confirmed it.
const UNCONFIRMED_CLOSE_TIMEOUT: Duration = Duration::from_secs(600);
/// The same while the next incident waits behind it.
const BLOCKING_CLOSE_TIMEOUT: Duration = Duration::from_secs(120);

/// One lane, with its index in the mailbox.
#[derive(Debug)]
pub(super) struct Lane {
    index: usize,
    kind: AlertKind,
    /// The sink's name in counters. It is stored, because the sink may panic.
    label: String,
    sink: Arc<dyn AlertSink>,
    mailbox: Arc<Mailbox>,
    clock: Arc<dyn Clock>,
}

/// The state of the attempts, on which the next attempt depends.
#[derive(Debug)]
struct Progress {
    backoff: Backoff,
    not_before: Instant,
    /// The attempt that the receiver accepted but has not confirmed, and since when.
    pending: Option<(Attempt, Instant)>,
    /// Whether the last attempt failed.
    in_trouble: bool,
    /// The incident whose close is rejected, and since when.
    close_rejected: Option<(u64, Instant)>,
}

impl Lane {
    /// Returns the lanes of a mailbox, in its order.
    pub(super) fn all(mailbox: &Arc<Mailbox>, sinks: &[Arc<dyn AlertSink>], clock: &Arc<dyn Clock>) -> Vec<Self> {
        let places = sinks.iter().flat_map(|sink| AlertKind::ALL.map(|kind| (sink, kind)));
        let lane = |(index, (sink, kind)): (usize, (&Arc<dyn AlertSink>, AlertKind))| Self {
            index,
            kind,
            label: mailbox.label(index),
            sink: sink.clone(),
            mailbox: mailbox.clone(),
            clock: clock.clone(),
        };
        places.enumerate().map(lane).collect()
    }

    /// Delivers until nothing waits and the mailbox is closed.
    pub(super) async fn run(self, seed: u64) {
        let backoff = Backoff::new(seed);
        let mut progress =
            Progress { backoff, not_before: Instant::ZERO, pending: None, in_trouble: false, close_rejected: None };
        while let Some(mut attempt) = self.next(&mut progress).await {
            if attempt.alert.alias.is_none()
                && let Ok(Some(alias)) = catch_unwind(AssertUnwindSafe(|| self.sink.alias(&attempt.alert)))
            {
                self.mailbox.name(self.index, &mut attempt, alias);
            }
            if attempt.is_close_alone() {
                self.mailbox.begin_close_alone(self.index, &mut attempt);
            }
            if !planted("dispatch: alerts go out before they are written down") {
                self.saved(attempt.revision).await;
            }
            // A sink that panics must not stop the others. The call itself is inside the guard too: it may panic before
            // it returns its future.
            let delivered = AssertUnwindSafe(async { self.sink.deliver(&attempt.alert).await }).catch_unwind().await;
            let panicked = |_| Err(DeliveryError::Rejected { status: None, reason: "the sink panicked".to_owned() });
            if attempt.is_close_alone() {
                self.mailbox.end_close_alone(self.index, self.clock.now());
            }
            match delivered.unwrap_or_else(panicked) {
                Ok(()) => {
                    if planted("dispatch: an alert is delivered twice") {
                        let _ = self.sink.deliver(&attempt.alert).await;
                    }
                    self.arrived(&attempt, &mut progress);
                }
                Err(DeliveryError::Rejected { status, reason }) => {
                    self.rejected(&attempt, status, &reason, &mut progress);
                }
                Err(DeliveryError::Pending { after }) => {
                    let now = self.clock.now();
                    progress.not_before = now + after.clamp(MIN_PENDING, MAX_WAIT);
                    progress.pending.get_or_insert((attempt, now));
                }
                Err(DeliveryError::Retryable { .. }) if planted("dispatch: an alert that fails is given up") => {
                    self.arrived(&attempt, &mut progress);
                }
                Err(DeliveryError::Retryable { after, reason }) => {
                    self.try_again(&attempt.alert, after, &reason, &mut progress);
                }
            }
        }
    }

    /// Waits until an attempt is due, and takes the newest alert of the oldest incident. Returns `None` when nothing
    /// waits and the mailbox is closed. A wait belongs to the lane, not to an alert: a newer alert does not end it.
    async fn next(&self, progress: &mut Progress) -> Option<Attempt> {
        loop {
            let changed = self.mailbox.listen();
            let now = self.clock.now();
            let is_due = now >= progress.not_before;
            if is_due
                && let Some(attempt) = self.still_pending(progress, now).or_else(|| self.mailbox.begin(self.index))
            {
                return Some(attempt);
            }
            let (is_waiting, closed) = self.mailbox.waits(self.index);
            if !is_waiting && closed {
                return None;
            }
            if is_waiting && !is_due {
                future::or(changed, self.clock.sleep_until(progress.not_before)).await;
            } else if !is_waiting {
                changed.await;
            }
        }
    }

    /// Returns the accepted alert to query again, unless a newer one has waited long enough.
    fn still_pending(&self, progress: &mut Progress, now: Instant) -> Option<Attempt> {
        let (attempt, since) = progress.pending.as_ref()?;
        let is_newest = self.mailbox.with(self.index, |lane| lane.queue.is_newest(attempt)).unwrap_or(false);
        if !is_newest && now >= *since + PENDING_TIMEOUT {
            progress.pending = None;
            return None;
        }
        Some(attempt.clone())
    }

    /// Waits until the stored state records that this alert may have arrived, or until storing it has failed.
    async fn saved(&self, revision: u64) {
        let deadline = self.clock.now() + STORE_TIMEOUT;
        loop {
            let changed = self.mailbox.listen();
            if self.mailbox.is_settled(revision) {
                return;
            }
            if self.clock.now() >= deadline {
                self.mailbox.not_saved("it takes too long");
                return;
            }
            future::or(changed, self.clock.sleep_until(deadline)).await;
        }
    }

    fn arrived(&self, attempt: &Attempt, progress: &mut Progress) {
        self.mailbox.change(self.index, |lane| {
            lane.queue.settle(attempt, true);
            lane.counters.of(attempt.alert.stage).sent += 1;
            lane.rejection = None;
        });
        if progress.in_trouble {
            let (breaker, sink) = (self.mailbox.breaker.as_str(), self.label.as_str());
            tracing::info!(breaker, sink, kind = self.kind.as_str(), "alerts are delivered again");
        }
        progress.settled();
    }

    /// Records the rejection and tries again at a slow rate; gives up a close that is rejected for too long.
    fn rejected(&self, attempt: &Attempt, status: Option<u16>, reason: &str, progress: &mut Progress) {
        let (alert, now) = (&attempt.alert, self.clock.now());
        let has_newer = self.mailbox.with(self.index, |lane| {
            let counters = lane.counters.of(alert.stage);
            (counters.rejected, counters.retried) = (counters.rejected + 1, counters.retried + 1);
            lane.rejection = Some(Rejection { status, reason: reason.to_owned() });
            lane.queue.has_newer()
        });
        if alert.stage.is_end() {
            let incident = alert.incident;
            let since = match progress.close_rejected {
                Some((of, since)) if of == incident => since,
                _ => progress.close_rejected.insert((incident, now)).1,
            };
            let was_opened = [alert.earlier.created, alert.earlier.escalated].contains(&DeliveryStatus::Confirmed);
            let timeout = match has_newer {
                Some(true) => BLOCKING_CLOSE_TIMEOUT,
                _ if was_opened => CLOSE_TIMEOUT,
                _ => UNCONFIRMED_CLOSE_TIMEOUT,
            };
            if now >= since + timeout {
                self.give_up(attempt, reason, progress);
                return;
            }
        }
        let wait = progress.backoff.next_slow();
        progress.not_before = now + wait;
        progress.pending = None;
        progress.in_trouble = true;
        tracing::error!(
            breaker = self.mailbox.breaker.as_str(),
            key = self.mailbox.key.as_deref(),
            sink = self.label.as_str(),
            kind = self.kind.as_str(),
            incident = alert.incident,
            stage = alert.stage.as_str(),
            status,
            reason,
            ?wait,
            "pager rejects the alert, so it pages no one; it is tried again until the incident ends"
        );
    }

    fn give_up(&self, attempt: &Attempt, reason: &str, progress: &mut Progress) {
        self.mailbox.change(self.index, |lane| {
            lane.queue.settle(attempt, false);
            lane.counters.of(attempt.alert.stage).failed += 1;
            lane.rejection = None;
        });
        let (breaker, sink, alert) = (self.mailbox.breaker.as_str(), self.label.as_str(), &attempt.alert);
        tracing::error!(
            breaker,
            key = self.mailbox.key.as_deref(),
            sink,
            kind = self.kind.as_str(),
            incident = alert.incident,
            stage = alert.stage.as_str(),
            reason,
            "alert cannot be delivered; it is given up"
        );
        progress.settled();
    }

    fn try_again(&self, alert: &Alert, after: Option<Duration>, reason: &str, progress: &mut Progress) {
        self.mailbox.with(self.index, |lane| {
            lane.counters.of(alert.stage).retried += 1;
            lane.rejection = None;
        });
        let wait = progress.backoff.next().max(after.unwrap_or(Duration::ZERO).min(MAX_WAIT));
        progress.not_before = self.clock.now() + wait;
        let (breaker, sink, kind) = (self.mailbox.breaker.as_str(), self.label.as_str(), self.kind.as_str());
        let (incident, stage) = (alert.incident, alert.stage.as_str());
        // A service that is down for an hour is one problem, not hundreds.
        if std::mem::replace(&mut progress.in_trouble, true) {
            tracing::debug!(breaker, sink, kind, incident, stage, reason, ?wait, "alert not delivered again");
        } else {
            tracing::warn!(
                breaker,
                key = self.mailbox.key.as_deref(),
                sink,
                kind,
                incident,
                stage,
                reason,
                ?wait,
                "alert not delivered, will be tried until it is"
            );
        }
    }
}

impl Progress {
    fn settled(&mut self) {
        self.backoff.reset();
        self.not_before = Instant::ZERO;
        self.pending = None;
        self.in_trouble = false;
        self.close_rejected = None;
    }
}
