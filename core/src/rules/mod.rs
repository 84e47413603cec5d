//! The trip rules: evaluate the counts of the window and the evidence under a policy.

mod failures;
mod latency;
mod memory;
#[cfg(feature = "trend")]
mod trend;

use crate::evidence::{EvidenceRule, Look, ToleranceRule};
use crate::monotonic::MonotonicInstant;
use crate::policy::Policy;

pub(crate) use latency::Verdict;
pub(crate) use memory::MemoryRule;
#[cfg(feature = "trend")]
pub(crate) use trend::Runs;

/// Number of calls behind evidence at its bound, at ordinary percentiles.
const CALLS_OF_EVIDENCE: u16 = 5;

/// Values derived from a policy, computed once when it changes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DerivedPolicy {
    pub(crate) minimum_samples: u16,
    #[cfg(feature = "trend")]
    pub(crate) trend_minimum: u16,
    pub(crate) evidence_rule: EvidenceRule,
}

/// The rules that may trip now. If the policy asks for evidence, only a slow call may trip by latency and only a failed
/// one by failures; a stall may trip by either.
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

    /// The evidence rule; `None` if the policy asks for no evidence.
    pub(crate) fn evidence(&self) -> Option<&EvidenceRule> {
        self.evidence_rule.is_on().then_some(&self.evidence_rule)
    }

    /// The policy's settings of the tolerance.
    pub(crate) fn tolerance(&self) -> ToleranceRule {
        self.evidence_rule.tolerance()
    }

    /// The evidence rule at `now`; `None` if the policy asks for no evidence.
    pub(crate) fn look(&self, now: MonotonicInstant) -> Option<Look<'_>> {
        self.evidence().map(|rule| Look { rule, now_ms: now.as_wrapping_millis() })
    }

    /// Whether `n` calls are enough to trip. Calls that hung for so long that they expired are not among them, but
    /// evidence rests on at least about five calls.
    fn is_enough(&self, n: u32, has_evidence: bool) -> bool {
        n >= u32::from(self.minimum_samples) || (has_evidence && self.minimum_samples <= CALLS_OF_EVIDENCE)
    }
}
