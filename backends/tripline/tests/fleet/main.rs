//! Real processes over a real `redis-server` page once, escalate once and close once, whatever fails.
//!
//! Without `redis-server` each test says that it was skipped; `tests/tests/sim/sim_fleet*.rs` then is all that was tested, on the
//! in-memory engine. `TRIPLINE_REQUIRE_REDIS=1` makes it a failure.
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
