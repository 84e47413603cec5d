//! What the counts of the window and the evidence mean under a policy.

use crate::evidence::{Evidence, EvidenceRule, EvidenceTest, Look, ToleranceRule};
use crate::packed_policy::PackedPolicy;
use crate::policy::Policy;
use crate::time::Instant;
use crate::window::Window;

/// Fewer slow calls in a row than this are no plateau.
#[cfg(feature = "trend")]
const MIN_PLATEAU: u32 = 5;

/// So many calls are behind evidence at its bound, at ordinary percentiles.
const CALLS_OF_EVIDENCE: u16 = 5;

/// What follows from a policy, computed once when it changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DerivedPolicy {
    pub(crate) minimum_samples: u16,
    #[cfg(feature = "trend")]
    pub(crate) trend_minimum: u16,
    pub(crate) evidence_rule: EvidenceRule,
}

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

/// Which rules may trip now. Where evidence is asked for, only a slow call may trip by latency, and only a failed one by failures;
/// a stall may by either.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trigger {
    pub(crate) latency: bool,
    pub(crate) failures: bool,
}

impl Trigger {
    pub(crate) const STALL: Self = Self { latency: true, failures: true };
    pub(crate) const NONE: Self = Self { latency: false, failures: false };
}

impl DerivedPolicy {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            minimum_samples: policy.effective_minimum_samples(),
            #[cfg(feature = "trend")]
            trend_minimum: policy.effective_trend_minimum(),
            evidence_rule: EvidenceRule::new(policy),
        }
    }

    /// The rule of the evidence; `None` where none is asked for.
    pub(crate) fn evidence(&self) -> Option<&EvidenceRule> {
        self.evidence_rule.is_on().then_some(&self.evidence_rule)
    }

    /// What the policy says about the tolerance.
    pub(crate) fn tolerance(&self) -> ToleranceRule {
        self.evidence_rule.tolerance()
    }

    /// The rule of the evidence at `now`; `None` where none is asked for.
    pub(crate) fn look(&self, now: Instant) -> Option<Look<'_>> {
        self.evidence().map(|rule| Look { rule, now_ms: now.as_wrapping_millis() })
    }

    /// Decides without sorting: of n values the one at the index exceeds the threshold exactly if at least n − index do.
    pub(crate) fn verdict<const N: usize>(
        &self,
        settings: &PackedPolicy,
        window: &Window<N>,
        evidence: &Evidence,
        stalled: u16,
        now: Instant,
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

    /// Whether `n` calls are enough to trip. Calls that hung for so long that they no longer count are not among them, but evidence
    /// rests on about five calls at least.
    fn is_enough(&self, n: u32, has_evidence: bool) -> bool {
        n >= u32::from(self.minimum_samples) || (has_evidence && self.minimum_samples <= CALLS_OF_EVIDENCE)
    }

    /// Whether too large a share of the calls failed; fast failures count in full here.
    pub(crate) fn failures<const N: usize>(
        &self,
        settings: &PackedPolicy,
        window: &Window<N>,
        evidence: &Evidence,
        stalled: u16,
        now: Instant,
    ) -> bool {
        let n = u32::from(window.len()).saturating_add(u32::from(stalled));
        if let Some(look) = self.look(now) {
            return evidence.lasting_failures(look) && self.is_enough(n, true);
        }
        settings.failure_rule_is_on()
            && self.is_enough(n, false)
            && f64::from(window.failed()) / f64::from(n) >= settings.failure_rate_threshold.get()
    }
}
