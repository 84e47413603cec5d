//! Looks at the breaker for all readers at once.

use std::convert::Infallible;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use event_listener::Event as Notification;
use serde::Serialize;
use smol::channel::{Sender, bounded};
use smol::future::or;
use tripline_runtime::Clock;
use tripline_runtime::core::Instant;
use tripline_runtime::core::planted::planted;

use super::history::{History, INTERVAL};
use super::places::{Places, SubscriberSlot};
use super::settings::{Settings, Totals};
use super::subscriber::{MIN_GAP, Source};
use crate::api::scope::LiveHandle;
use crate::api::spawner::Spawner;
use crate::api::status::Status;
use crate::circuit::{Circuit, EventLog, Observer};

/// How often figures are drawn while there is a reader and nothing happens.
const TICK: Duration = Duration::from_millis(500);
/// Between two looks: what happens within it is seen at once.
const DEBOUNCE: Duration = Duration::from_millis(2);

/// The figures, drawn for everybody who reads, and who records what happens.
#[derive(Debug)]
pub(super) struct Publisher {
    circuit: Circuit,
    live: LiveHandle,
    clock: Arc<dyn Clock>,
    history: History,
    shared: Arc<Shared>,
    /// Closed when the publisher is dropped, which ends the recording.
    recorder: OnceLock<Sender<Infallible>>,
}

#[derive(Debug)]
struct Shared {
    timeline: EventLog,
    places: Places,
    board: Mutex<SnapshotCache>,
    /// The board or the timeline has changed.
    news: Notification,
}

/// The newest figures.
#[derive(Debug, Default)]
struct SnapshotCache {
    /// The session of readers that they were drawn in last.
    drawn_in: Option<u64>,
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

impl Publisher {
    pub(super) fn new(circuit: Circuit, live: LiveHandle, clock: Arc<dyn Clock>) -> Self {
        let timeline = circuit.events().clone();
        let shared = Shared { timeline, places: Places::default(), board: Mutex::default(), news: Notification::new() };
        Self { circuit, live, clock, history: History::default(), shared: Arc::new(shared), recorder: OnceLock::new() }
    }

    /// Begins to record events of the circuit on `spawner`, unless it has begun already; until the publisher is dropped.
    pub(super) fn start(&self, spawner: &Spawner) {
        let record = || {
            let (alive, ended) = bounded(1);
            let mut recorder = Recorder {
                observer: Observer::default(),
                circuit: self.circuit.clone(),
                live: self.live.clone(),
                clock: self.clock.clone(),
                history: self.history.clone(),
                shared: self.shared.clone(),
            };
            spawner.spawn(async move {
                let ended = async {
                    let _ = ended.recv().await;
                };
                or(recorder.run(), ended).await;
                recorder.observe();
            });
            alive
        };
        self.recorder.get_or_init(record);
    }

    /// A place for one more reader; `None` where every place is taken by a reader that began a moment ago.
    pub(super) fn enter(&self) -> Option<SubscriberSlot> {
        let slot = self.shared.places.enter(self.clock.now())?;
        self.shared.timeline.wake();
        Some(slot)
    }

    pub(super) fn history(&self) -> &History {
        &self.history
    }
}

impl Source for Publisher {
    type Seen = [u64; PARTS];

    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn log(&self) -> &EventLog {
        &self.shared.timeline
    }

    fn news(&self) -> impl Future<Output = ()> + Send {
        self.shared.news.listen()
    }

    fn write_newer(&self, seen: &mut [u64; PARTS], text: &mut String) -> bool {
        let session = self.shared.places.session();
        let board = self.shared.lock();
        if session.is_none() || board.drawn_in != session {
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

impl Shared {
    /// Whether there is a reader, and whether nothing is drawn yet.
    fn is_read(&self) -> (bool, bool) {
        let session = self.places.session();
        (session.is_some(), self.lock().drawn_in != session)
    }

    fn draw(&self, circuit: &Circuit, live: &LiveHandle) {
        let breaker = circuit.breaker();
        let status = Status::of(circuit, live.config_error(), live.alert_problem(circuit));
        let parts = [
            event("status", &status.with_fleet(live.fleet_summary(circuit))),
            event("settings", &Settings::of(breaker)),
            event("counts", &Totals::of(breaker)),
        ];
        let session = self.places.session();
        let mut board = self.lock();
        board.drawn_in = session;
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
pub(super) fn event(name: &str, figures: &impl Serialize) -> String {
    // Names and numbers always serialize.
    let json = serde_json::to_string(figures).unwrap_or_default();
    format!("event: {name}\ndata: {json}\n\n")
}

/// The task that observes the circuit.
struct Recorder {
    observer: Observer,
    circuit: Circuit,
    live: LiveHandle,
    clock: Arc<dyn Clock>,
    history: History,
    shared: Arc<Shared>,
}

impl Recorder {
    /// Logs what is new; returns whether anything is.
    fn observe(&mut self) -> bool {
        self.observer.observe(self.circuit.breaker(), &self.shared.timeline)
    }

    async fn run(&mut self) {
        let Self { observer, circuit, live, clock, history, shared } = self;
        let breaker = circuit.breaker();
        let mut drawn: Option<Instant> = None;
        let mut is_stale = true;
        let mut next_reading = clock.now();
        loop {
            let now = clock.now();
            // A clock that was set back must put off neither the next reading nor the next figures.
            next_reading = next_reading.min(now + INTERVAL);
            drawn = drawn.filter(|drawn| *drawn <= now);
            if now >= next_reading {
                history.record(breaker);
                next_reading = now + INTERVAL;
            }
            // Before looking, so that nothing happens unseen.
            let (changed, woken) = (breaker.changed(), shared.timeline.changed());
            is_stale |= observer.observe(breaker, &shared.timeline);
            let (is_read, is_empty) = shared.is_read();
            is_stale |= is_empty;
            let gap = if is_stale { MIN_GAP } else { TICK };
            if is_read && drawn.is_none_or(|drawn| now.since(drawn) >= gap) {
                shared.draw(circuit, live);
                drawn = Some(now);
                is_stale = false;
            }
            if !planted("events: readers are not woken") {
                shared.news.notify(usize::MAX);
            }
            let next = drawn.filter(|_| is_read).map(|drawn| drawn + if is_stale { MIN_GAP } else { TICK });
            let tick = clock.sleep_until(next.map_or(next_reading, |next| next.min(next_reading)));
            or(or(changed, woken), tick).await;
            clock.sleep_until(clock.now() + DEBOUNCE).await;
        }
    }
}
