//! Adds breakers to a supervisor, also while it runs.

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
