//! The failure rule: the share of failed calls is too large, and the evidence of it has lasted.

use super::DerivedPolicy;
use crate::evidence::Evidence;
use crate::monotonic::MonotonicInstant;
use crate::packed_policy::PackedPolicy;
use crate::window::{SampleStore, Window};

impl DerivedPolicy {
    /// Whether the share of failed calls is too large; fast failures count fully here.
    pub(crate) fn failures<S: SampleStore>(
        &self,
        settings: &PackedPolicy,
        window: &Window<S>,
        evidence: &Evidence,
        stalled: u16,
        now: MonotonicInstant,
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
