//! What the counts of the window mean under a policy.

use crate::evidence::{Evidence, EvidenceRule};
use crate::packed_policy::PackedPolicy;
use crate::policy::Policy;
use crate::window::Window;

/// Fewer slow calls in a row than this are no plateau.
#[cfg(feature = "trend")]
const MIN_PLATEAU: u32 = 5;

/// What follows from a policy, computed once when it changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DerivedPolicy {
    pub(crate) minimum_samples: u16,
    #[cfg(feature = "trend")]
    pub(crate) trend_minimum: u16,
    pub(crate) evidence: Option<EvidenceRule>,
}

/// What the latencies of the window, and the calls that are stalled, amount to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verdict {
    /// The percentile exceeds the threshold.
    pub(crate) above: bool,
    /// Above, and with enough evidence for it.
    pub(crate) breach: bool,
    /// There are enough calls for the latency rules to trip.
    pub(crate) enough: bool,
    /// At least five calls, all of them slow.
    #[cfg(feature = "trend")]
    pub(crate) plateau: bool,
}

impl DerivedPolicy {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            minimum_samples: policy.effective_minimum_samples(),
            #[cfg(feature = "trend")]
            trend_minimum: policy.effective_trend_minimum(),
            evidence: EvidenceRule::new(policy),
        }
    }

    /// Decides without sorting: of n values the one at the index exceeds the threshold exactly if at least n − index do.
    pub(crate) fn verdict<const N: usize>(
        &self,
        settings: &PackedPolicy,
        window: &Window<N>,
        evidence: &Evidence,
        stalled: u16,
    ) -> Verdict {
        let n = u32::from(window.timed()).saturating_add(u32::from(stalled));
        let slow = u32::from(window.above()).saturating_add(u32::from(stalled));
        let above = slow > 0 && slow >= n.saturating_sub(settings.percentile.index(n));
        Verdict {
            above,
            breach: above && self.evidence.as_ref().is_none_or(|rule| evidence.is_enough(rule, stalled)),
            enough: n >= u32::from(self.minimum_samples),
            #[cfg(feature = "trend")]
            plateau: slow == n && n >= MIN_PLATEAU,
        }
    }

    /// Whether too large a share of the calls failed; fast failures count in full here.
    pub(crate) fn failures<const N: usize>(&self, settings: &PackedPolicy, window: &Window<N>, stalled: u16) -> bool {
        let n = u32::from(window.len()).saturating_add(u32::from(stalled));
        settings.failure_rule_is_on()
            && n >= u32::from(self.minimum_samples)
            && f64::from(window.failed()) / f64::from(n) >= settings.failure_rate_threshold.get()
    }
}
