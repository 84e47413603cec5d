//! Looks at the breaker for all readers at once.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use event_listener::{Event as Notification, EventListener};
use serde::Serialize;
use smol::Timer;
use smol::channel::{Receiver, Sender, bounded};
use smol::future::or;

use super::history::{History, INTERVAL};
use super::settings::{Settings, Totals};
use crate::api::scope::LiveHandle;
use crate::api::status::Status;
use crate::circuit::{Circuit, EventLog, Observer};

/// How many can read at a time.
pub(super) const MAX_READERS: usize = 32;
/// When all places are taken, the oldest reader gives way if it has read for this long. A reader that still exists connects again;
/// one that reads nothing does not.
const MIN_READING_TIME: Duration = Duration::from_secs(10);
/// Figures are drawn no more often, and no reader is sent more often.
pub(super) const MIN_GAP: Duration = Duration::from_millis(100);
/// How often figures are drawn while there is a reader and nothing happens.
const TICK: Duration = Duration::from_millis(500);
/// Between two looks: what happens within it is seen at once.
const DEBOUNCE: Duration = Duration::from_millis(2);

/// The figures, drawn for everybody who reads, and who records what happens.
#[derive(Debug)]
pub(super) struct Publisher {
    circuit: Circuit,
    live: LiveHandle,
    history: History,
    shared: Arc<Shared>,
    recorder: OnceLock<smol::Task<()>>,
}

#[derive(Debug)]
struct Shared {
    timeline: EventLog,
    board: Mutex<SnapshotCache>,
    /// The board or the timeline has changed.
    news: Notification,
}

/// The newest figures.
#[derive(Debug, Default)]
struct SnapshotCache {
    /// The oldest first.
    readers: VecDeque<Reader>,
    last_reader: u64,
    /// Drawn since the first of the readers came.
    is_fresh: bool,
    parts: [Part; PARTS],
}

/// A reader that has a place.
#[derive(Debug)]
struct Reader {
    id: u64,
    since: Instant,
    /// Closed when it gives way.
    _place: Sender<Infallible>,
}

/// One kind of figures, as it is sent.
#[derive(Debug, Default)]
struct Part {
    text: String,
    version: u64,
}

/// Status, settings, counts.
pub(super) const PARTS: usize = 3;

/// A reader's place; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct SubscriberSlot {
    shared: Arc<Shared>,
    id: u64,
    given_up: Receiver<Infallible>,
}

impl SubscriberSlot {
    /// Resolves when the place goes to another reader.
    pub(super) async fn given_up(&self) {
        let _ = self.given_up.recv().await;
    }
}

impl Publisher {
    pub(super) fn new(circuit: Circuit, live: LiveHandle) -> Self {
        let timeline = circuit.events().clone();
        let shared = Shared { timeline, board: Mutex::default(), news: Notification::new() };
        Self { circuit, live, history: History::default(), shared: Arc::new(shared), recorder: OnceLock::new() }
    }

    /// Begins to record events of the circuit, unless it has begun already; until the publisher is dropped.
    pub(super) fn start(&self) {
        let record = || {
            let history = self.history.clone();
            smol::spawn(record(self.circuit.clone(), self.live.clone(), history, self.shared.clone()))
        };
        self.recorder.get_or_init(record);
    }

    /// A place for one more reader; `None` where every place is taken by a reader that began a moment ago.
    pub(super) fn enter(&self) -> Option<SubscriberSlot> {
        let (id, given_up) = self.shared.lock().enter(Instant::now())?;
        self.shared.timeline.wake();
        Some(SubscriberSlot { shared: self.shared.clone(), id, given_up })
    }

    pub(super) fn history(&self) -> &History {
        &self.history
    }

    pub(super) fn timeline(&self) -> &EventLog {
        &self.shared.timeline
    }

    /// Resolves when there is something new.
    pub(super) fn news(&self) -> EventListener {
        self.shared.news.listen()
    }

    /// Appends the figures that are newer than `seen`; false while none are drawn.
    pub(super) fn write_newer(&self, seen: &mut [u64; PARTS], text: &mut String) -> bool {
        let board = self.shared.lock();
        if !board.is_fresh {
            return false;
        }
        for (part, seen) in board.parts.iter().zip(seen) {
            if part.version != *seen {
                *seen = part.version;
                text.push_str(&part.text);
            }
        }
        true
    }
}

