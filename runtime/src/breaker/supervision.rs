//! Records when a supervisor last polled a breaker, so that a stuck supervisor is visible.

use std::time::Duration;

use tripline_core::Instant;

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
    /// Of a supervisor that looked then, and should have looked again, or been done, for so long.
    pub(crate) fn of_look(looked_at: Instant, overdue: Duration) -> Self {
        if overdue >= GRACE { Self::Stuck { looked_at, overdue } } else { Self::Running { looked_at } }
    }

    /// When the supervisor last looked; `None` where there is none.
    pub(crate) const fn looked_at(self) -> Option<Instant> {
        match self {
            Self::None => None,
            Self::Running { looked_at } | Self::Stuck { looked_at, .. } => Some(looked_at),
        }
    }

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
