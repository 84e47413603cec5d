//! The supervisor: samples memory, advances time, logs events and stages alerts.

pub(crate) mod agenda;
mod alert_poll;
pub(crate) mod arrivals;
#[cfg(feature = "smol")]
pub(crate) mod background;
mod event_log;
mod family;
mod fleet_place;
mod member_pages;
mod readings;
pub(crate) mod shutdown;
pub(crate) mod target;
mod timers;
mod watched;

use std::collections::BTreeMap;

use futures_lite::future;
use tripline_core::Instant;

use crate::clock::Clock;
use crate::dispatch::Dispatcher;
use crate::supervisor::agenda::{Agenda, Task};
use crate::supervisor::arrivals::SupervisionHandle;
use crate::supervisor::readings::Readings;
use crate::supervisor::shutdown::ShutdownHandle;
use crate::supervisor::target::SupervisedBreaker;
use crate::supervisor::timers::{SETTLE_CHECK, Timers};
use crate::supervisor::watched::Watched;
use crate::sync::Arc;

/// Supervises breakers; a future for any executor. Created together with its [`Dispatcher`] by [`supervise`].
///
/// A wake handles only due and changed breakers, however many there are. A memory source that several breakers share is
/// read once for all of them that are due.
#[derive(Debug)]
#[must_use = "a supervisor does nothing until `run`"]
pub struct Supervisor {
    clock: Arc<dyn Clock>,
    agenda: Arc<Agenda>,
    timers: Timers,
    /// By place.
    watched: BTreeMap<usize, Watched>,
    handle: SupervisionHandle,
    /// When the last poll began.
    looked_at: Instant,
    stop: ShutdownHandle,
}

/// Creates a supervisor for these breakers and the dispatcher of their alerts; both run until `stop`.
///
/// `clock` must be the clock of the breakers; `seed` feeds the jitter of retries.
pub fn supervise(
    clock: Arc<dyn Clock>,
    targets: impl IntoIterator<Item = SupervisedBreaker>,
    seed: u64,
) -> (Supervisor, Dispatcher, ShutdownHandle) {
    let stop = ShutdownHandle::default();
    let dispatcher = Dispatcher::new(clock.clone(), stop.clone(), seed);
    let now = clock.now();
    let agenda = Arc::new(Agenda::new(now));
    let handle = SupervisionHandle::new(clock.clone(), agenda.clone(), dispatcher.intake().clone());
    for target in targets {
        handle.add(target);
    }
    let (timers, watched) = (Timers::default(), BTreeMap::new());
    (Supervisor { clock, agenda, timers, watched, handle, looked_at: now, stop: stop.clone() }, dispatcher, stop)
}

impl Supervisor {
    /// The way to give it more breakers while it runs.
    pub fn handle(&self) -> SupervisionHandle {
        self.handle.clone()
    }

    /// Runs until it is stopped. The future is `Send` and `'static`, and needs only polling from the executor. Dropping
    /// it is safe: events and due alerts wait for the next supervisor.
    pub async fn run(mut self) {
        loop {
            // Listens first, then checks, so that no change in between is missed.
            let stopped = self.stop.listen();
            let called = self.agenda.listen();
            if self.stop.is_set() {
                break;
            }
            let next = self.look();
            let sleep = async {
                match next {
                    Some(deadline) => self.clock.sleep_until(deadline).await,
                    None => future::pending().await,
                }
            };
            future::or(future::or(stopped, sleep), called).await;
        }
        self.watched.extend(self.handle.close());
        for watched in self.watched.values_mut() {
            watched.end(&*self.clock);
        }
    }

    /// Handles all tasks that were called or are due. Returns when to poll again.
    fn look(&mut self) -> Option<Instant> {
        let now = self.clock.now();
        self.agenda.look_begins(now);
        self.watched.extend(self.handle.take());
        if now < self.looked_at {
            // The clock was set back: a deadline on it may now be far in the future.
            self.timers.set_back(now);
            self.watched.keys().for_each(|&place| self.timers.set(&Task::Target(place), Some(now)));
        }
        self.looked_at = now;
        let mut due = self.agenda.take_called();
        while let Some(task) = self.timers.pop_due(now) {
            due.insert(task);
        }
        let mut readings = Readings::default();
        for task in due {
            let (Task::Target(place) | Task::Member(place, _)) = &task;
            let Some(watched) = self.watched.get_mut(place) else { continue };
            let next = match &task {
                Task::Target(_) => watched.look_after(now, &*self.clock, &mut readings),
                Task::Member(_, key) => watched.look_after_member(key, &*self.clock),
            };
            let is_leaving = matches!(task, Task::Target(_)) && self.handle.is_leaving(watched.breaker());
            if is_leaving && watched.is_settled() && self.handle.leave(watched.breaker()) {
                watched.leave(&self.agenda);
                watched.retire(self.handle.intake());
                self.watched.remove(place);
                self.timers.set(&task, None);
                continue;
            }
            let check = is_leaving.then(|| now + SETTLE_CHECK);
            self.timers.set(&task, [next, check].into_iter().flatten().min());
        }
        let next = self.timers.next();
        self.agenda.look_ends(next);
        next
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.watched.extend(self.handle.close());
        self.watched.values().for_each(|watched| watched.leave(&self.agenda));
    }
}
