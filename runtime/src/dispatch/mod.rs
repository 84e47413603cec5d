//! Delivers alerts, with one lane per breaker, sink and kind of alert: in order, with retries, independent of each
//! other. Saves the state that a restart needs before an alert is sent.

pub(crate) mod durable;
pub(crate) mod retry_backoff;

mod closed_alone;
mod counters;
mod family_store;
mod fleet_outbox;
mod intake;
mod jobs;
mod lane;
mod mailbox;
mod open_alerts;
mod outbox;
mod pagers;
mod persister;
mod queue;
mod stats;

use std::time::Duration;

use futures_lite::future;

pub(crate) use self::family_store::FamilyStore;
pub(crate) use self::fleet_outbox::{Bundle, FleetOutbox};
pub(crate) use self::intake::Intake;
pub(crate) use self::outbox::Outbox;
pub use self::stats::{DeliveryCount, DeliveryStats, SinkRejection, StoreCount};

use self::jobs::Jobs;
use crate::clock::Clock;
use crate::supervisor::shutdown::ShutdownHandle;
use crate::sync::Arc;

/// Delivers alerts; a future for any executor.
///
/// - Each breaker, sink and kind of alert has its own lane. Lanes do not wait for each other; a lane keeps its order.
/// - Per incident only the newest alert waits: a later stage replaces an earlier one. An incident that ends before any
///   of its alerts was sent sends nothing, and every alert that was sent is closed. The queue therefore stays short,
///   however long a sink is down.
/// - A failed attempt is repeated after a wait, drawn at random from zero up to a ceiling that doubles up to a minute,
///   but not before the time that the receiver requests (at most 10 minutes).
/// - An alert that the receiver rejects ([`Rejected`](crate::DeliveryError::Rejected)) is repeated at a slow rate,
///   first after 5 seconds and then less often, up to every 5 minutes, until its incident ends. Its close is repeated
///   for a day, for 10 minutes if no response ever confirmed that the alert was opened, or for 2 minutes while the next
///   incident waits.
/// - If a breaker has a [`StateStore`](crate::StateStore), an attempt waits until a state is saved that records the alert as possibly
///   delivered. It waits for at most 5 seconds, and is made even if saving fails.
#[derive(Debug)]
#[must_use = "a dispatcher does nothing until `run`"]
pub struct Dispatcher {
    clock: Arc<dyn Clock>,
    stop: ShutdownHandle,
    intake: Arc<Intake>,
}

/// The alerts that were still pending at the end of the drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DrainReport {
    /// Alerts that were not delivered.
    pub undelivered: usize,
}

/// Maximum duration of the last save, after everything else has ended.
const LAST_SAVE: Duration = Duration::from_secs(5);

impl Dispatcher {
    pub(crate) fn new(clock: Arc<dyn Clock>, stop: ShutdownHandle, seed: u64) -> Self {
        let intake = Arc::new(Intake::new(clock.clone(), seed));
        Self { clock, stop, intake }
    }

    /// Returns the intake, which creates the lanes of breakers, also while the dispatcher runs.
    pub(crate) fn intake(&self) -> &Arc<Intake> {
        &self.intake
    }

    /// Returns the counters of this dispatcher.
    pub fn stats(&self) -> DeliveryStats {
        DeliveryStats::new(self.intake.clone())
    }

    /// Delivers until it is stopped and every alert is delivered, or until the drain time is over. Returns the
    /// remaining alerts. If there is a store, they are saved once more.
    pub async fn run(self) -> DrainReport {
        let intake = &self.intake;
        let delivered = future::or(intake.deliveries.run(), self.stop.drain_is_over(&*self.clock));
        // The lanes are polled first, so that one save covers an alert and its possible delivery. Saving never ends.
        future::or(delivered, intake.saves.run()).await;
        let last = Jobs::default();
        for persister in intake.persisters() {
            last.push(Box::pin(persister.save_for_the_last_time()));
        }
        last.close();
        future::or(last.run(), self.clock.sleep_until(self.clock.now() + LAST_SAVE)).await;
        let mailboxes = intake.mailboxes();
        for mailbox in &mailboxes {
            mailbox.log_open();
        }
        DrainReport { undelivered: mailboxes.iter().map(|mailbox| mailbox.undelivered()).sum() }
    }
}
