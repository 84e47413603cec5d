//! The trend rule: whether the latencies of a breach rise, stay high or fall. Without trend analysis every breach
//! trips.

use super::{DerivedPolicy, Verdict};
use crate::packed_policy::PackedPolicy;
use crate::state::TripReason;
#[cfg(feature = "trend")]
use crate::trend::Slope;
use crate::window::{SampleStore, Window};

impl DerivedPolicy {
    /// Returns the reason for which a breach trips; `None` if it does not. `breaches_in_a_row` consecutive samples each
    /// left a breach.
    #[cfg(feature = "trend")]
    pub(crate) fn trend<S: SampleStore>(
        &self,
        settings: &PackedPolicy,
        window: &Window<S>,
        verdict: Verdict,
        breaches_in_a_row: u16,
    ) -> Option<TripReason> {
        if !settings.trend_analysis {
            return Some(TripReason::Latency);
        }
        let slope = window.sums().slope(self.trend_minimum);
        let sustained = breaches_in_a_row >= settings.latency_window_size.get();
        if slope == Slope::Rising {
            Some(TripReason::LatencyRising)
        } else if verdict.plateau {
            Some(TripReason::LatencyPlateau)
        } else if sustained && slope != Slope::Falling {
            Some(TripReason::LatencySustained)
        } else {
            None
        }
    }

    #[cfg(not(feature = "trend"))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "with the trend it needs both")]
    pub(crate) fn trend<S: SampleStore>(
        &self,
        _: &PackedPolicy,
        _: &Window<S>,
        _: Verdict,
        _: u16,
    ) -> Option<TripReason> {
        Some(TripReason::Latency)
    }
}
