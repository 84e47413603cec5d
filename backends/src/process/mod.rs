//! The surroundings of a server process: log output, signals and file descriptors.

pub(crate) mod descriptors;
pub(crate) mod log;
mod queue;
pub(crate) mod signals;
