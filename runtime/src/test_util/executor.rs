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
    tasks: RefCell<BTreeMap<u64, Place>>,
    next: RefCell<u64>,
    ready: Ready,
    random: RefCell<fastrand::Rng>,
}

/// A task, which is out of its place while it runs, and what wakes it.
struct Place {
    task: Option<Task>,
    waker: Waker,
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
        let waker = Arc::new(WakeTask { id, ready: self.ready.clone() }).into();
        let place = Place { task: Some(Box::pin(task)), waker };
        self.tasks.borrow_mut().insert(id, place);
        lock(&self.ready).push(id);
    }

    /// Returns the number of tasks that have not ended.
    pub(super) fn tasks(&self) -> usize {
        self.tasks.borrow().len()
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
        let (mut task, waker) = {
            let mut tasks = self.tasks.borrow_mut();
            let Some(place) = tasks.get_mut(&id) else { return };
            let Some(task) = place.task.take() else { return };
            (task, place.waker.clone())
        };
        let done = task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        let mut tasks = self.tasks.borrow_mut();
        if done {
            tasks.remove(&id);
        } else if let Some(place) = tasks.get_mut(&id) {
            place.task = Some(task);
        }
    }
}

struct WakeTask {
    id: u64,
    ready: Ready,
}

impl Wake for WakeTask {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
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
