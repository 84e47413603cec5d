//! A fleet: replicas of one service that share the incidents of their breakers, and nothing else.

pub(crate) mod commands;
pub(crate) mod engine;
pub(crate) mod local;
pub(crate) mod part;
mod probes;
pub(crate) mod runner;
mod send;
pub(crate) mod settings;
pub(crate) mod shared;
pub(crate) mod status;
