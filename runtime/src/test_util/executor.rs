//! A single-threaded executor that polls ready tasks in an order drawn from a seed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Wake, Waker};

use crate::sync::{Arc, Mutex, lock};

type Task = Pin<Box<dyn Future<Output = ()>>>;
type Ready = Arc<Mutex<Vec<u64>>>;

pub(super) struct Executor {
    tasks: RefCell<BTreeMap<u64, Option<Task>>>,
    next: RefCell<u64>,
    ready: Ready,
    random: RefCell<fastrand::Rng>,
}

impl Executor {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            tasks: RefCell::default(),
            next: RefCell::default(),
            ready: Ready::default(),
            random: RefCell::new(fastrand::Rng::with_seed(seed)),
        }
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        let id = self.next.replace_with(|&mut id| id.wrapping_add(1));
        self.tasks.borrow_mut().insert(id, Some(Box::pin(task)));
        lock(&self.ready).push(id);
    }

    /// Polls until no task is ready.
    pub(super) fn run_until_idle(&self) {
        while let Some(id) = self.draw() {
            self.poll(id);
        }
    }

    fn draw(&self) -> Option<u64> {
        let mut ready = lock(&self.ready);
        if ready.is_empty() {
            return None;
        }
        let index = self.random.borrow_mut().usize(..ready.len());
        Some(ready.swap_remove(index))
    }

    /// The task is removed from the table while it runs, so that it can spawn others.
    fn poll(&self, id: u64) {
        let Some(mut task) = self.tasks.borrow_mut().get_mut(&id).and_then(Option::take) else { return };
        let waker = Waker::from(Arc::new(WakeTask { id, ready: self.ready.clone() }));
        let done = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut tasks = self.tasks.borrow_mut();
        if done {
            tasks.remove(&id);
        } else if let Some(place) = tasks.get_mut(&id) {
            *place = Some(task);
        }
    }
}

struct WakeTask {
    id: u64,
    ready: Ready,
}

impl Wake for WakeTask {
    fn wake(self: Arc<Self>) {
        let mut ready = lock(&self.ready);
        if !ready.contains(&self.id) {
            ready.push(self.id);
        }
    }
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("tasks", &self.tasks.borrow().len()).finish_non_exhaustive()
    }
}
