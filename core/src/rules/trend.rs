//! The trend rule: whether the latencies of a breach rise, stay high or fall. Without trend analysis every breach
//! trips.

use super::latency::MIN_PLATEAU;
use super::{DerivedPolicy, Verdict};
use crate::packed_policy::PackedPolicy;
use crate::state::TripReason;
use crate::trend::Slope;
use crate::window::{SampleStore, Window};

/// What has happened without a break.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Runs {
    /// Recorded samples that each left a breach.
    pub(crate) breaches: u16,
    /// Calls that stalled, while none finished.
    pub(crate) stalls: u8,
}

impl DerivedPolicy {
    /// Returns the reason for which a breach trips; `None` if it does not.
    pub(crate) fn trend<S: SampleStore>(
        &self,
        settings: &PackedPolicy,
        window: &Window<S>,
        verdict: Verdict,
        runs: Runs,
    ) -> Option<TripReason> {
        if !settings.trend_analysis {
            return Some(TripReason::Latency);
        }
        let slope = window.sums().slope(self.trend_minimum);
        // Calls that hang leave the window as it was, which then says nothing about now.
        let hangs = verdict.test.is_some() && u32::from(runs.stalls) >= MIN_PLATEAU;
        let sustained = runs.breaches >= settings.latency_window_size.get();
        if slope == Slope::Rising {
            Some(TripReason::LatencyRising)
        } else if verdict.plateau || hangs {
            Some(TripReason::LatencyPlateau)
        } else if sustained && slope != Slope::Falling {
            Some(TripReason::LatencySustained)
        } else {
            None
        }
    }
}
