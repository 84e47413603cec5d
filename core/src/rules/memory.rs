//! The memory rule: memory is exhausted, simulated to be, or forecast to be.

use crate::memory::MemoryLatch;
#[cfg(feature = "forecast")]
use crate::packed_policy::PackedPolicy;

/// The inputs of the memory rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryRule<'b> {
    pub(crate) latch: &'b MemoryLatch,
    pub(crate) simulated: bool,
    #[cfg(feature = "forecast")]
    pub(crate) settings: &'b PackedPolicy,
}

impl MemoryRule<'_> {
    /// Whether memory is at its threshold, or simulated to be. The breaker opens then.
    pub(crate) fn is_exhausted(self) -> bool {
        self.latch.is_set() || self.simulated
    }

    /// Whether memory is forecast to run out, and the policy opens the breaker for that.
    #[cfg(feature = "forecast")]
    pub(crate) fn is_forecast_to_trip(self) -> bool {
        self.latch.runs_out() && self.settings.forecast_trips()
    }

    /// Whether an open breaker stays open after its wait.
    pub(crate) fn holds_open(self) -> bool {
        #[cfg(feature = "forecast")]
        if self.is_forecast_to_trip() {
            return true;
        }
        self.is_exhausted()
    }
}
