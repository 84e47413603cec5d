//! When a supervisor last looked after a breaker, so that one that is stuck shows.

use std::time::Duration;

use tripline_core::Instant;

use crate::sync::{AtomicU64, Ordering};

/// Whether a supervisor looks after a breaker, and keeps up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Supervision {
    /// No supervisor runs: memory is not sampled, and no alert is sent.
    None,
    /// A supervisor runs.
    Running {
        /// When it last looked, on the breaker's clock.
        looked_at: Instant,
    },
    /// A supervisor was started and should have looked at least 5 s ago. It blocks on something, or its executor does not poll
    /// it. Memory is not sampled, and no alert is sent.
    Stuck {
        /// When it last looked, on the breaker's clock.
        looked_at: Instant,
        /// For how long it should have looked or been done with a look.
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

/// A look that is overdue by this much is not merely late.
const GRACE: Duration = Duration::from_secs(5);

/// The looks of one breaker's supervisors.
#[derive(Debug, Default)]
pub(crate) struct SupervisionRecord {
    /// Supervisors that live.
    count: AtomicU64,
    /// When a look last began, and until when the next one is to begin, or this one to be over.
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
        // Relaxed, as below: estimates, each for itself.
        self.looked_nanos.store(now.as_nanos(), Ordering::Relaxed);
        self.due_nanos.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// The look is over; `None` = the next one waits for a change.
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
