//! What the tests of Tripline share: naive models of the core and of staging, seeded noise, statistics, and the golden vectors.
//!
//! Everything here is written from the design, not from the code it tests, and prefers the obvious over the fast.

pub mod contest;
pub mod model;
pub mod noise;
pub mod recovery;
pub mod services;
pub mod setup;
pub mod sim_support;
pub mod staging_model;
pub mod statistics;
pub mod traffic;
pub mod trend_model;
pub mod vectors;

/// The examples of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
