//! Why a process could not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use tripline_runtime::core::CapacityError;
use tripline_runtime::{BreakerName, DuplicateName, MemoryError};

use super::token::TokenError;
use crate::api::{InvalidHost, TokenMissing};
use crate::fleet::FleetError;
use crate::memory::MemorySourceKind;
use crate::state_dir::StateDirError;

/// Why an [`App`](super::App) did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum AppError {
    /// The bearer token cannot be used, or is missing where one is needed.
    Token(TokenError),
    /// A name in `http.allowed_hosts` is not a host.
    Host(InvalidHost),
    /// The window of a breaker is larger than allowed.
    Window(CapacityError),
    /// Two breakers have the same name.
    Name(DuplicateName),
    /// A single breaker has become a family under its name, or the other way round, while the process runs.
    NameInUse {
        /// The name.
        name: BreakerName,
    },
    /// A memory source cannot be read.
    Memory {
        /// The source that the configuration names.
        kind: MemorySourceKind,
        /// Why it cannot be read.
        error: MemoryError,
    },
    /// The folder for what must survive a restart cannot be used.
    StateDir(StateDirError),
    /// The fleet of the configuration cannot be used.
    Fleet(FleetError),
    /// The system cannot start a thread.
    Thread(io::Error),
    /// The configuration has no breaker of this name.
    UnknownBreaker {
        /// The name that was asked for.
        name: String,
        /// The names that there are, in the order of the configuration.
        known: Vec<BreakerName>,
    },
    /// The management API needs a token on this address, or a decision to do without.
    Api(TokenMissing),
    /// The management API cannot listen.
    Listen {
        /// The address of `http.listen`.
        address: SocketAddr,
        /// Why it cannot.
        error: io::Error,
    },
}

impl fmt::Display for AppError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(error) => error.fmt(f),
            Self::Host(error) => write!(f, "http.allowed_hosts: {error}"),
            Self::Window(error) => error.fmt(f),
            Self::Name(error) => error.fmt(f),
            Self::NameInUse { name } => {
                write!(
                    f,
                    "{name} was another kind of breaker in this process (with or without key) and is still in use: restart the process, or \
                     save the file again once its last alert is delivered"
                )
            }
            Self::Memory { kind, error } => write!(f, "memory_source = \"{}\": {error}", kind.as_str()),
            Self::StateDir(error) => error.fmt(f),
            Self::Fleet(error) => error.fmt(f),
            Self::Thread(error) => {
                write!(f, "cannot start a thread: {error}; check the limit of processes (`ulimit -u`)")
            }
            Self::UnknownBreaker { name, known } => {
                let known: Vec<&str> = known.iter().map(BreakerName::as_str).collect();
                write!(f, "the configuration has no [breakers.{name}]; its breakers: {}", known.join(", "))
            }
            Self::Api(error) => error.fmt(f),
            Self::Listen { address, error } => write!(f, "http.listen = \"{address}\": {error}"),
        }
    }
}

impl std::error::Error for AppError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(match self {
            Self::Token(error) => error,
            Self::Host(error) => error,
            Self::Window(error) => error,
            Self::Name(error) => error,
            Self::Memory { error, .. } => error,
            Self::StateDir(error) => error,
            Self::Fleet(error) => error,
            Self::Thread(error) | Self::Listen { error, .. } => error,
            Self::Api(error) => error,
            Self::UnknownBreaker { .. } | Self::NameInUse { .. } => return None,
        })
    }
}

impl From<TokenError> for AppError {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

impl From<InvalidHost> for AppError {
    fn from(error: InvalidHost) -> Self {
        Self::Host(error)
    }
}

impl From<TokenMissing> for AppError {
    fn from(error: TokenMissing) -> Self {
        Self::Api(error)
    }
}

impl From<DuplicateName> for AppError {
    fn from(error: DuplicateName) -> Self {
        Self::Name(error)
    }
}

impl From<FleetError> for AppError {
    fn from(error: FleetError) -> Self {
        Self::Fleet(error)
    }
}

impl From<StateDirError> for AppError {
    fn from(error: StateDirError) -> Self {
        Self::StateDir(error)
    }
}
