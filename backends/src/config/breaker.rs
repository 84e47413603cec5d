//! The settings of one breaker.

use tripline_runtime::core::{CapacityError, Policy};
use tripline_runtime::{Breaker, BreakerName};

use super::family::FamilyConfig;
use super::opsgenie::OpsGenie;
use super::webhook::Webhook;
use crate::memory::{MemorySourceKind, MemoryUsed};

/// The settings of one named breaker, with every default filled in. What concerns the process as a whole is in
/// [`Config`](super::Config).
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// Name of the breaker. Default: `default`.
    pub name: BreakerName,
    /// The policy that the breaker decides by.
    pub policy: Policy,
    /// Where memory is measured. Default: auto.
    pub memory_source: MemorySourceKind,
    /// Which memory counts as used. Default: unreclaimable.
    pub memory_used: MemoryUsed,
    /// Whether calls in flight are watched. Default: true.
    pub stall_detection: bool,
    /// Whether it is a family, and of what kind.
    pub family: FamilyConfig,
    /// Whether its alerts go to the pagers that are on; `[breakers.NAME.alerts]` can switch them off. Default: true.
    pub alerts_enabled: bool,
    /// Alerts to any address, `[webhook]`.
    pub webhook: Webhook,
    /// More of these, `[[webhooks]]`.
    pub webhooks: Vec<Webhook>,
    /// Alerts to `OpsGenie` or its successor, and the stages of every alert.
    pub opsgenie: OpsGenie,
}

impl Default for BreakerConfig {
    fn default() -> Self {
        Self {
            name: BreakerName::default(),
            policy: Policy::default(),
            memory_source: MemorySourceKind::Auto,
            memory_used: MemoryUsed::Unreclaimable,
            stall_detection: true,
            family: FamilyConfig::default(),
            alerts_enabled: true,
            webhook: Webhook::default(),
            webhooks: Vec::new(),
            opsgenie: OpsGenie::default(),
        }
    }
}

impl BreakerConfig {
    /// Whether it is a family: a breaker for each key.
    pub fn is_family(&self) -> bool {
        self.family.key.is_some()
    }

    /// Switches every pager off where the breaker's alerts are off.
    pub(super) fn settle_alerts(&mut self) {
        if !self.alerts_enabled {
            self.opsgenie.enabled = false;
            self.webhook.enabled = false;
            self.webhooks.iter_mut().for_each(|webhook| webhook.enabled = false);
        }
    }

    /// Sets the policy of a running breaker, which had that of `old`. The window is kept. Whether the breaker is enabled changes
    /// only where the settings change it: an operator may have switched it.
    ///
    /// # Errors
    /// [`CapacityError`] where the window is larger than the breaker's; the keys of the file allow none.
    pub fn apply_policy(&self, old: &Self, breaker: &Breaker) -> Result<(), CapacityError> {
        let mut policy = self.policy.clone();
        if old.policy.enabled == self.policy.enabled {
            policy.enabled = breaker.enabled();
        }
        breaker.set_policy(&policy)
    }
}
