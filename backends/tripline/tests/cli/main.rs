//! `tripline replay`, `suggest`, `check` and `init`, run as commands.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

#[path = "../support/mod.rs"]
mod support;

mod cli_breakers;
mod cli_compare;
mod cli_files;
mod cli_replay;
mod cli_replay_inputs;
mod cli_replay_logs;
mod cli_report;
mod cli_suggest;
mod cli_suggest_by;
mod cli_suggest_doubts;
