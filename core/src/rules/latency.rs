//! The latency rule: the percentile of the window is above the threshold, and evidence of that has lasted.

use super::DerivedPolicy;
use crate::evidence::{Evidence, EvidenceTest};
use crate::monotonic::MonotonicInstant;
use crate::packed_policy::PackedPolicy;
use crate::window::{SampleStore, Window};

/// Fewer slow calls in a row than this are no plateau.
#[cfg(feature = "trend")]
const MIN_PLATEAU: u32 = 5;

/// What the latencies of the window, and the calls that are stalled, amount to.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Verdict {
    /// The percentile exceeds the threshold.
    pub(crate) above: bool,
    /// Above, and with evidence that has lasted, where evidence is asked for.
    pub(crate) proven: bool,
    /// Proven, and by enough calls: what trips, escalates an incident and keeps it from ending.
    pub(crate) breach: bool,
    /// There are enough calls for a latency rule to trip.
    pub(crate) enough: bool,
    /// The test that proves it.
    pub(crate) test: Option<EvidenceTest>,
    /// At least five calls, all of them slow.
    #[cfg(feature = "trend")]
    pub(crate) plateau: bool,
}

impl DerivedPolicy {
    /// Decides without sorting: of n values the one at the index exceeds the threshold exactly if at least n − index do.
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
