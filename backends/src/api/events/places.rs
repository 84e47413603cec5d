//! The places of readers: a limited number, of which the oldest gives way to a new one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use smol::channel::{Receiver, Sender, bounded};
use tripline_runtime::core::Instant;

/// How many can read at a time.
pub(super) const MAX_READERS: usize = 32;
/// When all places are taken, the oldest reader gives way if it has read for this long. A reader that still exists connects again;
/// one that reads nothing does not.
const MIN_READING_TIME: Duration = Duration::from_secs(10);

/// The places for the readers of one stream. Clones share the same places.
#[derive(Debug, Clone, Default)]
pub(super) struct Places(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// The oldest first.
    readers: VecDeque<Reader>,
    last_reader: u64,
    /// How often a reader came when there was none.
    sessions: u64,
}

/// A reader that has a place.
#[derive(Debug)]
struct Reader {
    id: u64,
    since: Instant,
    /// Closed when it gives way.
    _place: Sender<Infallible>,
}

/// A reader's place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct SubscriberSlot {
    places: Places,
    id: u64,
    given_up: Receiver<Infallible>,
}

impl SubscriberSlot {
    /// Resolves when the place goes to another reader.
    pub(super) async fn given_up(&self) {
        let _ = self.given_up.recv().await;
    }
}

impl Places {
    /// A place for one more reader; `None` where every place is taken by a reader that began a moment ago.
    pub(super) fn enter(&self, now: Instant) -> Option<SubscriberSlot> {
        let (id, given_up) = self.lock().enter(now)?;
        Some(SubscriberSlot { places: self.clone(), id, given_up })
    }

    /// The number of the uninterrupted period with readers; `None` while there is no reader.
    pub(super) fn session(&self) -> Option<u64> {
        let inner = self.lock();
        (!inner.readers.is_empty()).then_some(inner.sessions)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing can panic while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn enter(&mut self, now: Instant) -> Option<(u64, Receiver<Infallible>)> {
        if self.readers.len() >= MAX_READERS {
            let oldest = self.readers.front()?;
            if now.since(oldest.since) < MIN_READING_TIME {
                return None;
            }
            self.readers.pop_front();
        }
        self.sessions += u64::from(self.readers.is_empty());
        let (place, given_up) = bounded(1);
        self.last_reader += 1;
        self.readers.push_back(Reader { id: self.last_reader, since: now, _place: place });
        Some((self.last_reader, given_up))
    }
}

impl Drop for SubscriberSlot {
    fn drop(&mut self) {
        self.places.lock().readers.retain(|reader| reader.id != self.id);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_reader_gives_way_after_a_while() {
        let start = Instant::ZERO;
        let places = Places::default();
        let readers: Vec<_> = (0..MAX_READERS).map(|_| places.enter(start).unwrap()).collect();
        assert!(places.enter(start + MIN_READING_TIME / 2).is_none());
        assert!(readers.iter().all(|reader| !reader.given_up.is_closed()));
        let newest = places.enter(start + MIN_READING_TIME).unwrap();
        let cut: Vec<bool> = readers.iter().map(|reader| reader.given_up.is_closed()).collect();
        assert_eq!(cut.iter().filter(|cut| **cut).count(), 1);
        assert!(cut[0] && !newest.given_up.is_closed());
        assert_eq!(places.lock().readers.len(), MAX_READERS);
    }

    #[test]
    fn a_session_ends_with_its_last_reader() {
        let (places, now) = (Places::default(), Instant::ZERO);
        assert_eq!(places.session(), None);
        let (one, two) = (places.enter(now).unwrap(), places.enter(now).unwrap());
        assert_eq!(places.session(), Some(1));
        drop(one);
        assert_eq!(places.session(), Some(1));
        drop(two);
        assert_eq!(places.session(), None);
        let _three = places.enter(now).unwrap();
        assert_eq!(places.session(), Some(2));
    }
}
