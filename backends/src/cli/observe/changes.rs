//! Changes of the configuration while a log is followed.

use std::sync::{Arc, Mutex, PoisonError};

use super::routing::{Choice, LogRouting};
use crate::circuit::Circuits;
use crate::config::Config;

/// The routing in force, which a change of the configuration replaces.
#[derive(Debug, Clone)]
pub(super) struct Changes(Arc<Mutex<Arc<LogRouting>>>);

impl Changes {
    pub(super) fn new(routing: Arc<LogRouting>) -> Self {
        Self(Arc::new(Mutex::new(routing)))
    }

    pub(super) fn current(&self) -> Arc<LogRouting> {
        // No code panics while it holds the lock, as below.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, routing: LogRouting) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(routing);
    }
}

/// What follows changes of the configuration.
pub(super) struct Followed {
    choice: Choice,
    circuits: Circuits,
    changes: Changes,
}

impl Followed {
    pub(super) fn new(choice: Choice, circuits: Circuits, changes: Changes) -> Self {
        Self { choice, circuits, changes }
    }

    /// Applies a change of the configuration.
    pub(super) fn apply(&self, config: &Config) {
        match LogRouting::new(&self.choice, config, &self.circuits, Some(&self.changes.current())) {
            Ok(routing) => self.changes.set(routing),
            Err(error) => tracing::error!(%error, "the changed routes are not used; the previous ones stay in force"),
        }
    }
}
