//! Changes of the configuration while a log is followed.

use std::sync::{Arc, Mutex, PoisonError};

use super::routing::{Choice, LogRouting};
use crate::circuit::Circuits;
use crate::config::Config;

/// The routing in force, which a change of the configuration replaces.
#[derive(Debug, Clone)]
pub(super) struct Changes(Arc<Mutex<InForce>>);

/// The routing in force, and why the latest one is not.
#[derive(Debug, Clone)]
pub(super) struct InForce {
    pub(super) routing: Arc<LogRouting>,
    /// Why the routes of the configuration are not used; `None` where `routing` has them.
    pub(super) problem: Option<String>,
}

impl Changes {
    pub(super) fn new(routing: Arc<LogRouting>) -> Self {
        Self(Arc::new(Mutex::new(InForce { routing, problem: None })))
    }

    pub(super) fn current(&self) -> InForce {
        // No code panics while it holds the lock, as below.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, in_force: InForce) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = in_force;
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
        let previous = self.changes.current().routing;
        match LogRouting::new(&self.choice, config, &self.circuits, Some(&previous)) {
            Ok(routing) => {
                routing.warn_of_unused(&self.choice, &self.circuits);
                self.changes.set(InForce { routing: Arc::new(routing), problem: None });
            }
            Err(error) => {
                tracing::error!(%error, "the changed routes are not used; the previous ones stay in force");
                let problem = Some(format!("the changed routes are not used: {error}"));
                self.changes.set(InForce { routing: previous, problem });
            }
        }
    }
}
