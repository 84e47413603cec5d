//! The shared breaker through its public handle.
#![cfg(feature = "test-util")]

mod evidence;
mod histogram;
mod hot_path;
mod permits;
mod registry;
mod robustness;
