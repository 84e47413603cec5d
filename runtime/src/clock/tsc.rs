//! The processor's time stamp counter as a clock.

use std::time::SystemTime;

use async_trait::async_trait;
use tripline_core::Instant;

use crate::clock::Clock;

/// A clock that reads the processor's time stamp counter, where that runs at a constant rate and in step on all cores; else it
/// reads the system's clock. A reading costs about 10 ns, a third of [`SystemClock`](crate::SystemClock)'s, and a timed call
/// makes two.
///
/// Making it calibrates the counter, which takes some milliseconds once in a process. It runs at the rate found then, so
/// over days it may drift from the system's clock by some parts in a million; latencies and waits do not notice.
#[derive(Debug, Clone)]
pub struct TscClock {
    counter: quanta::Clock,
    start: u64,
}

impl TscClock {
    /// A clock that starts now.
    pub fn new() -> Self {
        let counter = quanta::Clock::new();
        let start = counter.raw();
        Self { counter, start }
    }
}

impl Default for TscClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for TscClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.counter.delta_as_nanos(self.start, self.counter.raw()))
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn sleep_until(&self, deadline: Instant) {
        // The timer runs on the system's clock; the difference over one sleep is made up by sleeping again.
        while self.now() < deadline {
            smol::Timer::after(deadline.since(self.now())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_goes_on_and_sleeps_until_its_own_deadline() {
        let clock = TscClock::new();
        let start = clock.now();
        let deadline = start + Duration::from_millis(5);
        smol::block_on(clock.sleep_until(deadline));
        assert!(clock.now() >= deadline);
    }
}
