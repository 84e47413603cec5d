//! The invariants.

mod alerts;
mod bounded;
mod breaker;
mod durable;
mod escalation;
mod events;
mod extras;
mod fleet;
mod process;

use tripline_runtime::{BreakerName, DrainReport};

use super::error_log::ErrorLog;
use super::state::Simulation;
use super::violation::{Check, hold};

/// Checks the invariants after every event.
pub(super) fn after_event(simulation: &mut Simulation) -> Check {
    breaker::after_event(simulation)?;
    alerts::after_event(simulation)?;
    events::after_event(simulation)?;
    process::answers(simulation)
}

pub(super) fn every_minute(simulation: &mut Simulation) -> Check {
    process::every_minute(simulation)?;
    alerts::every_minute(simulation)?;
    fleet::every_minute(simulation)?;
    extras::every_minute(simulation)?;
    escalation::every_minute(simulation)
}

/// Checks the invariants once everything has worked for more than a quarter of an hour.
pub(super) fn settled(simulation: &mut Simulation) -> Check {
    hold(simulation.process.is_some(), "settled", || "the process does not run".to_owned())?;
    breaker::settled(simulation)?;
    alerts::settled(simulation)?;
    process::settled(simulation)?;
    fleet::settled(simulation)?;
    durable::settled(simulation)?;
    bounded::settled(simulation)
}

/// Checks the invariants after the process was stopped, not killed.
pub(super) fn stopped(simulation: &mut Simulation, report: Option<DrainReport>) -> Check {
    process::stopped(simulation, report)
}

pub(super) fn before_start(simulation: &mut Simulation) -> Check {
    durable::before_start(simulation)
}

pub(super) fn started(simulation: &mut Simulation) -> Check {
    durable::started(simulation)?;
    bounded::started(simulation)
}

/// Checks a start that found damaged states.
pub(super) fn started_without(simulation: &mut Simulation, damaged: &[BreakerName], errors: &ErrorLog) -> Check {
    durable::started_without(simulation, damaged, errors)
}

/// Checks a failed start: it must fail with a bad file, and only then.
pub(super) fn not_started(simulation: &mut Simulation, why: &str) -> Check {
    process::not_started(simulation, why)
}
