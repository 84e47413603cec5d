//! The memory sources of a process: one for all breakers that measure the same.

use std::sync::{Arc, Mutex, PoisonError};

use tripline_runtime::MemorySource;

use super::error::AppError;
use super::platform::Platform;
use crate::memory::{MemorySourceKind, MemoryUsed};

/// The sources that were opened.
pub(super) struct MemorySources {
    platform: Arc<dyn Platform>,
    opened: Mutex<Vec<Opened>>,
}

struct Opened {
    kind: MemorySourceKind,
    used: MemoryUsed,
    source: Arc<dyn MemorySource>,
}

impl MemorySources {
    /// No source is open yet.
    pub(super) fn new(platform: Arc<dyn Platform>) -> Self {
        Self { platform, opened: Mutex::default() }
    }

    /// The source of this kind, opened once.
    pub(super) fn open(&self, kind: MemorySourceKind, used: MemoryUsed) -> Result<Arc<dyn MemorySource>, AppError> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = opened.iter().find(|known| (known.kind, known.used) == (kind, used)) {
            return Ok(known.source.clone());
        }
        let source = self.platform.memory(kind, used).map_err(|error| AppError::Memory { kind, error })?;
        opened.push(Opened { kind, used, source: source.clone() });
        Ok(source)
    }
}
