//! Real processes with a real `redis-server` page once, escalate once and close once, whichever part fails.
//!
//! The rows of the table of failures in the guide, with their tests (simulation: `tests/tests/sim/`):
//!
//! | failure | tests |
//! |---|---|
//! | a replica loses the engine | `a_process_behind_a_partition_…`, `a_wrong_password_…`, `an_engine_out_of_reach_…` (simulation) |
//! | the engine is down | `a_server_out_of_reach_…`, `a_server_that_is_killed_…` |
//! | is slow, hangs | `a_server_that_pauses_…`; `sim_fleet_faults` |
//! | rejects | `a_wrong_password_…`, `a_server_of_an_earlier_version_…`, `a_key_of_another_type_…` |
//! | forgets everything | `a_server_that_forgets_…`, `a_server_that_is_killed_…`, `an_engine_that_forgets_…` (simulation) |
//! | fails over | `a_failover_…` here and in `sim_fleet_primaries` |
//! | the claimant dies | `fleet_kills`, one for each step that can be held; every step: `sim_fleet_kills` |
//! | the claimant hangs | `a_claimant_that_is_paused_…` |
//! | two primaries | `two_primaries_…` here and in `sim_fleet_primaries` |
//! | all unwell replicas vanish | `unwell_processes_that_vanish_…`, `an_unwell_process_that_is_paused_…` |
//! | a replica stops | `a_process_that_stops_…`, `while_it_leaves` |
//! | clocks are off by hours | `clocks_…` and `an_engine_whose_clock_…` in `sim_fleet` |
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
mod fleet_breakers;
mod fleet_kills;
mod fleet_many;
mod fleet_options;
mod fleet_pages;
mod fleet_primaries;
mod fleet_server;
mod fleet_start;
mod replicas;
