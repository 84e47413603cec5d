//! The report of a replay beside its output.

use super::access_log::LogReport;
use super::driver::Totals;
use super::names::Warning;
use super::reading::Findings;
use super::unusable::Usage;

/// How an input was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct InputReport {
    /// Records that were replayed.
    pub records: u64,
    /// Calls longer than [`Reading::max_latency`](super::Reading::max_latency).
    pub shortened: u64,
    /// Calls that count as started later than they were, because too many records are held at once.
    pub started_late: u64,
    /// The most records that were held at once.
    pub peak_held: usize,
    /// Fields that were passed over and look misspelt, each name once; at most 16.
    pub warnings: Vec<Warning>,
    /// How many lines were used, and why others were not.
    pub usage: Usage,
    /// The report on an access log; `None` where the input is not one.
    pub log: Option<LogReport>,
}

impl InputReport {
    pub(super) fn new(totals: Totals, findings: Findings) -> Self {
        let Totals { records, shortened, started_late, peak_held } = totals;
        let Findings { warnings, log, usage } = findings;
        Self { records, shortened, started_late, peak_held, warnings, usage, log }
    }
}
