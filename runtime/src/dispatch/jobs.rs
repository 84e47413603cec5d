//! Joins several futures, to which more can be added while they run. A wake-up polls only the futures that were woken.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

use futures_lite::future;

use crate::sync::{Arc, Mutex, MutexGuard, lock};

pub(super) type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Futures that run concurrently, polled in the order in which they were added. Clones share the same set.
#[derive(Debug, Clone, Default)]
pub(super) struct Jobs {
    shared: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Futures that were added and not polled yet.
    new: Vec<Job>,
    /// The numbers of the futures that were woken since they were last polled.
    woken: BTreeSet<u64>,
    /// No more futures will be added.
    closed: bool,
    /// The waker of the task that polls them.
    waker: Option<Waker>,
}

impl Jobs {
    /// Adds `job`.
    pub(super) fn push(&self, job: Job) {
        self.change(|state| state.new.push(job));
    }

    /// Declares that no more futures will be added: [`Jobs::run`] returns once all are done.
    pub(super) fn close(&self) {
        self.change(|state| state.closed = true);
    }

    /// Runs all futures until the set is closed and the last one is done. Only one task may call it.
    pub(super) async fn run(&self) {
        let (mut running, mut next) = (BTreeMap::new(), 0);
        future::poll_fn(|context| {
            let (woken, new) = {
                let mut state = lock(&self.shared);
                state.waker = Some(context.waker().clone());
                (std::mem::take(&mut state.woken), std::mem::take(&mut state.new))
            };
            for number in woken {
                poll(&mut running, number);
            }
            for job in new {
                let waker = Waker::from(Arc::new(JobWaker { number: next, jobs: self.clone() }));
                running.insert(next, (job, waker));
                poll(&mut running, next);
                next += 1;
            }
            let state = lock(&self.shared);
            let is_over = running.is_empty() && state.closed && state.new.is_empty();
            if is_over { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Changes the state and wakes the task.
    fn change(&self, change: impl FnOnce(&mut State)) {
        let waker = {
            let mut state: MutexGuard<'_, State> = lock(&self.shared);
            change(&mut state);
            state.waker.take()
        };
        // After the lock is released: a waker is foreign code.
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Polls one future, and removes it when it is done.
fn poll(running: &mut BTreeMap<u64, (Job, Waker)>, number: u64) {
    if let Some((job, waker)) = running.get_mut(&number)
        && job.as_mut().poll(&mut Context::from_waker(waker)).is_ready()
    {
        running.remove(&number);
    }
}

/// Records which future was woken.
struct JobWaker {
    number: u64,
    jobs: Jobs,
}

impl Wake for JobWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.jobs.change(|state| {
            state.woken.insert(self.number);
        });
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("new", &self.new.len()).field("woken", &self.woken).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(tripline_loom)))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sync::{AtomicU64, Ordering};
    use event_listener::Event;

    #[test]
    fn a_wake_polls_only_what_was_woken_and_more_can_come_until_it_is_closed() {
        let jobs = Jobs::default();
        let polled: Arc<Vec<AtomicU64>> = Arc::new((0..3).map(|_| AtomicU64::new(0)).collect());
        let events: Vec<Arc<Event>> = (0..3).map(|_| Arc::new(Event::new())).collect();
        let job = |index: usize| -> Job {
            let (polled, mut listener) = (polled.clone(), Box::pin(events[index].listen()));
            Box::pin(future::poll_fn(move |context| {
                polled[index].fetch_add(1, Ordering::Relaxed);
                listener.as_mut().poll(context).map(|()| ())
            }))
        };
        let counts = || polled.iter().map(|count| count.load(Ordering::Relaxed)).collect::<Vec<_>>();
        jobs.push(job(0));
        jobs.push(job(1));
        let mut all = Box::pin(jobs.run());
        let mut poll = || future::block_on(future::poll_once(all.as_mut()));
        assert!(poll().is_none());
        assert_eq!(counts(), [1, 1, 0]);
        events[1].notify(1);
        jobs.push(job(2));
        assert!(poll().is_none() && poll().is_none());
        assert_eq!(counts(), [1, 2, 1]);
        jobs.close();
        events[0].notify(1);
        assert!(poll().is_none());
        events[2].notify(1);
        assert!(poll().is_some());
        assert_eq!(counts(), [2, 2, 2]);
    }
}
