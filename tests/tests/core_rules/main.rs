//! The core against naive models, golden vectors and cases worked out by hand.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod evidence;
mod fleet;
mod go_breaker_faults;
mod inputs;
mod memory_forecast;
mod model;
mod pair;
mod rules;
mod staging;
mod trend;
mod vectors;
