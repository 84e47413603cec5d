//! How much room a breaker takes for calls that meet.

/// Room for what happens at once. None of it changes a decision where there is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BreakerSize {
    /// Reports that can wait while another thread owns the core; a power of two, at least 4.
    pub(crate) waiting_reports: usize,
    /// Epochs of calls in flight that are kept apart; older ones are merged.
    pub(crate) epochs: StallEpochs,
    /// Calls that left without a report are counted by so many low bits of their epoch; a power of two.
    pub(crate) cancelled_epochs: usize,
}

/// Epochs of calls in flight that are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StallEpochs {
    /// 48: about 18 are younger than the threshold.
    Many,
    /// 16: a call that hangs may count a 16th of the threshold later.
    Few,
}

impl BreakerSize {
    /// For a breaker that many threads use.
    pub(crate) const FULL: Self = Self {
        waiting_reports: if cfg!(tripline_loom) { 4 } else { 64 },
        epochs: StallEpochs::Many,
        cancelled_epochs: 64,
    };

    /// For one of very many breakers.
    pub(crate) const COMPACT: Self = Self {
        waiting_reports: if cfg!(tripline_loom) { 4 } else { 8 },
        epochs: StallEpochs::Few,
        cancelled_epochs: 32,
    };
}
