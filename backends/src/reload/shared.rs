//! The state that the configuration thread publishes to the others.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};

use crate::config::Config;

/// The published state.
pub(super) struct Shared {
    pub(super) config: Mutex<Arc<Config>>,
    pub(super) notes: Mutex<Notes>,
    pub(super) reloads: AtomicU64,
    pub(super) reload_errors: AtomicU64,
}

/// Why the file is not the configuration in force.
#[derive(Default)]
pub(super) struct Notes {
    /// The problems of the file.
    pub(super) file: Option<String>,
    /// The keys that are changed and not saved.
    pub(super) unsaved: Option<String>,
    /// The keys whose values in the file take effect after a restart.
    pub(super) restart: Option<String>,
}

impl Shared {
    pub(super) fn new(config: Arc<Config>) -> Self {
        Self {
            config: Mutex::new(config),
            notes: Mutex::default(),
            reloads: AtomicU64::new(0),
            reload_errors: AtomicU64::new(0),
        }
    }

    pub(super) fn config(&self) -> Arc<Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_config(&self, config: Config) {
        *self.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    pub(super) fn note(&self, write: impl FnOnce(&mut Notes)) {
        write(&mut self.notes.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
