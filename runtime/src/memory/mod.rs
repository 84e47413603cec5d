//! Sources of memory readings.

pub(crate) mod mock;

use std::sync::Arc;
use std::{fmt, io};

use tripline_core::MemorySample;

/// Measures used memory and its limit.
pub trait MemorySource: fmt::Debug + Send + Sync {
    /// A short name for status and logs, e.g. `"cgroup"`.
    fn name(&self) -> &str;

    /// Reads memory, in bytes. The supervisor calls it every `sample_interval`, never a request. It should return
    /// within milliseconds: it may read a file, but must not wait.
    ///
    /// # Errors
    /// [`MemoryError`] if there is no reading; the breaker then treats memory as unknown.
    fn sample(&self) -> Result<MemorySample, MemoryError>;

    /// Does the same as [`sample`](Self::sample), with the name of the measured level. The supervisor calls this
    /// method.
    ///
    /// # Errors
    /// [`MemoryError`] as for [`sample`](Self::sample).
    fn read(&self) -> Result<MemoryReading, MemoryError> {
        self.sample().map(MemoryReading::from)
    }
}

/// A memory sample and the level at which it was measured.
///
/// ```
/// use tripline_runtime::MemoryReading;
/// use tripline_runtime::core::MemorySample;
///
/// let reading = MemoryReading::from(MemorySample { used: 950, limit: Some(1_024) }).at_level("memory.max of /pod");
/// assert_eq!(reading.level.as_deref(), Some("memory.max of /pod"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemoryReading {
    /// Used memory and its limit.
    pub sample: MemorySample,
    /// The limit that the sample describes, as text, e.g. `"memory.max of /kubepods/pod1"`; `None` if the source has
    /// only one level. It contains no amounts, so it is stable enough for a label.
    pub level: Option<Arc<str>>,
}

impl MemoryReading {
    /// Sets the level.
    #[must_use]
    pub fn at_level(self, level: impl Into<Arc<str>>) -> Self {
        Self { level: Some(level.into()), ..self }
    }
}

impl From<MemorySample> for MemoryReading {
    fn from(sample: MemorySample) -> Self {
        Self { sample, level: None }
    }
}

/// The error of a memory reading.
#[derive(Debug)]
#[non_exhaustive]
pub enum MemoryError {
    /// A file or a system call failed.
    Unreadable {
        /// The object that was read, e.g. a path.
        what: String,
        /// The error of the operating system.
        error: io::Error,
    },
    /// The content has an unexpected format.
    Malformed {
        /// The object that was read, e.g. a path.
        what: String,
        /// The text found, shortened.
        found: String,
        /// The expected content.
        expected: &'static str,
    },
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { what, error } => write!(f, "{what}: {error}"),
            Self::Malformed { what, found, expected } => write!(f, "{what}: found {found:?}, expected {expected}"),
        }
    }
}

impl std::error::Error for MemoryError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            Self::Malformed { .. } => None,
        }
    }
}
