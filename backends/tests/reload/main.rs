//! Hot reload of the configuration file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod live;
mod refresh;
#[cfg(target_os = "linux")]
mod reload_mount;
