//! The order of pending events.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The kinds of events, in the order in which they come at the same instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Finish,
    Stall,
    Memory,
    Deadline,
    Start,
}

/// Something that happens to a record; the derived order is the order of the replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Event {
    /// Nanoseconds on the input's own line.
    pub(super) at: i64,
    pub(super) kind: Kind,
    /// Which record. Nothing depends on that of a deadline.
    pub(super) index: u64,
}

/// The events to come.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    events: BinaryHeap<Reverse<Event>>,
}

impl Schedule {
    pub(super) fn add(&mut self, at: i64, kind: Kind, index: u64) {
        self.events.push(Reverse(Event { at, kind, index }));
    }

    pub(super) fn first(&self) -> Option<Event> {
        self.events.peek().map(|event| event.0)
    }

    pub(super) fn take_first(&mut self) {
        self.events.pop();
    }

    /// Takes the first event out if it is of the same kind and instant as `event`.
    pub(super) fn take_like(&mut self, event: Event) -> Option<Event> {
        let next = self.first().filter(|next| next.at == event.at && next.kind == event.kind)?;
        self.take_first();
        Some(next)
    }
}
