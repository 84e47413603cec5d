//! The invariants.

mod alerts;
mod breaker;
mod durable;
mod process;

use std::collections::BTreeMap;
use std::time::Duration;

use tripline_core::Instant;
use tripline_runtime::DrainReport;

use super::drive::Simulation;
use super::violation::{Check, hold};

/// What the checks remember.
#[derive(Debug)]
pub(super) struct Seen {
    pub(super) file_changed: Instant,
    pub(super) restarted: Option<Instant>,
    pub(super) is_stopping: bool,
    pub(super) memory_percent: u64,
    pub(super) memory_bad_at: Option<Instant>,
    pub(super) is_disk_faulty: bool,
    pub(super) disk_faulty_at: Option<Instant>,
    /// The newest incident of each breaker and kind of alert that the webhook was sent.
    pub(super) newest: BTreeMap<(String, String), u64>,
    /// Deliveries that the webhook was sent.
    pub(super) deliveries: BTreeMap<String, Instant>,
    /// The first delivery of each breaker, incident and kind.
    pub(super) pages: BTreeMap<(String, u64, String), String>,
}

impl Seen {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            file_changed: now,
            restarted: None,
            is_stopping: false,
            memory_percent: 50,
            memory_bad_at: None,
            is_disk_faulty: false,
            disk_faulty_at: None,
            newest: BTreeMap::new(),
            deliveries: BTreeMap::new(),
            pages: BTreeMap::new(),
        }
    }

    /// Whether `at` is less than `span` ago.
    pub(super) fn is_recent(at: Option<Instant>, now: Instant, span: Duration) -> bool {
        at.is_some_and(|at| now < at + span)
    }
}

/// After every event.
pub(super) fn after_event(simulation: &mut Simulation<'_>) -> Check {
    breaker::after_event(simulation)?;
    alerts::after_event(simulation)?;
    process::answers(simulation)
}

pub(super) fn every_minute(simulation: &mut Simulation<'_>) -> Check {
    process::every_minute(simulation)?;
    alerts::every_minute(simulation)
}

/// Everything has worked for more than a quarter of an hour.
pub(super) fn settled(simulation: &mut Simulation<'_>) -> Check {
    hold(simulation.process.is_some(), "settled", || "the process does not run".to_owned())?;
    breaker::settled(simulation)?;
    alerts::settled(simulation)?;
    process::settled(simulation)?;
    durable::settled(simulation)
}

/// The process was stopped, and not killed.
pub(super) fn stopped(simulation: &mut Simulation<'_>, report: Option<DrainReport>) -> Check {
    process::stopped(simulation, report)
}

pub(super) fn before_start(simulation: &mut Simulation<'_>) -> Check {
    durable::before_start(simulation)
}

pub(super) fn started(simulation: &mut Simulation<'_>) -> Check {
    durable::started(simulation)
}

/// It must not start with a bad file, and with a good one it must.
pub(super) fn not_started(simulation: &mut Simulation<'_>, why: &str) -> Check {
    process::not_started(simulation, why)
}
