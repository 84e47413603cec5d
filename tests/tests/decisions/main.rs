//! When the breaker opens and how it recovers, measured on seeded traffic and compared with other breakers.
//!
//! `cargo test -p tripline-tests --test decisions -- --nocapture` prints the tables.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alike;
mod confidence;
mod hanging;
mod high_rates;
mod independent_calls;
mod recovery;
mod services;
