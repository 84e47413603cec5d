//! The percentile and the threshold of the last six hours, for charts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use serde_json::Number;
use tripline_runtime::Breaker;
use tripline_runtime::core::Latency;
use utoipa::ToSchema;

use crate::api::units::millis;
use crate::text::tidy;

/// Between two readings.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);
/// Six hours of them.
const CAPACITY: usize = 6 * 360;

/// Readings of one breaker, the oldest first; the oldest goes when one more comes. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    readings: Arc<Mutex<VecDeque<Reading>>>,
}

#[derive(Debug, Clone, Copy)]
struct Reading {
    at: SystemTime,
    percentile: Option<Latency>,
    threshold: Latency,
}

/// The percentile and the threshold of the last six hours: lists of the same length, oldest reading first.
#[derive(Debug, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "the names of the JSON have their units")]
pub(crate) struct HistoryView {
    /// Milliseconds between two readings.
    interval_ms: u64,
    /// Time of day of each reading, in milliseconds since 1970.
    at_ms: Vec<u64>,
    /// The percentile of each, in milliseconds; null where the window was empty.
    #[schema(value_type = Vec<Option<f64>>)]
    percentile_ms: Vec<Option<Number>>,
    /// The threshold of each, in whole milliseconds.
    threshold_ms: Vec<u32>,
}

impl History {
    /// Adds a reading of this moment.
    pub(crate) fn record(&self, breaker: &Breaker) {
        let at = breaker.clock().system_time();
        let (percentile, threshold) = breaker.read(|core| (core.percentile(), core.policy().latency_threshold));
        self.push(Reading { at, percentile, threshold });
    }

    fn push(&self, reading: Reading) {
        // No code panics while it holds the lock, here and below.
        let mut readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        if readings.len() == CAPACITY {
            readings.pop_front();
        }
        readings.push_back(reading);
    }

    pub(crate) fn view(&self) -> HistoryView {
        let readings = self.readings.lock().unwrap_or_else(PoisonError::into_inner);
        HistoryView {
            interval_ms: millis(INTERVAL),
            // A clock before 1970 counts as 1970.
            at_ms: readings
                .iter()
                .map(|reading| millis(reading.at.duration_since(UNIX_EPOCH).unwrap_or_default()))
                .collect(),
            percentile_ms: readings
                .iter()
                .map(|reading| reading.percentile.and_then(|at| tidy(at.as_millis_f64())))
                .collect(),
            threshold_ms: readings.iter().map(|reading| reading.threshold.as_millis()).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_reading_goes_and_a_clock_before_1970_does_not_panic() {
        let history = History::default();
        for second in 0..CAPACITY as u64 + 2 {
            let at = UNIX_EPOCH + Duration::from_secs(second) - Duration::from_secs(3);
            history.push(Reading { at, percentile: None, threshold: Latency::from_millis(300) });
        }
        let view = history.view();
        assert_eq!(
            (view.at_ms.len(), view.percentile_ms.len(), view.threshold_ms.len()),
            (CAPACITY, CAPACITY, CAPACITY)
        );
        assert_eq!(view.at_ms[..4], [0, 0, 1_000, 2_000]);
    }
}
