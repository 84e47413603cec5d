//! The surroundings of a server process: log output, signals and file descriptors.

#[cfg(feature = "cli")]
pub(crate) mod descriptors;
#[cfg(feature = "cli")]
pub(crate) mod log;
pub(crate) mod output;
pub(crate) mod queue;
#[cfg(feature = "cli")]
pub(crate) mod signals;
