//! Memory as a latch with hysteresis: set at the threshold, cleared below a lower one.

use crate::monotonic::MonotonicInstant;
use crate::packed_policy::PackedPolicy;

/// One reading of memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MemorySample {
    /// Bytes in use that cannot be released at once (the working set).
    pub used: u64,
    /// Maximum number of bytes; `None` if there is no limit.
    pub limit: Option<u64>,
}

impl MemorySample {
    /// Returns used / limit; `None` without a limit or with a limit of 0. Above 1 if more is used than the limit
    /// allows.
    pub fn ratio(self) -> Option<f64> {
        self.limit.filter(|&limit| limit > 0).map(|limit| self.used as f64 / limit as f64)
    }
}

/// The memory state of the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum MemoryState {
    /// No reading, a failing source, no limit, or a stale reading: the memory rule cannot trip.
    Unknown,
    /// Below the threshold, since it last fell below the lower one.
    Ok,
    /// At or above the threshold, and not below the lower one since.
    Exhausted,
}

/// The latch with its last reading.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemoryLatch {
    state: MemoryState,
    /// Whether memory is forecast to run out. False if memory is unknown or the forecast is off.
    #[cfg(feature = "forecast")]
    runs_out: bool,
    reading: Reading,
    /// Sampling interval at the time of the reading, in whole milliseconds.
    interval_millis: u32,
    /// Bytes of the reading, as separate fields to keep the latch small; 0 without a reading.
    used: u64,
    limit: u64,
    read_at: MonotonicInstant,
}

/// Which parts of the last [`MemorySample`] are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Nothing,
    WithoutLimit,
    WithLimit,
}

const NANOS_PER_MILLI: u64 = 1_000_000;

impl MemoryLatch {
    pub(crate) const fn new() -> Self {
        Self {
            state: MemoryState::Unknown,
            #[cfg(feature = "forecast")]
            runs_out: false,
            reading: Reading::Nothing,
            interval_millis: 0,
            used: 0,
            limit: 0,
            read_at: MonotonicInstant::ZERO,
        }
    }

    pub(crate) const fn state(&self) -> MemoryState {
        self.state
    }

    pub(crate) fn is_set(&self) -> bool {
        self.state == MemoryState::Exhausted
    }

    #[cfg(feature = "forecast")]
    pub(crate) const fn runs_out(&self) -> bool {
        self.runs_out
    }

    /// Sets the forecast, false if memory is unknown. Returns true if it changed.
    #[cfg(feature = "forecast")]
    pub(crate) fn forecast(&mut self, runs_out: bool, settings: &PackedPolicy) -> bool {
        let next = runs_out && settings.forecast_is_on() && self.state != MemoryState::Unknown;
        core::mem::replace(&mut self.runs_out, next) != next
    }

    /// Returns the last reading; `None` if the source failed or the reading is stale.
    pub(crate) const fn sample(&self) -> Option<MemorySample> {
        let limit = match self.reading {
            Reading::Nothing => return None,
            Reading::WithoutLimit => None,
            Reading::WithLimit => Some(self.limit),
        };
        Some(MemorySample { used: self.used, limit })
    }

    /// Returns until when the last reading is fresh: for three sampling intervals, of the policy in force or of the
    /// policy at the time of the reading, whichever is longer. A shorter interval therefore makes no reading unknown.
    /// [`MonotonicInstant::MAX`] without a reading.
    pub(crate) fn fresh_until(&self, settings: &PackedPolicy) -> MonotonicInstant {
        if self.reading == Reading::Nothing {
            return MonotonicInstant::MAX;
        }
        let interval = settings.sample_interval_nanos.max(u64::from(self.interval_millis) * NANOS_PER_MILLI);
        self.read_at.plus_nanos(interval.saturating_mul(3))
    }

    /// Takes a reading. Returns true if the state changed.
    pub(crate) fn observe(&mut self, now: MonotonicInstant, sample: MemorySample, settings: &PackedPolicy) -> bool {
        self.reading = if sample.limit.is_some() { Reading::WithLimit } else { Reading::WithoutLimit };
        self.used = sample.used;
        self.limit = sample.limit.unwrap_or(0);
        self.read_at = now;
        self.interval_millis = u32::try_from(settings.sample_interval_nanos / NANOS_PER_MILLI).unwrap_or(u32::MAX);
        self.retune(settings)
    }

