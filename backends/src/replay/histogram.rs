//! Latencies in constant memory: counts in bins that grow with the latency.

use tripline_runtime::core::{Latency, Percentile};

/// Counts of latencies. A bin is 1/2ᵇ of its latencies wide, so a quantile is off by at most 1/2ᵇ⁺¹ of itself: 3.2 % at
/// b = [`COARSE`](LogHistogram::COARSE), 0.8 % at b = [`FINE`](LogHistogram::FINE). Least and largest are exact.
#[derive(Debug, Clone)]
pub(super) struct LogHistogram {
    bits: u32,
    /// As long as the largest latency needs; never more than 33·2ᵇ.
    bins: Vec<u64>,
    count: u64,
    least: u32,
    largest: u32,
}

impl LogHistogram {
    pub(super) const COARSE: u32 = 4;
    pub(super) const FINE: u32 = 6;

    pub(super) const fn new(bits: u32) -> Self {
        Self { bits, bins: Vec::new(), count: 0, least: u32::MAX, largest: 0 }
    }

    pub(super) fn add(&mut self, latency: Latency) {
        let micros = latency.as_micros();
        let bin = bin_of(micros, self.bits);
        if self.bins.len() <= bin {
            self.bins.resize(bin + 1, 0);
        }
        if let Some(count) = self.bins.get_mut(bin) {
            *count += 1;
        }
        self.count += 1;
        self.least = self.least.min(micros);
        self.largest = self.largest.max(micros);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        if self.bins.len() < other.bins.len() {
            self.bins.resize(other.bins.len(), 0);
        }
        for (ours, theirs) in self.bins.iter_mut().zip(&other.bins) {
            *ours += theirs;
        }
        self.count += other.count;
        self.least = self.least.min(other.least);
        self.largest = self.largest.max(other.largest);
    }

    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn least(&self) -> Option<Latency> {
        (self.count > 0).then_some(Latency::from_micros(self.least))
    }

    pub(super) fn largest(&self) -> Option<Latency> {
        (self.count > 0).then_some(Latency::from_micros(self.largest))
    }

    /// The latency at the index that the breaker's percentile has among as many; the middle of its bin.
    pub(super) fn quantile(&self, percentile: Percentile) -> Option<Latency> {
        let index = ((self.count as f64 * percentile.get()) as u64).min(self.count.checked_sub(1)?);
        let mut below = 0;
        let bin = self.bins.iter().position(|count| {
            below += count;
            below > index
        })?;
        Some(Latency::from_micros(middle_of(bin, self.bits).clamp(self.least, self.largest)))
    }

    #[cfg(test)]
    pub(super) fn sum(&self) -> u64 {
        self.bins.iter().sum()
    }
}

/// Latencies below 2ᵇ⁺¹ µs have a bin each; from there on each power of two has 2ᵇ.
pub(super) fn bin_of(micros: u32, bits: u32) -> usize {
    let shift = micros.checked_ilog2().unwrap_or(0).saturating_sub(bits);
    (shift << bits) as usize + (micros >> shift) as usize
}

/// The least latency of a bin in microseconds, saturating.
pub(super) fn least_of(bin: usize, bits: u32) -> u32 {
    let shift = shift_of(bin, bits);
    let least = (bin as u64).saturating_sub(shift << bits).checked_shl(shift as u32);
    least.and_then(|least| u32::try_from(least).ok()).unwrap_or(u32::MAX)
}

fn middle_of(bin: usize, bits: u32) -> u32 {
    let half = ((1_u64 << shift_of(bin, bits)) - 1) / 2;
    least_of(bin, bits).saturating_add(half as u32)
}

/// The latencies of a bin share all but this many of their lowest bits.
fn shift_of(bin: usize, bits: u32) -> u64 {
    (bin as u64 >> bits).saturating_sub(1).min(32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_follow_each_other_without_a_gap_and_are_narrow() {
        for bits in [LogHistogram::COARSE, LogHistogram::FINE] {
            let bins = bin_of(u32::MAX, bits) + 1;
            for bin in 0..bins {
                let least = least_of(bin, bits);
                let most = if bin + 1 == bins { u32::MAX } else { least_of(bin + 1, bits) - 1 };
                let middle = middle_of(bin, bits);
                assert_eq!([least, middle, most].map(|micros| bin_of(micros, bits)), [bin; 3]);
                let farthest = f64::from((middle - least).max(most - middle));
                assert!(farthest <= f64::from(least) / f64::from(1 << bits) / 2.0 + 0.5, "{least} to {most}");
            }
        }
    }

    #[test]
    fn quantiles_are_within_a_percent_of_the_exact_ones() {
        let mut state = 7_u64;
        let mut latencies: Vec<u32> = (0..5_000)
            .map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (1_u64 << (state >> 59)) as u32 | (state >> 33) as u32 >> (state >> 60)
            })
            .collect();
        let mut histogram = LogHistogram::new(LogHistogram::FINE);
        for &micros in &latencies {
            histogram.add(Latency::from_micros(micros));
        }
        latencies.sort_unstable();
        for p in [0.001, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0] {
            let percentile = Percentile::new(p).unwrap_or_default();
            let exact = latencies.get(percentile.index(5_000) as usize).copied().map(f64::from).unwrap_or_default();
            let found = histogram.quantile(percentile).map_or(f64::NAN, |latency| f64::from(latency.as_micros()));
            assert!((found - exact).abs() <= exact * 0.01, "{p}: {found} for {exact}");
        }
    }

    #[test]
    fn merging_adds_up() {
        let (mut a, mut b) = (LogHistogram::new(4), LogHistogram::new(4));
        a.add(Latency::from_micros(5));
        b.add(Latency::MAX);
        b.add(Latency::ZERO);
        a.merge(&b);
        assert_eq!((a.count(), a.sum(), a.least(), a.largest()), (3, 3, Some(Latency::ZERO), Some(Latency::MAX)));
        assert_eq!(LogHistogram::new(4).quantile(Percentile::default()), None);
    }
}
