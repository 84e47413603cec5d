//! Events in a bounded queue that never blocks and counts what it drops.

use crate::generation::Generation;
use crate::memory::MemoryState;
use crate::monotonic::MonotonicInstant;
use crate::ring::Ring;
use crate::state::{Cause, StateKind, TripReason};

/// How many events wait to be polled; the oldest goes when one more comes. 4 on targets with 32-bit pointers, where a
/// breaker is to be small, else 8. No call makes more than 4.
pub const EVENT_CAPACITY: usize = if cfg!(target_pointer_width = "64") { 8 } else { 4 };

/// Something that happened, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The breaker's own time: it never goes back.
    pub at: MonotonicInstant,
    /// The generation in force afterwards.
    pub generation: Generation,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A transition, or a `reset` that keeps the state.
    Transition {
        /// The state before.
        from: StateKind,
        /// The state now.
        to: StateKind,
        /// Why.
        cause: Cause,
    },
    /// What is known of memory changed.
    Memory(MemoryState),
    /// Memory is forecast to run out within `memory_horizon`, or no longer.
    #[cfg(feature = "forecast")]
    MemoryForecast {
        /// It is forecast now. What is unknown runs out no longer, too.
        runs_out: bool,
    },
    /// An incident began.
    IncidentStarted(IncidentCause),
    /// The incident is over.
    IncidentEnded(IncidentEnd),
    /// The last trip was a false one: its first probes were all good. The evidence must last longer from now on.
    FalseTrip,
    /// The clock was set back; time goes on from where it was.
    ClockJumpedBack,
}

/// What an incident began with.
///
/// Conditions are counted together: the incident begins when there was one or the other for `recovery_time` without a break,
/// and its cause is the one that holds then, memory before latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum IncidentCause {
    /// The breaker opened.
    Trip(TripReason),
    /// The percentile is above the threshold, held back from tripping.
    LatencyCondition,
    /// Memory is forecast to run out, without tripping.
    #[cfg(feature = "forecast")]
    MemoryCondition,
}

impl IncidentCause {
    /// The name as it stands in logs and alerts.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trip(reason) => reason.as_str(),
            Self::LatencyCondition => "latency_condition",
            #[cfg(feature = "forecast")]
            Self::MemoryCondition => "memory_condition",
        }
    }
}

/// How an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum IncidentEnd {
    /// The breaker was closed and healthy for `recovery_time`.
    Healthy,
    /// An operator reset or disabled the breaker.
    Operator,
}

/// The events that were not polled yet.
#[derive(Debug, Clone)]
pub(crate) struct EventQueue {
    waiting: Ring<Event, [Event; EVENT_CAPACITY]>,
    emitted: u32,
    dropped: u32,
}

impl EventQueue {
    pub(crate) const fn new() -> Self {
        const FILLER: Event =
            Event { at: MonotonicInstant::ZERO, generation: Generation::new(0), kind: EventKind::ClockJumpedBack };
        Self { waiting: Ring::new([FILLER; EVENT_CAPACITY]), emitted: 0, dropped: 0 }
    }

    pub(crate) fn push(&mut self, event: Event) {
        if usize::from(self.waiting.len()) >= EVENT_CAPACITY {
            let _ = self.waiting.pop_front();
            self.dropped = self.dropped.saturating_add(1);
        }
        let _ = self.waiting.push_back(event);
        self.emitted = self.emitted.wrapping_add(1);
    }

    /// Events that ever came in; wraps.
    pub(crate) const fn emitted(&self) -> u32 {
        self.emitted
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }

    /// Events that were lost because they were not polled in time.
    pub(crate) const fn dropped(&self) -> u32 {
        self.dropped
    }
}
