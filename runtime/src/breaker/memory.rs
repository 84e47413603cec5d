//! Memory readings, and the forecast computed from them.

use std::time::Duration;

use tripline_core::{Instant, MemorySample};

use crate::breaker::Breaker;
use crate::hot_path::samples::SharedCore;
use crate::hot_path::stall_detector::Now;
use crate::memory::MemoryReading;
use crate::sync::{Arc, lock};

impl Breaker {
    /// Does the same as [`handle_memory`](Self::handle_memory), and stores the level of the reading for
    /// [`memory_level`](Self::memory_level).
    pub fn handle_memory_reading(&self, now: Instant, reading: Option<MemoryReading>) {
        let (sample, level) = reading.map_or((None, None), |reading| (Some(reading.sample), reading.level));
        // Stored before the sample, because the sample notifies listeners that read the level.
        *lock(&self.inner.memory_level) = level;
        self.update_memory(now, sample);
    }

    /// Returns the level of the last memory reading; `None` if memory is unknown or the source names no level.
    pub fn memory_level(&self) -> Option<Arc<str>> {
        let level = lock(&self.inner.memory_level).clone()?;
        self.read(|core| core.memory_sample().is_some()).then_some(level)
    }

    /// Takes a memory reading; `None` = it could not be read. If the policy has a `memory_horizon`, this also forecasts
    /// the exhaustion of memory, which takes about 10 µs without owning the core.
    pub fn handle_memory(&self, now: Instant, sample: Option<MemorySample>) {
        self.handle_memory_reading(now, sample.map(MemoryReading::from));
    }

    fn update_memory(&self, now: Instant, sample: Option<MemorySample>) {
        let horizon = self.inner.with_exclusive(|exclusive, epochs| {
            let now = self.inner.confirm(exclusive, now);
            exclusive.lower_stalled(Now::Clock(now), epochs);
            match sample {
                Some(sample) => exclusive.core.handle_memory(now, sample),
                None => exclusive.core.handle_memory_lost(now),
            }
            exclusive.core.memory_horizon()
        });
        let runs_out = self.forecast(now, sample, horizon);
        self.inner.with_exclusive(|exclusive, epochs| {
            if runs_out || exclusive.core.is_memory_running_out() {
                let now = self.inner.confirm(exclusive, now);
                exclusive.lower_stalled(Now::Clock(now), epochs);
                exclusive.core.handle_memory_forecast(now, runs_out);
            }
        });
    }

    /// A failed reading does not change the forecast; the core knows that memory is unknown.
    fn forecast(&self, now: Instant, sample: Option<MemorySample>, horizon: Duration) -> bool {
        if horizon.is_zero() {
            if let Some(rare) = self.inner.rare_if_used() {
                *lock(&rare.forecast) = None;
            }
            return false;
        }
        let Some(sample) = sample else { return false };
        lock(&self.inner.rare().forecast).get_or_insert_default().handle(now, sample, horizon).is_some()
    }

    /// Returns the time until memory reaches its limit at its present rate; `None` if that is beyond the policy's
    /// `memory_horizon` or unknown.
    pub fn memory_exhausted_in(&self) -> Option<Duration> {
        let at = lock(&self.inner.rare_if_used()?.forecast).as_ref()?.exhausted_at()?;
        let left = at.since(self.inner.clock.now());
        self.read(SharedCore::is_memory_running_out).then_some(left)
    }
}
