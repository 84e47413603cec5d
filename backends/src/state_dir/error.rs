//! Errors of a state folder, with their remedies.

use std::fmt;
use std::io;
use std::path::PathBuf;

use tripline_runtime::{BreakerName, DurableState};

/// The folder of a breaker cannot be used.
#[derive(Debug)]
#[non_exhaustive]
pub enum StateDirError {
    /// Another process, or another breaker of this process, holds the folder.
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder cannot be created, locked or written to.
    NotWritable {
        /// The path that cannot be created, locked or written to.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// The state file exists but cannot be read.
    NotReadable {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// A file that is not a state of this breaker has the name of the state file, and cannot be renamed.
    NotSetAside {
        /// The file.
        path: PathBuf,
        /// Why it is not a state.
        why: ForeignState,
        /// Why it cannot be renamed.
        error: io::Error,
    },
}

impl fmt::Display for StateDirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse { folder } => write!(
                f,
                "state_dir: {} is in use by another process, or by another breaker of this name; stop that one, or give \
                 this one its own state_dir or name",
                folder.display()
            ),
            Self::NotWritable { path, error } => write!(
                f,
                "state_dir: {} cannot be created or written: {error}; state_dir must be a folder that this user may write to",
                path.display()
            ),
            Self::NotReadable { path, error } => write!(
                f,
                "state_dir: {} cannot be read: {error}; make it readable for this user, or move it away to start without it",
                path.display()
            ),
            Self::NotSetAside { path, why, error } => write!(
                f,
                "state_dir: {} is not a usable state file ({why}), and it cannot be renamed: {error}; move it away",
                path.display()
            ),
        }
    }
}

impl std::error::Error for StateDirError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InUse { .. } => None,
            Self::NotWritable { error, .. } | Self::NotReadable { error, .. } | Self::NotSetAside { error, .. } => {
                Some(error)
            }
        }
    }
}

/// The state file was not usable and was renamed. Its content is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quarantined {
    /// The path of the state file.
    pub was: PathBuf,
    /// The path that it was renamed to.
    pub now: PathBuf,
    /// Why it was not usable.
    pub why: ForeignState,
}

impl Quarantined {
    /// The state file `was`, which was renamed to `now` because of `why`.
    pub fn new(was: PathBuf, now: PathBuf, why: ForeignState) -> Self {
        Self { was, now, why }
    }
}

impl fmt::Display for Quarantined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} is not a usable state file ({}); it was set aside as {}, and this process starts without earlier incidents: \
             open alerts may have to be closed by hand",
            self.was.display(),
            self.why,
            self.now.display()
        )
    }
}

/// Why a file is not a usable state file.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ForeignState {
    /// It is incomplete, or not JSON in this format.
    Unreadable {
        /// The problem and its position.
        reason: String,
    },
    /// It exceeds the size limit.
    TooLarge {
        /// The limit, in bytes.
        allowed: u64,
    },
    /// It is not a regular file.
    NoFile,
    /// Another program wrote it.
    Foreign {
        /// The format named in the file.
        format: String,
    },
    /// Another version of this program wrote it.
    OtherVersion {
        /// The format version of the file.
        version: u64,
    },
    /// Its checksum is wrong: the file was changed, or the disk is faulty.
    Changed,
    /// It is the state of another breaker.
    OtherBreaker {
        /// The other breaker.
        breaker: BreakerName,
    },
}

impl fmt::Display for ForeignState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { reason } => write!(f, "incomplete, or not a state file: {reason}"),
            Self::TooLarge { allowed } => write!(f, "larger than {allowed} bytes"),
            Self::NoFile => f.write_str("not a regular file"),
            Self::Foreign { format } => write!(f, "its format is {format:?}"),
            Self::OtherVersion { version } => {
                write!(f, "version {version} of the format; this program reads {}", DurableState::VERSION)
            }
            Self::Changed => f.write_str("its checksum does not match its content"),
            Self::OtherBreaker { breaker } => write!(f, "it belongs to the breaker {breaker}"),
        }
    }
}
