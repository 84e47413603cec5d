//! Replay of recorded calls.
#![cfg(feature = "replay")]

mod replay;
mod replay_access_logs;
mod replay_bytes;
mod replay_compare;
mod replay_formats;
mod replay_input;
mod replay_memory;
mod replay_model;
