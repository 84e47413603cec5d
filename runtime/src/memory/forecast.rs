//! Readings of memory, and what they forecast.

use std::time::Duration;

use tripline_core::{Breaker as Core, Instant, MemorySample};

use crate::breaker::Breaker;
use crate::memory::MemoryReading;
use crate::sync::{Arc, lock};

impl Breaker {
    /// As [`handle_memory`](Self::handle_memory), and keeps the level of the reading for
    /// [`memory_level`](Self::memory_level).
    pub fn handle_memory_reading(&self, now: Instant, reading: Option<MemoryReading>) {
        let (sample, level) = reading.map_or((None, None), |reading| (Some(reading.sample), reading.level));
        // Before the sample, because the sample notifies listeners, which read the level.
        *lock(&self.inner.memory_level) = level;
        self.update_memory(now, sample);
    }

    /// The level that the last memory reading is about; `None` where memory is unknown or the source names no level.
    pub fn memory_level(&self) -> Option<Arc<str>> {
        let level = lock(&self.inner.memory_level).clone()?;
        self.read(|core| core.memory_sample().is_some()).then_some(level)
    }

    /// Memory was read, or could not be. Where the policy has a `memory_horizon`, this also foretells when it runs out, which
    /// takes some 10 µs, while nobody waits for the core.
    pub fn handle_memory(&self, now: Instant, sample: Option<MemorySample>) {
        self.handle_memory_reading(now, sample.map(MemoryReading::from));
    }

    fn update_memory(&self, now: Instant, sample: Option<MemorySample>) {
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
