//! Replay of recorded calls.
#![cfg(feature = "replay")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod replay;
mod replay_access_logs;
mod replay_bytes;
mod replay_collectors;
mod replay_compare;
mod replay_formats;
mod replay_input;
mod replay_memory;
mod replay_model;
mod without_why;
