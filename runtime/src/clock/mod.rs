//! Clocks.

pub(crate) mod manual;
// Exported with the test utilities only.
#[cfg_attr(not(feature = "test-util"), allow(unreachable_pub))]
pub(crate) mod schedule;
#[cfg(feature = "serde")]
pub(crate) mod serde_time;
#[cfg(feature = "tokio")]
pub(crate) mod tokio;
#[cfg(feature = "tsc")]
pub(crate) mod tsc;

use std::fmt;
use std::time::SystemTime;

use async_trait::async_trait;
use tripline_core::Instant;

/// A monotonic clock that can sleep and knows the time of day.
///
/// All three are one trait, so that a mock cannot mix different times. A breaker reads `now` at most once per request,
/// and not at all if the caller passes the instants.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a `Clock`",
    note = "`SystemClock` is one with the feature `smol` of `tripline-runtime` (on by default)",
    note = "on tokio enable the feature `tokio` and use `TokioClock`; for tests use `ManualClock`"
)]
#[async_trait]
pub trait Clock: fmt::Debug + Send + Sync {
    /// Returns nanoseconds since the clock's own start. Must not block. Expected to be monotonic; the breaker tolerates
    /// a clock that is not.
    fn now(&self) -> Instant;

    /// Returns the time of day. It stamps alerts, status and durable records; no decision depends on it.
    fn system_time(&self) -> SystemTime;

    /// Sleeps until `deadline` or shortly after; returns at once if it has passed. The future can be dropped safely.
    async fn sleep_until(&self, deadline: Instant);
}

/// The system's monotonic clock; it starts at its creation. A reading costs about 25 ns. It is a [`Clock`] with the
/// feature `smol`.
#[derive(Debug, Clone)]
pub struct SystemClock {
    #[cfg_attr(
        not(feature = "smol"),
        expect(dead_code, reason = "read by the `Clock` that the feature `smol` brings")
    )]
    started: std::time::Instant,
}

impl SystemClock {
    /// Creates a clock that starts now.
    pub fn new() -> Self {
        Self { started: std::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

/// Sleeps with smol's timer, which works on any executor.
#[cfg(feature = "smol")]
#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Instant {
        Instant::ZERO + self.started.elapsed()
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::now()
    }

    async fn sleep_until(&self, deadline: Instant) {
        smol::Timer::after(deadline.since(self.now())).await;
    }
}
