//! Hot reload of the configuration file.

mod live;
#[cfg(target_os = "linux")]
mod reload_mount;
