//! Durable state in a folder.

mod state_dir;
