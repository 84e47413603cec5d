//! Shared parts of Tripline's tests: naive models of the core and of escalation, seeded traffic and noise, statistics, and golden vectors.
//!
//! The models are written from the design, not from the code under test, and prefer clarity over speed.

pub mod contest;
pub mod fleet_world;
pub mod model;
pub mod noise;
pub mod recovery;
pub mod services;
pub mod setup;
pub mod sim_support;
pub mod simulate;
pub mod staging_model;
pub mod statistics;
pub mod traffic;
pub mod trend_model;
pub mod vectors;

/// Compiles and runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
