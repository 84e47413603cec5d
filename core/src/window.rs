//! The window of the last calls, with counts that let the rules decide in O(1).

use core::time::Duration;

use crate::monotonic::MonotonicInstant;
use crate::outcome::Outcome;
use crate::policy::Policy;
use crate::ring::Ring;
use crate::time::saturating_nanos;
#[cfg(feature = "trend")]
use crate::trend::TrendSums;
use crate::units::{Latency, Percentile};

/// Ages are stored in steps of 2^17 ns (131 µs), so that a sample needs 31 bits for its time.
const TICK_SHIFT: u32 = 17;
const TICK_MASK: u32 = (1 << 31) - 1;
/// Maximum age of the newest samples that a rule requires at least, if the policy asks for evidence.
const KEPT_AGE_TICKS: u32 = age_ticks(Duration::from_secs(3_600));
/// Maximum age. Longer ages would not fit twice into 31 bits of ticks.
const MAX_AGE: Duration = Duration::from_secs(24 * 3_600);

/// One call of a window in 8 bytes: its latency, the tick at which it ended (modulo 2^31) and whether it failed (the
/// top bit).
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    latency: Latency,
    stamp: u32,
}

impl Sample {
    /// The value of an unused slot.
    pub const NONE: Self = Self { latency: Latency::ZERO, stamp: 0 };

    fn new(latency: Latency, failed: bool, at: MonotonicInstant) -> Self {
        Self { latency, stamp: tick(at) | if failed { !TICK_MASK } else { 0 } }
    }

    fn failed(self) -> bool {
        self.stamp & !TICK_MASK != 0
    }

    /// Ticks from this sample to `now`, modulo 2^31.
    fn age_ticks(self, now: MonotonicInstant) -> u32 {
        tick(now).wrapping_sub(self.stamp) & TICK_MASK
    }
}

/// Storage for the samples of a breaker's window: an array without an allocator, or a custom growable store.
pub trait SampleStore: AsRef<[Sample]> + AsMut<[Sample]> {
    /// Whether [`grow`](Self::grow) has an effect.
    const GROWS: bool = false;

    /// Grows to at least `places` slots and keeps the existing samples. Called when the policy sets a larger window.
    fn grow(&mut self, _places: usize) {}
}

impl<const N: usize> SampleStore for [Sample; N] {}

fn tick(at: MonotonicInstant) -> u32 {
    (at.as_nanos() >> TICK_SHIFT) as u32 & TICK_MASK
}

/// A ring of the last samples with the counts and sums that the rules read in O(1).
///
/// A *fast failure* (failed, and not above the threshold) takes a slot but carries no latency: it is excluded from the
/// percentile, from the trend and from [`Window::timed`].
#[derive(Debug, Clone)]
pub(crate) struct Window<S> {
    samples: Ring<Sample, S>,
    size: u16,
    threshold: Latency,
    max_age_ticks: u32,
    /// Number of newest samples that count up to the age [`KEPT_AGE_TICKS`].
    kept: u16,
    newest_at: MonotonicInstant,
    above: u16,
    failed: u16,
    fast_failures: u16,
    /// The sums for the slope, kept only if the trend is one of the rules.
    #[cfg(feature = "trend")]
    sums: TrendSums,
    #[cfg(feature = "trend")]
    keeps_sums: bool,
}

impl<S: SampleStore> Window<S> {
    /// Creates an empty window of the policy's size; `samples` must have enough slots.
    pub(crate) fn new(samples: S, policy: &Policy) -> Self {
        Self {
            samples: Ring::new(samples),
            size: policy.latency_window_size.get(),
            threshold: policy.latency_threshold,
            max_age_ticks: age_ticks(policy.latency_max_age),
            kept: kept(policy),
            newest_at: MonotonicInstant::ZERO,
            above: 0,
            failed: 0,
            fast_failures: 0,
            #[cfg(feature = "trend")]
            sums: TrendSums::default(),
            #[cfg(feature = "trend")]
            keeps_sums: policy.trend_analysis,
        }
    }

    /// Records a call that ended at `now`, after [`Window::expire`]. O(1).
    pub(crate) fn record(&mut self, now: MonotonicInstant, latency: Latency, outcome: Outcome) {
        if self.len() >= self.size {
            self.drop_oldest();
        }
        let sample = Sample::new(latency, outcome == Outcome::Failed, now);
        if self.samples.push_back(sample) {
            self.newest_at = now;
            self.count(sample);
        }
    }

