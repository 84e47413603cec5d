//! The due times of all tasks. A wake costs as much as the due tasks, however many tasks there are.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tripline_core::Instant;

use crate::supervisor::agenda::Task;

/// Minimum interval between two polls of a task.
pub(super) const MIN_SLEEP: Duration = Duration::from_millis(1);

/// Interval of the checks whether the alerts of an ended incident are settled.
pub(super) const SETTLE_CHECK: Duration = Duration::from_secs(5);

/// Tasks by the instant at which they are due.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    by_time: BTreeSet<(Instant, Task)>,
    due_at: HashMap<Task, Instant>,
}

impl Timers {
    /// Sets when `task` is due, replacing the former time; `None` = it waits for a call.
    pub(crate) fn set(&mut self, task: &Task, due: Option<Instant>) {
        let before = match due {
            Some(due) => self.due_at.insert(task.clone(), due),
            None => self.due_at.remove(task),
        };
        if before == due {
            return;
        }
        if let Some(before) = before {
            self.by_time.remove(&(before, task.clone()));
        }
        if let Some(due) = due {
            self.by_time.insert((due, task.clone()));
        }
    }

    /// Everything is due at `now`, or before: the clock was set back.
    pub(crate) fn set_back(&mut self, now: Instant) {
        let late = |(_, due): &(&Task, &Instant)| **due > now;
        let tasks: Vec<Task> = self.due_at.iter().filter(late).map(|(task, _)| task.clone()).collect();
        for task in tasks {
            self.set(&task, Some(now));
        }
    }

    /// Removes the task that is due first, if it is due at `now`.
    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Task> {
        if self.next()? > now {
            return None;
        }
        let (_, task) = self.by_time.pop_first()?;
        self.due_at.remove(&task);
        Some(task)
    }

    /// Returns when the next task is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.by_time.first().map(|&(at, _)| at)
    }
}

#[cfg(all(test, not(tripline_loom)))]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_comes_in_the_order_of_time_against_a_vector() {
        let mut random = fastrand::Rng::with_seed(7);
        let (mut timers, mut model) = (Timers::default(), Vec::<(Instant, Task)>::new());
        for now in 0..5_000_u64 {
            let task = Task::Target(random.usize(0..20));
            let due = random.bool().then(|| Instant::from_millis(now + random.u64(0..50)));
            timers.set(&task, due);
            model.retain(|(_, other)| *other != task);
            model.extend(due.map(|due| (due, task)));
            model.sort();
            let now = Instant::from_millis(now);
            while let Some(task) = timers.pop_due(now) {
                let (due, expected) = model.remove(0);
                assert!(due <= now);
                assert_eq!(task, expected);
            }
            assert_eq!(timers.next(), model.first().map(|(due, _)| *due));
            assert!(timers.next().is_none_or(|next| next > now));
        }
    }
}
