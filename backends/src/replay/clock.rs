//! The clocks of a replay, which show what they were set to.

use tripline_runtime::core::Instant;
use tripline_runtime::{Clock, ManualClock};

/// A clock that a driver sets.
pub(super) trait ReplayClock: Clock {
    /// Shows this instant from now on.
    fn set(&self, now: Instant);
}

/// Virtual time, moved by the driver alone.
impl ReplayClock for ManualClock {
    fn set(&self, now: Instant) {
        ManualClock::set(self, now);
    }
}