    /// Nothing but successful calls, as many as there is room for.
    #[cfg(target_pointer_width = "64")]
    pub(crate) fn is_full_of_successes(&self) -> bool {
        self.len() >= self.size && self.failed == 0
    }

    /// Replaces the oldest sample with a good call, in a window that [is full of successes](Window::is_full_of_successes)
    /// of which none has expired. O(1).
    #[cfg(target_pointer_width = "64")]
    #[inline]
    pub(crate) fn replace_oldest(&mut self, now: MonotonicInstant, latency: Latency) {
        let oldest = self.samples.rotate(Sample::new(latency, false, now)).latency;
        self.newest_at = now;
        if oldest > self.threshold {
            self.drop_slow();
        }
        #[cfg(feature = "trend")]
        if self.keeps_sums {
            self.sums.pop_oldest(oldest);
            self.sums.push(latency);
        }
    }

    /// A branch, so that the count of each call does not wait for that of the one before.
    #[cfg(target_pointer_width = "64")]
    #[cold]
    fn drop_slow(&mut self) {
        self.above = self.above.saturating_sub(1);
    }

    /// Removes the samples that have expired at `now`. Returns true if there were any. O(1) amortised.
    pub(crate) fn expire(&mut self, now: MonotonicInstant) -> bool {
        if self.samples.len() == 0 {
            return false;
        }
        // Stamps wrap after 78 h. While the newest sample counts, none is older than two ages (48 h at most), so
        // modular ages are correct. Once it has expired, no sample counts.
        let idle_ticks = now.nanos_since(self.newest_at) >> TICK_SHIFT;
        if idle_ticks > u64::from(self.age_limit_ticks(1)).saturating_add(1) {
            self.clear();
            return true;
        }
        let mut dropped = false;
        while let Some(oldest) = self.samples.front() {
            if oldest.age_ticks(now) <= self.age_limit_ticks(self.len()) {
                break;
            }
            self.drop_oldest();
            dropped = true;
        }
        dropped
    }

    /// Returns when the oldest sample expires; [`MonotonicInstant::MAX`] for an empty window.
    pub(crate) fn next_expiry(&self) -> MonotonicInstant {
        let Some(oldest) = self.samples.front() else { return MonotonicInstant::MAX };
        let behind_newest = u64::from(oldest.age_ticks(self.newest_at));
        let oldest_tick = (self.newest_at.as_nanos() >> TICK_SHIFT).saturating_sub(behind_newest);
        let limit_ticks = u64::from(self.age_limit_ticks(self.len()));
        let expiry_tick = oldest_tick.saturating_add(limit_ticks).saturating_add(1);
        MonotonicInstant::from_nanos(expiry_tick.saturating_mul(1 << TICK_SHIFT))
    }

    /// Returns the maximum age of the oldest of `len` samples.
    fn age_limit_ticks(&self, len: u16) -> u32 {
        if len > self.kept { self.max_age_ticks } else { self.max_age_ticks.max(KEPT_AGE_TICKS) }
    }

    /// Removes all samples.
    pub(crate) fn clear(&mut self) {
        self.samples.clear();
        self.reset_counts();
    }

    /// Applies a new policy and keeps the newest samples. O(size).
    pub(crate) fn retune(&mut self, policy: &Policy) {
        self.size = policy.latency_window_size.get();
        self.max_age_ticks = age_ticks(policy.latency_max_age);
        self.kept = kept(policy);
        while self.len() > self.size {
            let _ = self.samples.pop_front();
        }
        #[cfg(target_pointer_width = "64")]
        if S::GROWS && self.samples.capacity() < usize::from(self.size) {
            self.samples.straight_places().grow(usize::from(self.size));
            self.size = self.size.min(u16::try_from(self.samples.capacity()).unwrap_or(u16::MAX));
        }
        self.threshold = policy.latency_threshold;
        #[cfg(feature = "trend")]
        {
            self.keeps_sums = policy.trend_analysis;
        }
        self.reset_counts();
        // Once around the ring: each sample is removed, counted and appended.
        for _ in 0..self.len() {
            if let Some(sample) = self.samples.pop_front() {
                self.count(sample);
                self.samples.push_back(sample);
            }
        }
    }

    /// Number of samples, fast failures included.
    pub(crate) fn len(&self) -> u16 {
        self.samples.len()
    }

    /// Number of samples with a latency: all but the fast failures.
    pub(crate) fn timed(&self) -> u16 {
        self.len().saturating_sub(self.fast_failures)
    }

