//! `tripline ctl` against a server.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

mod ctl_breakers;
mod ctl_commands;
mod ctl_families;
mod ctl_server;
mod ctl_targets;
mod ctl_watch;
mod ctl_watch_all;
mod fake_server;
