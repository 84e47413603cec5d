//! Counts rejected calls by reason.

use tripline_core::{RejectionReason, TripReason};

use crate::sync::{AtomicU64, Ordering};

/// Indices: one counter for each trip reason, then probing, then forced open.
const PROBING: usize = TripReason::ALL.len();
const FORCED_OPEN: usize = PROBING + 1;

/// Statistics on which nothing depends, so all access is Relaxed.
#[derive(Debug)]
pub(crate) struct RejectionCounters([AtomicU64; FORCED_OPEN + 1]);

impl Default for RejectionCounters {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl RejectionCounters {
    pub(crate) fn count(&self, reason: RejectionReason) {
        if tripline_core::planted::planted("hot path: rejections are not counted") {
            return;
        }
        if let Some(total) = self.slot(reason) {
            total.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn of(&self, reason: RejectionReason) -> u64 {
        self.slot(reason).map_or(0, |total| total.load(Ordering::Relaxed))
    }

    pub(crate) fn all(&self) -> u64 {
        self.0.iter().fold(0, |sum, total| sum.wrapping_add(total.load(Ordering::Relaxed)))
    }

    fn slot(&self, reason: RejectionReason) -> Option<&AtomicU64> {
        let slot = match reason {
            RejectionReason::Open(trip) => TripReason::ALL.iter().position(|&known| known == trip)?,
            RejectionReason::Probing => PROBING,
            RejectionReason::ForcedOpen => FORCED_OPEN,
            _ => return None,
        };
        self.0.get(slot)
    }
}

#[cfg(all(test, not(tripline_loom)))]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_total_of_its_own_and_all_make_the_sum() {
        let open = TripReason::ALL.map(RejectionReason::Open);
        let reasons: Vec<_> = open.into_iter().chain([RejectionReason::Probing, RejectionReason::ForcedOpen]).collect();
        let rejection_counters = RejectionCounters::default();
        for (i, &reason) in (1_u64..).zip(&reasons) {
            (0..i).for_each(|_| rejection_counters.count(reason));
        }
        let totals: Vec<_> = reasons.iter().map(|&reason| rejection_counters.of(reason)).collect();
        assert_eq!(totals, (1..=12).collect::<Vec<_>>());
        assert_eq!(rejection_counters.all(), 78);
    }
}
