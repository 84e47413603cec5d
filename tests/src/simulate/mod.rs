//! The whole process under one seed, on virtual time, against a simulated world that fails.
//!
//! [`run`] runs one seed: a [`Script`] of faults, edits and commands is drawn from it, an [`App`](tripline_backends::app::App) is
//! started from a configuration on a simulated [`Platform`](tripline_backends::app::Platform), callers call, and after every event
//! the invariants are checked. The same seed gives the same trace, to the byte. [`shrink`] looks for the shortest script that
//! still fails.
//!
//! Of eight seeds six are about such a process, one about a fleet of replicas that share their incidents, and one about a family of
//! breakers with more keys than there is room for.

mod alert_service;
mod callers;
mod checks;
pub mod command;
mod config_file;
mod disk;
mod drive;
mod family;
mod fleet;
mod network;
mod operator;
mod planted;
mod platform;
mod process;
mod random;
mod reader;
mod run;
mod script;
mod search;
mod seen;
mod settings;
mod shrink;
mod state;
mod trace;
mod truth;
mod violation;
mod watchdog;

pub use run::{Outcome, run};
pub use script::Script;
pub use shrink::shrink;
pub use violation::Violation;