    /// Records that the source could not be read. Returns true if the state changed.
    pub(crate) fn invalidate(&mut self) -> bool {
        self.reading = Reading::Nothing;
        self.change_to(MemoryState::Unknown)
    }

    /// Discards a stale reading. Returns true if the state changed.
    pub(crate) fn expire(&mut self, now: MonotonicInstant, settings: &PackedPolicy) -> bool {
        now > self.fresh_until(settings) && self.invalidate()
    }

    /// Evaluates the last reading under new settings. Returns true if the state changed.
    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    pub(crate) fn retune(&mut self, settings: &PackedPolicy) -> bool {
        let next = match self.sample().and_then(MemorySample::ratio) {
            None => MemoryState::Unknown,
            Some(ratio) => self.latch(ratio, settings),
        };
        self.change_to(next)
    }

    fn latch(&self, ratio: f64, settings: &PackedPolicy) -> MemoryState {
        let is_planted = crate::planted::planted("core: memory stays exhausted");
        let holds = self.is_set() && (ratio >= settings.memory_clear_ratio() || is_planted);
        if ratio >= settings.memory_threshold.get() || holds { MemoryState::Exhausted } else { MemoryState::Ok }
    }

    fn change_to(&mut self, next: MemoryState) -> bool {
        core::mem::replace(&mut self.state, next) != next
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Policy;

    fn used(percent: u64) -> MemorySample {
        MemorySample { used: percent, limit: Some(100) }
    }

    #[test]
    fn the_latch_sets_at_the_threshold_and_clears_below_the_lower_one() {
        let settings = PackedPolicy::new(&Policy::default());
        let mut latch = MemoryLatch::new();
        for (percent, set) in [(79, false), (80, true), (76, true), (75, true), (74, false), (79, false)] {
            latch.observe(MonotonicInstant::ZERO, used(percent), &settings);
            assert_eq!(latch.is_set(), set, "at {percent} %");
        }
    }

    #[test]
    fn no_limit_is_unknown_and_clears_the_latch() {
        let settings = PackedPolicy::new(&Policy::default());
        let mut latch = MemoryLatch::new();
        latch.observe(MonotonicInstant::ZERO, used(99), &settings);
        assert!(latch.observe(MonotonicInstant::ZERO, MemorySample { used: 99, limit: None }, &settings));
        assert_eq!(latch.state(), MemoryState::Unknown);
        latch.observe(MonotonicInstant::ZERO, MemorySample { used: 1, limit: Some(0) }, &settings);
        assert_eq!(latch.state(), MemoryState::Unknown);
    }

    #[test]
    fn a_shorter_interval_does_not_make_a_reading_unknown() {
        let mut policy = Policy::default();
        policy.sample_interval = core::time::Duration::from_secs(30);
        let mut latch = MemoryLatch::new();
        latch.observe(MonotonicInstant::ZERO, used(95), &PackedPolicy::new(&policy));
        policy.sample_interval = core::time::Duration::from_millis(500);
        let shorter = PackedPolicy::new(&policy);
        latch.retune(&shorter);
        assert!(!latch.expire(MonotonicInstant::from_millis(90_000), &shorter));
        assert!(latch.is_set());
        assert!(latch.expire(MonotonicInstant::from_millis(90_001), &shorter));
        // A reading under the shorter interval stays fresh for three of those, and for three longer ones once they are
        // in force.
        latch.observe(MonotonicInstant::from_millis(100_000), used(95), &shorter);
        assert_eq!(latch.fresh_until(&shorter), MonotonicInstant::from_millis(101_500));
        policy.sample_interval = core::time::Duration::from_secs(30);
        assert_eq!(latch.fresh_until(&PackedPolicy::new(&policy)), MonotonicInstant::from_millis(190_000));
    }

    #[test]
    fn a_reading_older_than_three_intervals_is_not_believed() {
        let settings = PackedPolicy::new(&Policy::default());
        let mut latch = MemoryLatch::new();
        latch.observe(MonotonicInstant::ZERO, used(99), &settings);
        assert!(!latch.expire(MonotonicInstant::from_millis(1_500), &settings));
        assert!(latch.expire(MonotonicInstant::from_millis(1_501), &settings));
        assert_eq!(latch.state(), MemoryState::Unknown);
        assert_eq!(latch.sample(), None);
    }
}
