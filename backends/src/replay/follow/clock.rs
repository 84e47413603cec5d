//! The clock of followed breakers: virtual during the history, the system's after it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_runtime::Clock;
use tripline_runtime::core::Instant;

use crate::replay::clock::ReplayClock;

/// How long a task sleeps at most that should not run before the clock does.
const NOT_LIVE: Duration = Duration::from_millis(10);

/// A clock that is set manually until [`FollowClock::go_live`], and runs by itself afterwards.
#[derive(Debug)]
pub(crate) struct FollowClock {
    system: Arc<dyn Clock>,
    shown: AtomicU64,
    live: OnceLock<Live>,
}

/// Where the clock began to go by itself.
#[derive(Debug)]
struct Live {
    /// On the system's clock.
    began: Instant,
    /// On this one.
    shown: Instant,
}

impl FollowClock {
    /// A clock that runs with `system`.
    pub(crate) fn new(system: Arc<dyn Clock>) -> Self {
        Self { system, shown: AtomicU64::new(0), live: OnceLock::new() }
    }

    /// Jumps by `gap`, and runs by itself afterwards. Has no effect the second time.
    pub(super) fn go_live(&self, gap: Duration) {
        // Relaxed: the thread that set it calls this.
        let shown = Instant::from_nanos(self.shown.load(Ordering::Relaxed)) + gap;
        self.live.get_or_init(|| Live { began: self.system.now(), shown });
    }
}

impl ReplayClock for FollowClock {
    /// Has no effect on a clock that goes by itself.
    fn set(&self, now: Instant) {
        // Relaxed, here and below: one thread sets and reads it until the clock goes by itself.
        self.shown.store(now.as_nanos(), Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for FollowClock {
    fn now(&self) -> Instant {
        match self.live.get() {
            Some(live) => live.shown + self.system.now().since(live.began),
            None => Instant::from_nanos(self.shown.load(Ordering::Relaxed)),
        }
    }

    fn system_time(&self) -> SystemTime {
        self.system.system_time()
    }

    async fn sleep_until(&self, deadline: Instant) {
        let deadline = match self.live.get() {
            Some(live) => live.began + deadline.since(live.shown),
            None => self.system.now() + NOT_LIVE,
        };
        self.system.sleep_until(deadline).await;
    }
}

#[cfg(test)]
mod tests {
    use tripline_runtime::test_util::ManualClock;

    use super::*;

    #[test]
    fn it_shows_what_was_set_and_goes_on_from_there() {
        let system = Arc::new(ManualClock::default());
        system.advance(Duration::from_secs(7));
        let clock = FollowClock::new(system.clone());
        clock.set(Instant::from_millis(5_000));
        system.advance(Duration::from_secs(1));
        assert_eq!(clock.now(), Instant::from_millis(5_000));
        clock.go_live(Duration::from_secs(2));
        assert_eq!(clock.now(), Instant::from_millis(7_000));
        system.advance(Duration::from_secs(3));
        clock.set(Instant::ZERO);
        assert_eq!(clock.now(), Instant::from_millis(10_000));
    }
}
