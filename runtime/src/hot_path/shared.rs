//! State that is readable without owning the core, and its publication by the owner.

use event_listener::EventListener;
use tripline_core::{Generation, Instant, Latency, Outcome, Rejection as CoreRejection};

use crate::breaker::size::BreakerSize;
use crate::hot_path::call_token::CallToken;
use crate::hot_path::gate::{Gate, JUMP};
use crate::hot_path::handoff::{Apply, OwnerGuard, Record};
use crate::hot_path::in_flight::InFlightEpochs;
use crate::hot_path::owned::{Ending, ExclusiveState, Report};
use crate::hot_path::stall_detector::Now;
use crate::hot_path::stripe_claims::StripeCount;
use crate::hot_path::stripes::{Flushed, GoodCall, Stripes};
use crate::sync::Ordering;

/// State that is readable without owning the core.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) gate: Gate,
    pub(crate) epochs: InFlightEpochs,
}

/// The owner of a breaker's core.
pub(crate) type CoreOwner<'a> = OwnerGuard<'a, ExclusiveState, Shared>;

/// The slow path of a finished call.
#[inline(never)]
pub(crate) fn finish_slow_path(
    owner: CoreOwner<'_>,
    token: CallToken,
    end: Instant,
    latency: Latency,
    outcome: Outcome,
) {
    handle_report(owner, Report { token, end, ending: Ending::Finished(outcome, latency) });
}

/// Flushes the stripes, then handles the report.
pub(crate) fn handle_report(mut owner: CoreOwner<'_>, report: Report) {
    let shared = owner.applier();
    owner.value(|exclusive| {
        shared.flush(exclusive);
        exclusive.record(report, &shared.epochs);
        shared.publish(exclusive);
    });
    drop(owner);
    shared.notify_if_changed();
}

impl Apply<ExclusiveState> for Shared {
    fn apply(&self, exclusive: &mut ExclusiveState, record: Record) {
        self.flush(exclusive);
        let report = exclusive.unpack(record);
        exclusive.handle(report, &self.epochs);
        self.publish(exclusive);
    }

    fn released(&self) {
        self.notify_if_changed();
    }
}

impl Shared {
    /// What each stripe takes beside the breaker itself.
    #[cfg(all(test, not(tripline_loom)))]
    pub(crate) const STRIPE_BYTES: usize = Stripes::STRIPE_BYTES + InFlightEpochs::STRIPE_BYTES;

    pub(crate) fn new(gate: Gate, size: BreakerSize, stripes: StripeCount) -> Self {
        let is_small = size == BreakerSize::COMPACT;
        let epochs = if is_small { InFlightEpochs::small } else { InFlightEpochs::new };
        Self { gate, epochs: epochs(stripes) }
    }

    /// Handles the good calls that wait, in the order in which they ended. First of all for each owner of the core, which
    /// publishes afterwards.
    #[inline]
    pub(crate) fn flush(&self, exclusive: &mut ExclusiveState) {
        if let Some(stripes) = self.gate.stripes().filter(|stripes| stripes.any_waits()) {
            self.flush_waiting(stripes, exclusive);
        }
    }

    #[inline(never)] // keeps the look at empty stripes small
    fn flush_waiting(&self, stripes: &Stripes, exclusive: &mut ExclusiveState) {
        let current = exclusive.core.generation();
        stripes.flush(current, |run| {
            loop {
                exclusive.finish_fast_run(run);
                match run.next() {
                    Some(Flushed::Call(GoodCall { token, end, latency })) => {
                        let ending = Ending::Finished(Outcome::Ok, latency);
                        exclusive.record(Report { token, end, ending }, &self.epochs);
                    }
                    Some(Flushed::Superseded(calls)) => exclusive.count_superseded(calls, &self.epochs),
                    None => return,
                }
            }
        });
    }

    /// Whether the clock that shows `now` was set back, or this reading is old.
    pub(crate) fn is_far_behind(&self, exclusive: &ExclusiveState, now: Instant) -> bool {
        let latest = exclusive.core.latest_reading();
        latest.since(now) >= JUMP || self.gate.rejected_later_than(now).is_some()
    }

    /// Asks the core for an admission.
    pub(crate) fn admit(&self, exclusive: &mut ExclusiveState, now: Instant) -> Result<Generation, CoreRejection> {
        if let Some(latest) = self.gate.rejected_later_than(now)
            && latest > exclusive.core.latest_reading()
        {
            // The clock was set back. The core has not processed its latest reading yet.
            exclusive.core.handle_timeout(latest);
        }
        exclusive.count_stalled(Now::Clock(now), &self.epochs);
        let answer = exclusive.core.try_admit(now);
        self.publish(exclusive);
        answer
    }

    /// Begins an epoch for a call that starts `now`, because the last one is long enough or the clock was set back.
    pub(crate) fn begin_epoch(&self, exclusive: &mut ExclusiveState, now: Instant) {
        if self.epochs.is_set_back(now) {
            exclusive.core.handle_timeout(now);
        }
        let _ = exclusive.look(Now::Clock(now), &self.epochs);
        self.publish(exclusive);
    }

    /// Publishes changes, if there are any, and until when good calls may wait. Called before the core is released.
    #[inline]
    pub(crate) fn publish(&self, exclusive: &mut ExclusiveState) {
        if exclusive.is_dirty() {
            self.publish_changes(exclusive);
        } else {
            self.publish_waiting(exclusive);
        }
    }

    /// Publishes until when good calls may wait, if that has changed.
    #[inline]
    fn publish_waiting(&self, exclusive: &ExclusiveState) {
        if let Some(stripes) = self.gate.stripes() {
            stripes.publish(exclusive.waiting_rule());
        }
    }

    #[cold]
    fn publish_changes(&self, exclusive: &mut ExclusiveState) {
        exclusive.mark_published();
        // The new epoch begins first, so that calls of the new generation are not counted among those of the one
        // before.
        let now = exclusive.core.latest_reading();
        let _ = exclusive.look(Now::EndOfCall(now), &self.epochs);
        // Before the word: a thread that sees the new generation sees whether its good calls may wait.
        self.publish_waiting(exclusive);
        self.gate.publish(&exclusive.core);
        // Release pairs with the Acquire swap in `notify_if_changed`.
        self.gate.is_dirty().store(true, Ordering::Release);
    }

    /// Notifies listeners of a change, if there was one. Called after the core is released: a waker is foreign code,
    /// which may read the breaker.
    #[inline]
    pub(crate) fn notify_if_changed(&self) {
        // Relaxed: the thread that published checks itself, here or in `released`.
        if self.gate.is_dirty().load(Ordering::Relaxed) {
            self.notify_changed();
        }
    }

    #[cold]
    fn notify_changed(&self) {
        // Acquire pairs with the Release store in `publish_changes`.
        if self.gate.is_dirty().swap(false, Ordering::Acquire) {
            self.wake();
        }
    }

    pub(crate) fn wake(&self) {
        self.gate.changes.notification.notify(usize::MAX);
        self.gate.changes.watchers.call();
    }

    pub(crate) fn listen(&self) -> EventListener {
        self.gate.changes.notification.listen()
    }
}
