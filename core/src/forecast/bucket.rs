//! The lowest and the highest of several readings.

use crate::time::Instant;

/// Consecutive readings within one step.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bucket {
    pub(super) low_at: Instant,
    pub(super) high_at: Instant,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Bucket {
    pub(super) fn add(&mut self, reading: Self) {
        if reading.low < self.low {
            (self.low, self.low_at) = (reading.low, reading.low_at);
        }
        if reading.high > self.high {
            (self.high, self.high_at) = (reading.high, reading.high_at);
        }
    }
}
