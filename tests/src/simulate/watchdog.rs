//! Stops a run in which the process loops without waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use async_trait::async_trait;
use tripline_core::Instant;
use tripline_runtime::Clock;

/// A clock that is read more often than this at one instant belongs to a loop that does not end. A process that works reads it a few
/// hundred times.
const MAX_READINGS: u64 = 100_000;

/// The clock of the process. It panics, which ends the run, in a loop that waits for nothing.
#[derive(Debug)]
pub(super) struct WatchedClock {
    inner: Arc<dyn Clock>,
    at: AtomicU64,
    readings: AtomicU64,
}

impl WatchedClock {
    pub(super) fn new(inner: Arc<dyn Clock>) -> Self {
        Self { inner, at: AtomicU64::new(0), readings: AtomicU64::new(0) }
    }
}

#[async_trait]
impl Clock for WatchedClock {
    #[allow(clippy::panic, reason = "the one way out of a loop in the code under test; the driver catches it")]
    fn now(&self) -> Instant {
        let now = self.inner.now();
        // Relaxed, here and below: a run has one thread.
        if self.at.swap(now.as_nanos(), Ordering::Relaxed) != now.as_nanos() {
            self.readings.store(0, Ordering::Relaxed);
        }
        let readings = self.readings.fetch_add(1, Ordering::Relaxed);
        assert!(readings < MAX_READINGS, "it spins: the clock was read {MAX_READINGS} times and time does not pass");
        now
    }

    fn system_time(&self) -> SystemTime {
        self.inner.system_time()
    }

    async fn sleep_until(&self, deadline: Instant) {
        self.inner.sleep_until(deadline).await;
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use tripline_runtime::ManualClock;

    use super::*;

    #[test]
    fn a_loop_without_time_ends() {
        let manual = Arc::new(ManualClock::default());
        let clock = WatchedClock::new(manual.clone());
        for _ in 0..3 {
            for _ in 0..MAX_READINGS {
                clock.now();
            }
            manual.advance(std::time::Duration::from_nanos(1));
        }
        assert!(
            catch_unwind(AssertUnwindSafe(|| loop {
                clock.now();
            }))
            .is_err()
        );
    }
}
