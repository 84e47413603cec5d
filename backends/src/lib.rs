//! Everything of Tripline that touches the world: memory sources, configuration, alert sinks, HTTP and the `tripline` binary.
#![forbid(unsafe_code)]

pub mod alerts;
#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "config")]
pub mod config;
#[cfg(feature = "http-client")]
pub mod http_client;
#[cfg(feature = "api")]
pub mod http_server;
pub mod log_sink;
pub mod memory;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(feature = "reload")]
pub mod reload;
#[cfg(feature = "replay")]
pub mod replay;
#[cfg(feature = "state_dir")]
pub mod state_dir;
#[cfg(any(feature = "config", feature = "replay"))]
mod suggest;
#[cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports, reason = "each feature uses its part"))]
mod text;
#[cfg(feature = "tower")]
pub mod tower;
