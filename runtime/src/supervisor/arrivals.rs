//! Adds breakers to a supervisor, also while it runs.

use std::collections::HashSet;

use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::dispatch::Intake;
use crate::supervisor::agenda::{Agenda, Task};
use crate::supervisor::target::SupervisedBreaker;
use crate::supervisor::watched::Watched;
use crate::sync::{Arc, Mutex, lock};

/// Adds breakers to a running supervisor; created by [`Supervisor::handle`](crate::Supervisor::handle). Clones refer to the same
/// supervisor.
#[derive(Debug, Clone)]
pub struct SupervisionHandle {
    clock: Arc<dyn Clock>,
    agenda: Arc<Agenda>,
    intake: Arc<Intake>,
    arrivals: Arc<Mutex<Arrivals>>,
}

#[derive(Debug, Default)]
struct Arrivals {
    /// The place of the next breaker.
    next: usize,
    waiting: Vec<(usize, Watched)>,
    /// The breakers that leave once they are settled, by [`Breaker::id`].
    leaving: HashSet<usize>,
    /// The supervisor has ended.
    is_closed: bool,
}

impl SupervisionHandle {
    pub(super) fn new(clock: Arc<dyn Clock>, agenda: Arc<Agenda>, intake: Arc<Intake>) -> Self {
        Self { clock, agenda, intake, arrivals: Arc::default() }
    }

    /// Adds `target` to the supervisor, and its alerts to the dispatcher. A stored state is restored before this returns. Returns
    /// false, without effect, if the supervisor has ended.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tripline_runtime::{Breaker, SupervisedBreaker, SystemClock, supervise};
    ///
    /// let clock = Arc::new(SystemClock::new());
    /// let (supervisor, dispatcher, shutdown) = supervise(clock.clone(), [], 1);
    /// let handle = supervisor.handle();
    /// let late = Breaker::builder(clock).build()?;
    /// assert!(handle.add(SupervisedBreaker::new(late.clone())));
    /// assert!(late.is_supervised());
    /// # drop((supervisor, dispatcher, shutdown));
    /// # Ok::<(), tripline_runtime::core::CapacityError>(())
    /// ```
    pub fn add(&self, target: SupervisedBreaker) -> bool {
        let mut arrivals = lock(&self.arrivals);
        if arrivals.is_closed {
            return false;
        }
        let place = arrivals.next;
        arrivals.next += 1;
        let watched = Watched::new(place, target, &*self.clock, &self.intake, &self.agenda);
        arrivals.waiting.push((place, watched));
        drop(arrivals);
        self.agenda.call(Task::Target(place));
        true
    }

    /// Removes `breaker`, or the family of this shared member, as soon as its incident is over, its alerts are settled and its state is
    /// saved; until then it is supervised. A breaker in a fleet stays.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use tripline_runtime::{Breaker, SupervisedBreaker, SystemClock, supervise};
    ///
    /// let clock = Arc::new(SystemClock::new());
    /// let breaker = Breaker::builder(clock.clone()).build()?;
    /// let (supervisor, dispatcher, shutdown) = supervise(clock, [SupervisedBreaker::new(breaker.clone())], 1);
    /// let handle = supervisor.handle();
    /// handle.remove(&breaker);
    /// assert!(handle.is_leaving(&breaker) && breaker.is_supervised());
    /// # drop((supervisor, dispatcher, shutdown));
    /// # Ok::<(), tripline_runtime::core::CapacityError>(())
    /// ```
    pub fn remove(&self, breaker: &Breaker) {
        lock(&self.arrivals).leaving.insert(breaker.id());
        breaker.watchers().call();
    }

    /// Whether `breaker` was removed, and is supervised because it is not settled.
    pub fn is_leaving(&self, breaker: &Breaker) -> bool {
        lock(&self.arrivals).leaving.contains(&breaker.id())
    }

    /// Cancels [`SupervisionHandle::remove`]. Returns false if `breaker` has left, or was not removed.
    pub fn keep(&self, breaker: &Breaker) -> bool {
        self.leave(breaker)
    }

    /// Ends the removal: the caller stops to supervise `breaker`. Returns false if it is kept.
    pub(super) fn leave(&self, breaker: &Breaker) -> bool {
        lock(&self.arrivals).leaving.remove(&breaker.id())
    }

    pub(super) fn intake(&self) -> &Intake {
        &self.intake
    }

    /// Takes the breakers that were added since the last call.
    pub(super) fn take(&self) -> Vec<(usize, Watched)> {
        std::mem::take(&mut lock(&self.arrivals).waiting)
    }

    /// Rejects further breakers, and takes those that were added since the last call.
    pub(super) fn close(&self) -> Vec<(usize, Watched)> {
        lock(&self.arrivals).is_closed = true;
        self.intake.close();
        self.take()
    }
}
