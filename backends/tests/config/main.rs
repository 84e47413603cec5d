//! Configuration files: keys, problems and the environment.
#![cfg(feature = "config")]

mod config;
mod config_breakers;
mod config_environment;
mod config_files;
mod config_inheritance;
mod config_keys;
mod config_reference;
mod config_units;
