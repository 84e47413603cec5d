//! Operator actions that the core does not store, and their record that survives a restart.

use tripline_core::Trip;

/// Operator actions that the core does not store. Locked only while the core is owned.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    /// The last trip that an operator's simulation caused.
    pub(crate) drill: Option<Trip>,
    /// Whether an operator, and not a policy, disabled the breaker.
    pub(crate) is_disabled: bool,
}

/// Operator actions on a breaker that stay in force after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct OperatorRecord {
    /// Whether an operator disabled it.
    pub disabled: bool,
    /// Whether it is forced open.
    pub forced_open: bool,
    /// Whether exhausted memory is simulated.
    pub simulates_memory: bool,
    /// Whether slow calls are simulated.
    pub simulates_latency: bool,
}
