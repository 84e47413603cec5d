//! The supervisor: samples memory, lets time pass, logs events and stages alerts.

pub(crate) mod agenda;
#[cfg(feature = "smol")]
pub(crate) mod background;
mod event_log;
mod family;
mod fleet_place;
mod readings;
pub(crate) mod shutdown;
pub(crate) mod target;
mod timers;
mod watched;

use futures_lite::future;
use tripline_core::Instant;

use crate::clock::Clock;
use crate::dispatch::Dispatcher;
use crate::supervisor::agenda::{Agenda, Task};
use crate::supervisor::readings::Readings;
use crate::supervisor::shutdown::ShutdownHandle;
use crate::supervisor::target::SupervisedBreaker;
use crate::supervisor::timers::Timers;
use crate::supervisor::watched::Watched;
use crate::sync::Arc;

/// Looks after breakers, as a future for any executor. Made together with its [`Dispatcher`] by [`supervise`].
///
/// A wake looks after what is due and what has changed, however many breakers there are. A memory source that several breakers share
/// is read once for all of them that are due.
#[derive(Debug)]
#[must_use = "a supervisor does nothing until `run`"]
pub struct Supervisor {
    clock: Arc<dyn Clock>,
    agenda: Arc<Agenda>,
    timers: Timers,
    watched: Vec<Watched>,
    /// When the last look began.
    looked_at: Instant,
    stop: ShutdownHandle,
}

/// Makes a supervisor for these breakers and the dispatcher of their alerts; both run until `stop`.
///
/// `clock` must be the one that the breakers were made with, `seed` feeds the jitter of retries.
pub fn supervise(
    clock: Arc<dyn Clock>,
    targets: impl IntoIterator<Item = SupervisedBreaker>,
    seed: u64,
) -> (Supervisor, Dispatcher, ShutdownHandle) {
    let stop = ShutdownHandle::default();
    let mut dispatcher = Dispatcher::new(clock.clone(), stop.clone(), seed);
    let now = clock.now();
    let agenda = Arc::new(Agenda::new(now));
    let targets = targets.into_iter().enumerate();
    let watched: Vec<Watched> =
        targets.map(|(place, target)| Watched::new(place, target, &*clock, &mut dispatcher, &agenda)).collect();
    let timers = Timers::default();
    (Supervisor { clock, agenda, timers, watched, looked_at: now, stop: stop.clone() }, dispatcher, stop)
}

impl Supervisor {
    /// Runs until it is stopped. The future is `Send` and `'static`, and needs nothing from the executor but polling. Dropping it is
    /// safe: events and due alerts wait for the next supervisor.
    pub async fn run(mut self) {
        (0..self.watched.len()).for_each(|place| self.agenda.call(Task::Target(place)));
        loop {
            // Listens first, then looks: nothing that happens in between is missed.
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
        for watched in &mut self.watched {
            watched.end(&*self.clock);
        }
    }

    /// Looks after everything that was called or is due; returns when to look again.
    fn look(&mut self) -> Option<Instant> {
        let now = self.clock.now();
        self.agenda.look_begins(now);
        if now < self.looked_at {
            // The clock was set back: what was due by it may be due long after.
            (0..self.watched.len()).for_each(|place| self.timers.set(&Task::Target(place), Some(now)));
        }
        self.looked_at = now;
        let mut due = self.agenda.take_called();
        while let Some(task) = self.timers.pop_due(now) {
            due.insert(task);
        }
        let mut readings = Readings::default();
        for task in due {
            let (Task::Target(place) | Task::Member(place, _)) = &task;
            let Some(watched) = self.watched.get_mut(*place) else { continue };
            let next = match &task {
                Task::Target(_) => watched.look_after(now, &*self.clock, &mut readings),
                Task::Member(_, key) => watched.look_after_member(key, &*self.clock),
            };
            self.timers.set(&task, next);
        }
        let next = self.timers.next();
        self.agenda.look_ends(next);
        next
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.watched.iter().for_each(|watched| watched.leave(&self.agenda));
    }
}
