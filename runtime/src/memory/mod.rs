//! Where memory readings come from.

pub(crate) mod mock;

use std::sync::Arc;
use std::{fmt, io};

use tripline_core::MemorySample;

/// Measures used memory and its limit.
pub trait MemorySource: fmt::Debug + Send + Sync {
    /// A short name for status and logs, e.g. `"cgroup"`.
    fn name(&self) -> &str;

    /// Reads memory, in bytes. It is called by the supervisor every `sample_interval`, never by a request, and should
    /// return within milliseconds: it may read a file, but must not wait.
    ///
    /// # Errors
    /// [`MemoryError`] where there is no reading; the breaker then treats memory as unknown.
    fn sample(&self) -> Result<MemorySample, MemoryError>;

    /// As [`sample`](Self::sample), with the name of the level that was measured. The supervisor calls this one.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    fn read(&self) -> Result<MemoryReading, MemoryError> {
        self.sample().map(MemoryReading::from)
    }
}

/// A memory sample and the level it was measured at.
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
    /// Which limit the sample is about, for people, e.g. `"memory.max of /kubepods/pod1"`; `None` where the source has
    /// only one level. It contains no amounts, so that it is stable enough for a label.
    pub level: Option<Arc<str>>,
}

impl MemoryReading {
    /// Names the level.
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

/// Memory could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum MemoryError {
    /// A file or a system call failed.
    Unreadable {
        /// The object that was read, e.g. a path.
        what: String,
        /// Why it failed.
        error: io::Error,
    },
    /// The content is not as expected.
    Malformed {
        /// The object that was read, e.g. a path.
        what: String,
        /// The text that was found, shortened.
        found: String,
        /// The content that was expected.
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
