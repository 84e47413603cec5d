//! Stops supervisor, dispatcher and fleet.

use std::time::Duration;

use event_listener::{Event as Notification, EventListener};

use crate::clock::Clock;
use crate::sync::{Arc, AtomicBool, AtomicU64, Ordering};

/// Stops a supervisor, its dispatcher, and the [`FleetRunner`](crate::FleetRunner) that got a clone. All clones do the same.
#[derive(Debug, Clone, Default)]
pub struct ShutdownHandle {
    inner: Arc<StopInner>,
}

#[derive(Debug, Default)]
struct StopInner {
    set: AtomicBool,
    drain_millis: AtomicU64,
    notify: Notification,
}

impl ShutdownHandle {
    /// Stops the supervisor now; the dispatcher delivers the pending alerts, and a fleet's runner the stages that it has claimed, for at
    /// most `drain`. A second call does not change the time.
    pub fn stop(&self, drain: Duration) {
        let millis = u64::try_from(drain.as_millis()).unwrap_or(u64::MAX);
        // Relaxed: published by the Release store below.
        self.inner.drain_millis.store(millis, Ordering::Relaxed);
        // Release pairs with the Acquire load in `is_set`.
        self.inner.set.store(true, Ordering::Release);
        self.inner.notify.notify(usize::MAX);
    }

    pub(crate) fn is_set(&self) -> bool {
        // Acquire pairs with the Release store in `stop`: a thread that sees it sees the time to drain too.
        self.inner.set.load(Ordering::Acquire)
    }

    pub(crate) fn listen(&self) -> EventListener {
        self.inner.notify.listen()
    }

    /// Ends once it is stopped and the time to drain has passed since.
    pub(crate) async fn drain_is_over(&self, clock: &dyn Clock) {
        loop {
            let stopped = self.listen();
            if self.is_set() {
                break;
            }
            stopped.await;
        }
        clock.sleep_until(clock.now() + self.drain()).await;
    }

    pub(crate) fn drain(&self) -> Duration {
        // Relaxed: read after `is_set` has acquired it.
        Duration::from_millis(self.inner.drain_millis.load(Ordering::Relaxed))
    }
}
