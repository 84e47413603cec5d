//! Real processes on a real `redis-server` page once, escalate once and close once, whatever fails.
//!
//! Without `redis-server` each test prints that it is skipped; only `tests/tests/sim/sim_fleet*.rs`, on the in-memory
//! engine, then test the fleet. `TRIPLINE_REQUIRE_REDIS=1` makes a skip a failure.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "../../../tests/alerts/alert_service/mod.rs"]
mod alert_service;
#[path = "../../../tests/redis_server/mod.rs"]
mod redis_server;
#[path = "../support/mod.rs"]
mod support;

mod dropping_proxy;
mod fleet_pages;
mod fleet_server;
mod fleet_start;
mod replicas;
