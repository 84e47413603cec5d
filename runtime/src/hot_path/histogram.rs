//! The histogram of latencies since the breaker was created.

use std::time::Duration;

use tripline_core::Latency;

/// Latencies of the calls that finished since the breaker was created, good or failed, including those of an earlier
/// generation. Ignored and dropped calls, and those that finish while the breaker is disabled, are not included.
///
/// The totals wrap at 2^64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LatencyHistogram {
    /// Calls by the first bound that they do not exceed; the last entry counts those above all bounds.
    calls: [u64; Self::BOUNDS.len() + 1],
    sum_micros: u64,
}

impl LatencyHistogram {
    /// The inclusive upper bounds of the buckets, except the last, which has none.
    pub const BOUNDS: [Latency; 15] = [
        Latency::from_micros(1_000),
        Latency::from_micros(2_500),
        Latency::from_micros(5_000),
        Latency::from_micros(10_000),
        Latency::from_micros(25_000),
        Latency::from_micros(50_000),
        Latency::from_micros(100_000),
        Latency::from_micros(250_000),
        Latency::from_micros(500_000),
        Latency::from_micros(1_000_000),
        Latency::from_micros(2_500_000),
        Latency::from_micros(5_000_000),
        Latency::from_micros(10_000_000),
        Latency::from_micros(30_000_000),
        Latency::from_micros(60_000_000),
    ];

    /// Iterates over the number of calls up to each bound, in ascending order; last, without a bound, over all calls.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Latency>, u64)> + '_ {
        let bounds = Self::BOUNDS.into_iter().map(Some).chain([None]);
        bounds.zip(self.calls.iter().scan(0_u64, |total, &calls| {
            *total = total.wrapping_add(calls);
            Some(*total)
        }))
    }

    /// Number of calls.
    pub fn count(&self) -> u64 {
        self.calls.iter().fold(0, |total, &calls| total.wrapping_add(calls))
    }

    /// Sum of the latencies, in whole microseconds.
    pub fn sum(&self) -> Duration {
        Duration::from_micros(self.sum_micros)
    }

    pub(crate) fn record(&mut self, latency: Latency) {
        let bucket = Self::BOUNDS.partition_point(|&bound| bound < latency);
        if let Some(calls) = self.calls.get_mut(bucket) {
            *calls = calls.wrapping_add(1);
        }
        self.sum_micros = self.sum_micros.wrapping_add(u64::from(latency.as_micros()));
    }
}

#[cfg(all(test, not(tripline_loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_call_counts_in_the_first_bucket_whose_bound_it_does_not_exceed() {
        for (micros, bucket) in [
            (0, 0),
            (1_000, 0),
            (1_001, 1),
            (2_500, 1),
            (250_000, 7),
            (250_001, 8),
            (60_000_000, 14),
            (60_000_001, 15),
            (u32::MAX, 15),
        ] {
            let mut histogram = LatencyHistogram::default();
            histogram.record(Latency::from_micros(micros));
            let expected: Vec<u64> = (0..16).map(|i| u64::from(i >= bucket)).collect();
            let found: Vec<u64> = histogram.cumulative().map(|(_, calls)| calls).collect();
            assert_eq!(found, expected, "{micros} µs");
            assert_eq!((histogram.count(), histogram.sum()), (1, Duration::from_micros(micros.into())));
        }
    }

    #[test]
    fn bounds_ascend_and_only_the_last_bucket_has_none() {
        assert!(LatencyHistogram::BOUNDS.is_sorted_by(|a, b| a < b));
        let bounds: Vec<_> = LatencyHistogram::default().cumulative().map(|(bound, _)| bound).collect();
        assert_eq!(bounds.iter().position(Option::is_none), Some(bounds.len() - 1));
    }
}
