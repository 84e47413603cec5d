//! Readings of memory, and what they forecast.

use std::time::Duration;

use tripline_core::{Breaker as Core, Instant, MemorySample};

use crate::breaker::Breaker;
use crate::sync::lock;

impl Breaker {
    /// Memory was read, or could not be. Where the policy has a `memory_horizon`, this also foretells when it runs out, which
    /// takes some 10 µs, while nobody waits for the core.
    pub fn handle_memory(&self, now: Instant, sample: Option<MemorySample>) {
        let horizon = self.with_core(|core| {
            match sample {
                Some(sample) => core.handle_memory(now, sample),
                None => core.handle_memory_lost(now),
            }
            core.memory_horizon()
        });
        let runs_out = self.forecast(now, sample, horizon);
        self.with_core(|core| {
            if runs_out || core.is_memory_running_out() {
                core.handle_memory_forecast(now, runs_out);
            }
        });
    }

    /// How long it takes until memory reaches its limit, if it goes on as it does; `None` where it does not reach it within the
    /// policy's `memory_horizon`, and where that is not known.
    pub fn memory_exhausted_in(&self) -> Option<Duration> {
        let at = lock(&self.inner.forecast).as_ref()?.exhausted_at()?;
        let left = at.since(self.inner.clock.now());
        self.read(Core::is_memory_running_out).then_some(left)
    }

    /// A reading that failed is none, and leaves the forecast as it was; the core knows that memory is unknown.
    fn forecast(&self, now: Instant, sample: Option<MemorySample>, horizon: Duration) -> bool {
        let mut forecast = lock(&self.inner.forecast);
        if horizon.is_zero() {
            *forecast = None;
        }
        let Some(sample) = sample.filter(|_| !horizon.is_zero()) else { return false };
        forecast.get_or_insert_default().handle(now, sample, horizon).is_some()
    }
}
