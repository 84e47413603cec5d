//! The tasks of a supervisor, shared with the breakers that it supervises.

use std::collections::BTreeSet;

use event_listener::{Event as Notification, EventListener};
use tripline_core::Instant;

use crate::breaker::supervision::Supervision;
use crate::sync::{Arc, AtomicU64, Mutex, Ordering, lock};

/// A task: a target of the supervisor by its index, or a member of the family at that index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Task {
    Target(usize),
    Member(usize, Arc<str>),
}

/// The tasks that were called since the last poll, and the time of that poll.
#[derive(Debug)]
pub(crate) struct Agenda {
    called: Mutex<BTreeSet<Task>>,
    notification: Notification,
    /// When the last poll began, and when the next one must begin or this one must end.
    looked_nanos: AtomicU64,
    due_nanos: AtomicU64,
}

impl Agenda {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            called: Mutex::default(),
            notification: Notification::new(),
            looked_nanos: AtomicU64::new(now.as_nanos()),
            due_nanos: AtomicU64::new(now.as_nanos()),
        }
    }

    /// Calls `task`: it is polled at once.
    pub(crate) fn call(&self, task: Task) {
        lock(&self.called).insert(task);
        self.notification.notify(usize::MAX);
    }

    /// Takes the tasks that were called since the last time.
    pub(crate) fn take_called(&self) -> BTreeSet<Task> {
        std::mem::take(&mut lock(&self.called))
    }

    /// Resolves when a task is called after this call.
    pub(crate) fn listen(&self) -> EventListener {
        self.notification.listen()
    }

    pub(crate) fn look_begins(&self, now: Instant) {
        // Relaxed, as below: independent estimates.
        self.looked_nanos.store(now.as_nanos(), Ordering::Relaxed);
        self.due_nanos.store(now.as_nanos(), Ordering::Relaxed);
    }

    /// Records the end of a poll; `None` = the next one waits for a call.
    pub(crate) fn look_ends(&self, next: Option<Instant>) {
        self.due_nanos.store(next.unwrap_or(Instant::MAX).as_nanos(), Ordering::Relaxed);
    }

    fn supervision(&self, now: Instant) -> Supervision {
        let looked_at = Instant::from_nanos(self.looked_nanos.load(Ordering::Relaxed));
        let due = Instant::from_nanos(self.due_nanos.load(Ordering::Relaxed));
        Supervision::of_look(looked_at, now.since(due))
    }
}

/// The agendas of the supervisors of a breaker or of its settings: usually at most one.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<Box<[Watcher]>>);

type Watcher = (Task, Arc<Agenda>);

impl Watchers {
    pub(crate) fn add(&self, task: Task, agenda: &Arc<Agenda>) {
        self.replace(|watchers| watchers.push((task, agenda.clone())));
    }

    pub(crate) fn remove(&self, agenda: &Arc<Agenda>) {
        self.replace(|watchers| watchers.retain(|(_, other)| !Arc::ptr_eq(other, agenda)));
    }

    /// Changes the list, which takes no more memory than it needs.
    fn replace(&self, change: impl FnOnce(&mut Vec<Watcher>)) {
        let mut watchers = lock(&self.0);
        let mut list = std::mem::take(&mut *watchers).into_vec();
        list.reserve_exact(1);
        change(&mut list);
        *watchers = list.into_boxed_slice();
    }

    /// Calls the tasks of all agendas.
    pub(crate) fn call(&self) {
        for (task, agenda) in lock(&self.0).iter() {
            agenda.call(task.clone());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    /// Returns the state of the supervisor that polled last.
    pub(crate) fn supervision(&self, now: Instant) -> Supervision {
        let all = lock(&self.0);
        let looks = all.iter().map(|(_, agenda)| agenda.supervision(now));
        looks.max_by_key(|look| look.looked_at()).unwrap_or(Supervision::None)
    }
}
