//! When a supervisor last looked after a breaker, so that one that is stuck shows.

use std::time::Duration;

use tripline_core::Instant;

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

/// A look that is overdue by this much is not merely late.
const GRACE: Duration = Duration::from_secs(5);
