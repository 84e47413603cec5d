//! A queue of entries on virtual time.

use std::collections::BTreeMap;

use tripline_core::Instant;

/// Entries on virtual time, ordered by instant, then by rank, then by insertion.
///
/// [`ManualClock`](crate::ManualClock) stores its sleepers in one; a simulation can store its own events in another.
///
/// ```
/// use tripline_runtime::core::Instant;
/// use tripline_runtime::test_util::Schedule;
///
/// let mut schedule = Schedule::default();
/// let later = Instant::from_millis(2);
/// schedule.add(later, 1, "asks");
/// schedule.add(later, 0, "ends");
/// schedule.add(Instant::from_millis(1), 1, "first");
/// assert_eq!(schedule.next_at(), Some(Instant::from_millis(1)));
/// let order: Vec<_> = std::iter::from_fn(|| schedule.pop()).map(|(_, what)| what).collect();
/// assert_eq!(order, ["first", "ends", "asks"]);
/// ```
#[derive(Debug, Clone)]
pub struct Schedule<T> {
    due: BTreeMap<Place, T>,
    added: u64,
}

/// A position in a [`Schedule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    at: Instant,
    rank: u8,
    number: u64,
}

impl<T> Schedule<T> {
    /// Adds `what` at an instant. Among entries of one instant, a lower rank comes first.
    pub fn add(&mut self, at: Instant, rank: u8, what: T) -> Place {
        self.added = self.added.wrapping_add(1);
        let place = Place { at, rank, number: self.added };
        self.due.insert(place, what);
        place
    }

    /// Puts `what` at this position, replacing any entry there.
    pub fn put(&mut self, place: Place, what: T) {
        self.due.insert(place, what);
    }

    /// Removes the entry at this position.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        self.due.remove(&place)
    }

    /// Returns the number of entries.
    pub fn count(&self) -> usize {
        self.due.len()
    }

    /// Returns the instant of the next entry.
    pub fn next_at(&self) -> Option<Instant> {
        self.due.keys().next().map(|place| place.at)
    }

    /// Removes the next entry.
    pub fn pop(&mut self) -> Option<(Instant, T)> {
        self.due.pop_first().map(|(place, what)| (place.at, what))
    }

    /// Removes the next entry if it is due at `now`.
    pub fn pop_due(&mut self, now: Instant) -> Option<T> {
        self.next_at().filter(|&at| at <= now)?;
        self.pop().map(|(_, what)| what)
    }
}

impl<T> Default for Schedule<T> {
    fn default() -> Self {
        Self { due: BTreeMap::new(), added: 0 }
    }
}
