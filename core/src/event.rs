//! Events in a bounded queue that never blocks and counts the events it drops.

use crate::generation::Generation;
use crate::memory::MemoryState;
use crate::monotonic::MonotonicInstant;
use crate::ring::Ring;
use crate::state::{Cause, StateKind, TripReason};

/// Capacity of the event queue. When it is full, a new event replaces the oldest. 4 on targets with 32-bit pointers, to
/// keep a breaker small; 8 elsewhere. One call emits at most 4 events.
pub const EVENT_CAPACITY: usize = if cfg!(target_pointer_width = "64") { 8 } else { 4 };

/// An event and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// The time, in the breaker's own time, which never goes back.
    pub at: MonotonicInstant,
    /// The generation in force after the event.
    pub generation: Generation,
    /// The kind of event.
    pub kind: EventKind,
}

/// The kind of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventKind {
    /// A transition, or a `reset` that kept the state.
    Transition {
        /// The state before.
        from: StateKind,
        /// The state now.
        to: StateKind,
        /// The cause of the transition.
        cause: Cause,
    },
    /// The memory state changed.
    Memory(MemoryState),
    /// The forecast that memory runs out within `memory_horizon` began or ended.
    #[cfg(feature = "forecast")]
    MemoryForecast {
        /// Whether it is forecast now. False if memory became unknown.
        runs_out: bool,
    },
    /// An incident began.
    IncidentStarted(IncidentCause),
    /// The incident ended.
    IncidentEnded(IncidentEnd),
    /// The last trip was false: its first probes were all good. Evidence must last longer from now on.
    FalseTrip,
    /// The clock was set back. The breaker's own time continues from its latest instant.
    ClockJumpedBack,
}

/// The cause of an incident.
///
/// The two conditions are counted together: an incident begins once either of them has held for `recovery_time` without
/// a break. Its cause is the condition that holds then, memory before latency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum IncidentCause {
    /// The breaker opened.
    Trip(TripReason),
    /// The percentile is above the threshold, but did not trip the breaker.
    LatencyCondition,
    /// Memory is forecast to run out, and the forecast does not trip.
    #[cfg(feature = "forecast")]
    MemoryCondition,
}

impl IncidentCause {
    /// The name used in logs and alerts.
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

/// The events that are not polled yet.
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

    /// Number of events ever pushed; wraps.
    pub(crate) const fn emitted(&self) -> u32 {
        self.emitted
    }

    pub(crate) fn pop(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }

    /// Events that were dropped because they were not polled in time.
    pub(crate) const fn dropped(&self) -> u32 {
        self.dropped
    }
}
