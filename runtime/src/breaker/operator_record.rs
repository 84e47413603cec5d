//! The actions of operators that the core does not remember, and their record that survives a restart.

use tripline_core::Trip;

/// The actions that the core does not remember. Locked only while the core is owned.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    /// The last trip that was taken because an operator simulated it.
    pub(crate) drill: Option<Trip>,
    /// An operator disabled it, and not a policy.
    pub(crate) is_disabled: bool,
}

/// The actions of operators on a breaker that stay in force after a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct OperatorRecord {
    /// An operator disabled it.
    pub disabled: bool,
    /// It is forced open.
    pub forced_open: bool,
    /// Exhausted memory is simulated.
    pub simulates_memory: bool,
    /// Slow calls are simulated.
    pub simulates_latency: bool,
}
