//! What is due on virtual time, in order.

use std::collections::BTreeMap;

use tripline_core::Instant;

/// What is due on virtual time: by instant, at one instant by rank, and then in the order in which it was added.
///
/// [`ManualClock`](crate::ManualClock) keeps its sleepers in one, and a simulation of its own events can keep those in another.
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

/// A place in a [`Schedule`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    at: Instant,
    rank: u8,
    number: u64,
}

impl<T> Schedule<T> {
    /// Adds `what` at an instant. What has a lower rank comes first there.
    pub fn add(&mut self, at: Instant, rank: u8, what: T) -> Place {
        self.added = self.added.wrapping_add(1);
        let place = Place { at, rank, number: self.added };
        self.due.insert(place, what);
        place
    }

    /// Puts `what` in this place, whether or not something is there.
    pub fn put(&mut self, place: Place, what: T) {
        self.due.insert(place, what);
    }

    /// Takes out what is in this place.
    pub fn remove(&mut self, place: Place) -> Option<T> {
        self.due.remove(&place)
    }

    /// The instant of what comes next.
    pub fn next_at(&self) -> Option<Instant> {
        self.due.keys().next().map(|place| place.at)
    }

    /// Takes out what comes next.
    pub fn pop(&mut self) -> Option<(Instant, T)> {
        self.due.pop_first().map(|(place, what)| (place.at, what))
    }

    /// Takes out what comes next, if it is due at `now`.
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
