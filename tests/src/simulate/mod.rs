//! The whole process under one seed, on virtual time, against a simulated world that fails.
//!
//! [`run`] runs one seed: it draws a [`Script`] of faults, edits and commands, starts an
//! [`App`](tripline_backends::app::App) from a configuration on a simulated
//! [`Platform`](tripline_backends::app::Platform), makes calls, and checks the invariants after every event. The same
//! seed gives the same trace, byte for byte. [`shrink`] searches for the shortest script that still fails.
//!
//! The remainder of the seed modulo 8 selects the system under test:
//!
//! - 0 to 4: such a process, in a third of the seeds as one replica of a fleet;
//! - 5 and 6: a fleet of replicas that share their incidents;
//! - 7: a family of breakers with more keys than it may have members.

mod alert_service;
mod callers;
mod checks;
pub mod command;
mod config_file;
mod damage;
mod disk;
mod drive;
mod error_log;
mod extras;
mod extras_drive;
mod family;
mod family_alerts;
mod family_script;
mod fleet;
mod fleet_commands;
mod fleet_faults;
mod fleet_options;
mod fleet_script;
mod mood;
mod network;
mod operator;
mod peer;
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
mod stages;
mod state;
mod trace;
mod truth;
mod violation;
mod watchdog;

pub use run::{Outcome, run};
pub use script::Script;
pub use shrink::shrink;
pub use violation::Violation;