    /// Number of samples above the threshold.
    pub(crate) fn above(&self) -> u16 {
        self.above
    }

    /// Number of failed samples, fast or slow.
    pub(crate) fn failed(&self) -> u16 {
        self.failed
    }

    /// Returns the sums for the slope; empty unless the policy has trend analysis on.
    #[cfg(feature = "trend")]
    pub(crate) fn sums(&self) -> &TrendSums {
        &self.sums
    }

    /// Iterates over all samples, oldest first, with their outcome and the instant at which each ended, to within a
    /// tick.
    pub(crate) fn history(&self) -> impl Iterator<Item = (MonotonicInstant, Latency, Outcome)> + '_ {
        (0..self.samples.len()).filter_map(|index| self.samples.get(index)).map(|sample| {
            let before_newest = u64::from(sample.age_ticks(self.newest_at)) << TICK_SHIFT;
            let at = MonotonicInstant::from_nanos(self.newest_at.as_nanos().saturating_sub(before_newest));
            (at, sample.latency, if sample.failed() { Outcome::Failed } else { Outcome::Ok })
        })
    }

    /// Iterates over the latencies that count, oldest first (without fast failures).
    pub(crate) fn latencies(&self) -> impl Iterator<Item = Latency> + Clone + '_ {
        let samples = (0..self.samples.len()).filter_map(|index| self.samples.get(index));
        samples.filter(|sample| !self.is_fast_failure(*sample)).map(|sample| sample.latency)
    }

    /// Returns the exact percentile of the latencies that count; `None` without any. O(n).
    ///
    /// Uses a radix selection: four rounds, each of which counts one byte of the candidates and keeps those with the
    /// byte at the wanted index. It needs 512 bytes of stack for every window size.
    pub(crate) fn percentile(&self, percentile: Percentile) -> Option<Latency> {
        let n = u32::from(self.timed());
        if n == 0 {
            return None;
        }
        let mut rank = percentile.index(n);
        let mut prefix = 0_u32;
        for shift in [24_u32, 16, 8, 0] {
            let mut histogram = [0_u16; 256];
            for value in self.latencies().map(Latency::as_micros) {
                let matches = u64::from(value ^ prefix) >> shift >> 8 == 0;
                if let Some(count) = histogram.get_mut((value >> shift & 0xFF) as usize).filter(|_| matches) {
                    *count = count.saturating_add(1);
                }
            }
            for (byte, &count) in (0_u32..).zip(&histogram) {
                if rank < u32::from(count) {
                    prefix |= byte << shift;
                    break;
                }
                rank = rank.saturating_sub(u32::from(count));
            }
        }
        Some(Latency::from_micros(prefix))
    }

    fn is_fast_failure(&self, sample: Sample) -> bool {
        sample.failed() && sample.latency <= self.threshold
    }

    fn count(&mut self, sample: Sample) {
        if sample.failed() {
            self.failed = self.failed.saturating_add(1);
        }
        if self.is_fast_failure(sample) {
            self.fast_failures = self.fast_failures.saturating_add(1);
            return;
        }
        #[cfg(feature = "trend")]
        if self.keeps_sums {
            self.sums.push(sample.latency);
        }
        if sample.latency > self.threshold {
            self.above = self.above.saturating_add(1);
        }
    }

    fn drop_oldest(&mut self) {
        let Some(sample) = self.samples.pop_front() else { return };
        if sample.failed() {
            self.failed = self.failed.saturating_sub(1);
        }
        if self.is_fast_failure(sample) {
            self.fast_failures = self.fast_failures.saturating_sub(1);
            return;
        }
        #[cfg(feature = "trend")]
        if self.keeps_sums {
            self.sums.pop_oldest(sample.latency);
        }
        if sample.latency > self.threshold {
            self.above = self.above.saturating_sub(1);
        }
    }

    #[cfg_attr(target_pointer_width = "32", inline(never))] // one copy is enough there
    fn reset_counts(&mut self) {
        self.above = 0;
        self.failed = 0;
        self.fast_failures = 0;
        #[cfg(feature = "trend")]
        {
            self.sums = TrendSums::default();
        }
    }
}

fn kept(policy: &Policy) -> u16 {
    if policy.asks_for_evidence() { policy.effective_minimum_samples() } else { 0 }
}

const fn age_ticks(max_age: Duration) -> u32 {
    let nanos = saturating_nanos(max_age);
    let limit = saturating_nanos(MAX_AGE);
    ((if nanos < limit { nanos } else { limit }) >> TICK_SHIFT) as u32
}
