//! Where work for the background runs.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Work for the background.
pub type BoxFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs work beside that of the caller, on whichever executor. Clones are the same executor.
#[derive(Clone)]
pub struct Spawner {
    spawn: Arc<dyn Fn(BoxFuture) + Send + Sync>,
}

impl Spawner {
    /// Gives each task to `spawn`, which must not run it at once but return.
    pub fn new(spawn: impl Fn(BoxFuture) + Send + Sync + 'static) -> Self {
        Self { spawn: Arc::new(spawn) }
    }

    /// smol's global executor.
    pub fn smol() -> Self {
        Self::new(|task| smol::spawn(task).detach())
    }

    /// Runs `task` beside others.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        (self.spawn)(Box::pin(task));
    }
}

/// smol's global executor.
impl Default for Spawner {
    fn default() -> Self {
        Self::smol()
    }
}

impl fmt::Debug for Spawner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawner").finish_non_exhaustive()
    }
}
