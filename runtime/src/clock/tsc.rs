//! The processor's time stamp counter as a clock.

use std::time::SystemTime;

use async_trait::async_trait;
use tripline_core::Instant;

use crate::clock::Clock;

/// A clock that reads the processor's time stamp counter, if it runs at a constant rate and in step on all cores;
/// otherwise it reads the system's clock. A reading costs about 10 ns, a third of
/// [`SystemClock`](crate::SystemClock)'s; a timed call makes two.
///
/// Its creation calibrates the counter, which takes some milliseconds once per process. The clock then runs at that
/// rate. Over days it may drift from the system's clock by some parts in a million, which does not affect latencies or
/// waits.
#[derive(Debug, Clone)]
pub struct TscClock {
    counter: quanta::Clock,
    start: u64,
}

impl TscClock {
    /// Creates a clock that starts now.
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
        // The timer runs on the system's clock; the loop sleeps again for the difference.
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
