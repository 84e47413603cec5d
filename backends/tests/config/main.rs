//! Configuration files: keys, problems and the environment.
#![cfg(feature = "config")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod config;
mod config_breakers;
mod config_environment;
mod config_families;
mod config_files;
mod config_inheritance;
mod config_keys;
mod config_keys_proxy;
mod config_proxy;
mod config_reference;
mod config_units;
