//! `tripline ctl` against a server.

#[path = "../support/mod.rs"]
mod support;

mod ctl_commands;
mod ctl_watch;
mod fake_server;
