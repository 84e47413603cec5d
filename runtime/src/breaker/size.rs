//! The capacity of a breaker for concurrent calls.

/// Capacity for concurrent calls. It changes no decision as long as it suffices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BreakerSize {
    /// Reports that can wait while another thread owns the core; a power of two, at least 4.
    pub(crate) waiting_reports: usize,
    /// Epochs of calls in flight that are stored separately; older ones are merged.
    pub(crate) epochs: StallEpochs,
}

/// Number of epochs of calls in flight that are stored separately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StallEpochs {
    /// 48: about 18 are younger than the threshold.
    Many,
    /// 16: a hanging call may count a 16th of the threshold later.
    Few,
}

impl BreakerSize {
    /// For a breaker that many threads use.
    pub(crate) const FULL: Self =
        Self { waiting_reports: if cfg!(tripline_loom) { 4 } else { 64 }, epochs: StallEpochs::Many };

    /// For one of very many breakers.
    pub(crate) const COMPACT: Self =
        Self { waiting_reports: if cfg!(tripline_loom) { 4 } else { 8 }, epochs: StallEpochs::Few };
}
