//! The outcome of a change.

use std::fmt;

use crate::config::ConfigErrors;

/// A change that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Applied {
    /// It is in the file.
    pub saved: bool,
    /// Why it is not.
    pub reason: Option<String>,
}

impl Applied {
    /// It is in force and in no file.
    pub fn unsaved(reason: impl Into<String>) -> Self {
        Self { saved: false, reason: Some(reason.into()) }
    }
}

/// Why nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ChangeError {
    /// The file has problems of its own, which a change would cover up.
    File(ConfigErrors),
    /// The new value does not fit the others.
    Conflict(ConfigErrors),
    /// Others keep writing the file.
    Busy,
    /// The thread that owns the configuration has ended.
    Ended,
}

impl fmt::Display for ChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(errors) => write!(f, "the configuration file has problems and is left as it is: {errors}"),
            Self::Conflict(errors) => write!(f, "the new value conflicts with other settings: {errors}"),
            Self::Busy => f.write_str("another process keeps changing the configuration file; try again"),
            Self::Ended => f.write_str("the thread that owns the configuration has ended; restart the process"),
        }
    }
}

impl std::error::Error for ChangeError {}
