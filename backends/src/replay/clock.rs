//! The clocks of a replay, which show what they were set to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_runtime::Clock;
use tripline_runtime::core::Instant;

/// A clock that a driver sets.
pub(super) trait ReplayClock: Clock {
    /// Shows this instant from now on.
    fn set(&self, now: Instant);
}

/// Virtual time, moved by the driver alone.
#[derive(Debug, Default)]
pub(super) struct VirtualClock {
    nanos: AtomicU64,
}

impl ReplayClock for VirtualClock {
    fn set(&self, now: Instant) {
        // Relaxed, here and below: a replay runs on one thread.
        self.nanos.store(now.as_nanos(), Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_nanos(self.nanos.load(Ordering::Relaxed))
    }

    /// Returns at once: no thread sleeps in a replay, the driver moves the clock.
    async fn sleep_until(&self, _deadline: Instant) {}
}
