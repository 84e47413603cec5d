//! Whole breakers with supervisor, alerts and storage on a manual clock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod sim_alerts;
mod sim_config;
mod sim_day;
mod sim_fleet;
mod sim_fleet_breakers;
mod sim_fleet_claims;
mod sim_fleet_clocks;
mod sim_fleet_close;
mod sim_fleet_faults;
mod sim_fleet_kills;
mod sim_fleet_options;
mod sim_fleet_primaries;
mod sim_fleet_runner;
mod sim_memory_horizon;
mod sim_probes;
mod sim_recovery;
mod sim_restart;
mod sim_staging;
mod sim_stalls;
mod sim_states;
