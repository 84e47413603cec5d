//! Records when a supervisor last polled a breaker, so that a stuck supervisor is visible.

use std::time::Duration;

use tripline_core::Instant;

use crate::sync::{AtomicU64, Ordering};

/// Whether a breaker has a supervisor that keeps up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Supervision {
    /// No supervisor runs: memory is not sampled, and no alert is sent.
    None,
    /// A supervisor runs.
    Running {
        /// When it last polled the breaker, on the breaker's clock.
        looked_at: Instant,
    },
    /// A supervisor was started and its poll is overdue by at least 5 s. It is blocked, or its executor does not run
    /// it. Memory is not sampled, and no alert is sent.
    Stuck {
        /// When it last polled the breaker, on the breaker's clock.
        looked_at: Instant,
        /// How long the poll, or its end, is overdue.
        overdue: Duration,
    },
}

impl Supervision {
    /// `"none"`, `"running"` or `"stuck"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Running { .. } => "running",
            Self::Stuck { .. } => "stuck",
        }
    }
}

/// Tolerated delay of a poll before the supervisor counts as stuck.
const GRACE: Duration = Duration::from_secs(5);

/// The polls of one breaker's supervisors.
#[derive(Debug, Default)]
pub(crate) struct SupervisionRecord {
    /// Number of live supervisors.
    count: AtomicU64,
    /// When a poll last began, and when the next one must begin or this one must end.
    looked_nanos: AtomicU64,
    due_nanos: AtomicU64,
}

impl SupervisionRecord {
    pub(crate) fn enter(&self, now: Instant) {
        self.look_begins(now);
        // Release pairs with the Acquire in `is_supervised`.
        self.count.fetch_add(1, Ordering::Release);
    }

    pub(crate) fn leave(&self) {
        // Release pairs with the Acquire in `is_supervised`.
        self.count.fetch_sub(1, Ordering::Release);
    }

    pub(crate) fn is_supervised(&self) -> bool {
        // Acquire pairs with the Release in `enter` and `leave`.
        self.count.load(Ordering::Acquire) > 0
    }

    pub(crate) fn look_begins(&self, now: Instant) {
        // Relaxed, as below: independent estimates.
        self.looked_nanos.store(now.as_nanos(), Ordering::Relaxed);
        self.due_nanos.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Records the end of a poll; `None` = the next one waits for a change.
    pub(crate) fn look_ends(&self, next: Option<Instant>) {
        self.due_nanos.store(next.unwrap_or(Instant::MAX).as_nanos(), Ordering::Relaxed);
    }

    pub(crate) fn at(&self, now: Instant) -> Supervision {
        if !self.is_supervised() {
            return Supervision::None;
        }
        let looked_at = Instant::from_nanos(self.looked_nanos.load(Ordering::Relaxed));
        let overdue = now.since(Instant::from_nanos(self.due_nanos.load(Ordering::Relaxed)));
        if overdue >= GRACE { Supervision::Stuck { looked_at, overdue } } else { Supervision::Running { looked_at } }
    }
}
