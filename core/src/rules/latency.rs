//! The latency rule: the percentile of the window is above the threshold, and the evidence of it has lasted.

use super::DerivedPolicy;
use crate::evidence::{Evidence, EvidenceTest};
use crate::monotonic::MonotonicInstant;
use crate::packed_policy::PackedPolicy;
use crate::window::{SampleStore, Window};

/// Minimum number of consecutive slow calls that is a plateau.
#[cfg(feature = "trend")]
pub(super) const MIN_PLATEAU: u32 = 5;

/// The evaluation of the window's latencies and of the stalled calls.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verdict {
    /// The percentile exceeds the threshold.
    pub(crate) above: bool,
    /// Above, with evidence that has lasted if the policy asks for evidence.
    pub(crate) proven: bool,
    /// Proven, with enough calls: trips, escalates an incident and keeps it from ending.
    pub(crate) breach: bool,
    /// There are enough calls for a latency rule to trip.
    pub(crate) enough: bool,
    /// The test with the evidence.
    pub(crate) test: Option<EvidenceTest>,
    /// At least five calls, all of them slow.
    #[cfg(feature = "trend")]
    pub(crate) plateau: bool,
}

impl DerivedPolicy {
    /// Evaluates without sorting: of n values the one at the index exceeds the threshold exactly if at least n − index
    /// do.
    pub(crate) fn verdict<S: SampleStore>(
        &self,
        settings: &PackedPolicy,
        window: &Window<S>,
        evidence: &Evidence,
        stalled: u16,
        now: MonotonicInstant,
    ) -> Verdict {
        let n = u32::from(window.timed()).saturating_add(u32::from(stalled));
        let slow = u32::from(window.above()).saturating_add(u32::from(stalled));
        let above = slow > 0 && slow >= n.saturating_sub(settings.percentile.index(n));
        let look = if above { self.look(now) } else { None };
        let test = look.and_then(|look| evidence.lasting_latency(look, stalled));
        let proven = above && (look.is_none() || test.is_some());
        let enough = self.is_enough(n, test.is_some());
        Verdict {
            above,
            proven,
            breach: proven && enough,
            enough,
            test,
            #[cfg(feature = "trend")]
            plateau: slow == n && n >= MIN_PLATEAU,
        }
    }
}
