//! The view of a replay while it runs.

use tripline_runtime::TripExplanation;
use tripline_runtime::core::{Latency, Outcome, StateKind, Trend, TripReason};

use super::error::ReplayError;

/// Watches one breaker live through a recording. Instants are nanoseconds on the input's own line.
pub(super) trait Observer {
    /// Time begins; nothing is reported before.
    fn begins(&mut self, _at: i64) {}

    /// A call asked whether it may be made. Never earlier than what was reported before.
    fn started(&mut self, _at: i64, _admitted: bool) {}

    /// The breaker went from one state to another. Never earlier than what was reported before.
    fn changed(&mut self, _change: &Change) {}

    /// Whether the breaker is to be looked at now that the record at `at` has been dealt with: O(window) each time.
    fn wants_view(&mut self, _at: i64) -> bool {
        false
    }

    /// A record and all before it have been dealt with. In the order of the input.
    fn done(&mut self, _record: &Done) -> Result<(), ReplayError> {
        Ok(())
    }

    /// Time ends; `percentile` is that of the window then.
    fn ends(&mut self, _at: i64, _percentile: Option<Latency>) {}
}

/// A record that has been dealt with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Done {
    pub(super) at: i64,
    /// `None` where it is only a reading of memory.
    pub(super) call: Option<DoneCall>,
    /// The breaker just afterwards, where the observer wanted it.
    pub(super) view: Option<View>,
}

/// A call that was made or rejected.
#[derive(Debug, Clone, Copy)]
pub(super) struct DoneCall {
    pub(super) admitted: bool,
    pub(super) latency: Latency,
    pub(super) outcome: Outcome,
}

/// A way from one state to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Change {
    pub(super) at: i64,
    pub(super) to: StateKind,
    /// Set where it is a trip: from closed to open. A bad probe that opens the breaker again is none.
    pub(super) trip: Option<TripAt>,
    /// The breaker closed again.
    pub(super) is_recovery: bool,
}

/// A trip, and the record it came with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct TripAt {
    pub(super) index: u64,
    pub(super) at: i64,
    pub(super) reason: TripReason,
    /// Calls that hung then, and counted as slow ones.
    pub(super) stalled: u16,
    /// With its evidence.
    pub(super) why: Option<TripExplanation>,
}

/// The view of the breaker after a record.
#[derive(Debug, Clone, Copy)]
pub(super) struct View {
    pub(super) state: StateKind,
    pub(super) percentile: Option<Latency>,
    pub(super) trend: Trend,
    /// Why it is open or half-open.
    pub(super) why: Option<TripExplanation>,
}
