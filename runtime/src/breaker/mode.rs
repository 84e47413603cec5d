//! Whether the caller enforces rejections.

use std::fmt;

use crate::sync::{AtomicBool, Ordering};

/// Whether the caller enforces the breaker's rejections. The breaker decides, trips, recovers and raises alerts in the
/// same way in both modes; only the counter of its rejections differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Rejected calls are not made.
    #[default]
    Enforce,
    /// Rejected calls are made nevertheless, without a permit, so the breaker does not record them. Its decisions are
    /// those of [`Mode::Enforce`] on the same calls.
    Observe,
}

impl Mode {
    /// The name used in the configuration, status and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The mode in force. Nothing else depends on it, so all access is Relaxed.
#[derive(Debug)]
pub(crate) struct CurrentMode(AtomicBool);

impl CurrentMode {
    pub(crate) fn new(mode: Mode) -> Self {
        Self(AtomicBool::new(mode == Mode::Observe))
    }

    pub(crate) fn get(&self) -> Mode {
        if self.0.load(Ordering::Relaxed) { Mode::Observe } else { Mode::Enforce }
    }

    pub(crate) fn set(&self, mode: Mode) {
        self.0.store(mode == Mode::Observe, Ordering::Relaxed);
    }
}