impl SnapshotCache {
    fn enter(&mut self, now: Instant) -> Option<(u64, Receiver<Infallible>)> {
        if self.readers.len() >= MAX_READERS {
            let oldest = self.readers.front()?;
            if now.saturating_duration_since(oldest.since) < MIN_READING_TIME {
                return None;
            }
            self.readers.pop_front();
        }
        let (place, given_up) = bounded(1);
        self.last_reader += 1;
        self.readers.push_back(Reader { id: self.last_reader, since: now, _place: place });
        Some((self.last_reader, given_up))
    }
}

impl Drop for SubscriberSlot {
    fn drop(&mut self) {
        let mut board = self.shared.lock();
        board.readers.retain(|reader| reader.id != self.id);
        if board.readers.is_empty() {
            board.is_fresh = false;
        }
    }
}

impl Shared {
    /// Whether there is a reader, and whether nothing is drawn yet.
    fn is_read(&self) -> (bool, bool) {
        let board = self.lock();
        (!board.readers.is_empty(), !board.is_fresh)
    }

    fn draw(&self, circuit: &Circuit, live: &LiveHandle) {
        let breaker = circuit.breaker();
        let parts = [
            event("status", &Status::of(circuit, live.config_error(), live.alert_problem(circuit))),
            event("settings", &Settings::of(breaker)),
            event("counts", &Totals::of(breaker)),
        ];
        let mut board = self.lock();
        board.is_fresh = true;
        for (part, text) in board.parts.iter_mut().zip(parts) {
            if part.text != text {
                *part = Part { text, version: part.version + 1 };
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, SnapshotCache> {
        // Nothing can panic while it holds the lock.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One line of JSON as a server-sent event.
fn event(name: &str, figures: &impl Serialize) -> String {
    // Names and numbers always serialize.
    let json = serde_json::to_string(figures).unwrap_or_default();
    format!("event: {name}\ndata: {json}\n\n")
}

async fn record(circuit: Circuit, live: LiveHandle, history: History, shared: Arc<Shared>) {
    let breaker = circuit.breaker();
    let mut observer = Observer::default();
    let mut drawn: Option<Instant> = None;
    let mut is_stale = true;
    let mut next_reading = Instant::now();
    loop {
        if Instant::now() >= next_reading {
            history.record(breaker);
            next_reading = Instant::now() + INTERVAL;
        }
        // Before looking, so that nothing happens unseen.
        let (changed, woken) = (breaker.changed(), shared.timeline.changed());
        is_stale |= observer.observe(breaker, &shared.timeline);
        let (is_read, is_empty) = shared.is_read();
        is_stale |= is_empty;
        let gap = if is_stale { MIN_GAP } else { TICK };
        if is_read && drawn.is_none_or(|drawn| drawn.elapsed() >= gap) {
            shared.draw(&circuit, &live);
            drawn = Some(Instant::now());
            is_stale = false;
        }
        shared.news.notify(usize::MAX);
        let next = drawn.filter(|_| is_read).map(|drawn| drawn + if is_stale { MIN_GAP } else { TICK });
        let tick = async {
            Timer::at(next.map_or(next_reading, |next| next.min(next_reading))).await;
        };
        or(or(changed, woken), tick).await;
        Timer::after(DEBOUNCE).await;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_reader_gives_way_after_a_while() {
        let start = Instant::now();
        let mut board = SnapshotCache::default();
        let readers: Vec<_> = (0..MAX_READERS).map(|_| board.enter(start).unwrap().1).collect();
        assert!(board.enter(start + MIN_READING_TIME / 2).is_none());
        assert!(readers.iter().all(|reader| !reader.is_closed()));
        let (_, newest) = board.enter(start + MIN_READING_TIME).unwrap();
        let cut: Vec<bool> = readers.iter().map(Receiver::is_closed).collect();
        assert_eq!(cut.iter().filter(|cut| **cut).count(), 1);
        assert!(cut[0] && !newest.is_closed());
        assert_eq!(board.readers.len(), MAX_READERS);
    }
}
