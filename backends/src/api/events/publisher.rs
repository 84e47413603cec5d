//! Looks at the breaker for all readers at once.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use event_listener::{Event as Notification, EventListener};
use serde::Serialize;
use smol::Timer;
use smol::future::or;

use super::settings::{Settings, Totals};
use crate::api::scope::LiveHandle;
use crate::api::status::Status;
use crate::circuit::{Circuit, EventLog, Observer};

/// How many can read at a time.
pub(super) const MAX_READERS: usize = 32;
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
    readers: usize,
    /// Drawn since the first of the readers came.
    is_fresh: bool,
    parts: [Part; PARTS],
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
}

impl Publisher {
    pub(super) fn new(circuit: Circuit, live: LiveHandle) -> Self {
        let timeline = circuit.events().clone();
        let shared = Shared { timeline, board: Mutex::default(), news: Notification::new() };
        Self { circuit, live, shared: Arc::new(shared), recorder: OnceLock::new() }
    }

    /// Begins to record events of the circuit, unless it has begun already; until the publisher is dropped.
    pub(super) fn start(&self) {
        let record = || smol::spawn(record(self.circuit.clone(), self.live.clone(), self.shared.clone()));
        self.recorder.get_or_init(record);
    }

    /// A place for one more reader.
    pub(super) fn enter(&self) -> Option<SubscriberSlot> {
        {
            let mut board = self.shared.lock();
            if board.readers == MAX_READERS {
                return None;
            }
            board.readers += 1;
        }
        self.shared.timeline.wake();
        Some(SubscriberSlot { shared: self.shared.clone() })
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

impl Drop for SubscriberSlot {
    fn drop(&mut self) {
        let mut board = self.shared.lock();
        board.readers -= 1;
        if board.readers == 0 {
            board.is_fresh = false;
        }
    }
}

impl Shared {
    /// Whether there is a reader, and whether nothing is drawn yet.
    fn is_read(&self) -> (bool, bool) {
        let board = self.lock();
        (board.readers > 0, !board.is_fresh)
    }

    fn draw(&self, circuit: &Circuit, live: &LiveHandle) {
        let breaker = circuit.breaker();
        let parts = [
            event("status", &Status::of(circuit, live.config_error())),
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

async fn record(circuit: Circuit, live: LiveHandle, shared: Arc<Shared>) {
    let breaker = circuit.breaker();
    let mut observer = Observer::default();
    let mut drawn: Option<Instant> = None;
    let mut is_stale = true;
    loop {
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
            match next {
                Some(next) => Timer::at(next).await,
                None => std::future::pending().await,
            };
        };
        or(or(changed, woken), tick).await;
        Timer::after(DEBOUNCE).await;
    }
}
