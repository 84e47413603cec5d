//! `tripline ctl` against a server.

#[path = "../support/mod.rs"]
mod support;

mod ctl_breakers;
mod ctl_commands;
mod ctl_fake;
mod ctl_watch;
