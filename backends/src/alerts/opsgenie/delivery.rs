//! The progress of each alert's requests, so that the next attempt continues there.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tripline_runtime::{Alert, AlertKind, BreakerName, FleetPart, Stage};

use super::plan::Plan;

/// Maximum number of alerts in progress, for a family whose members all have incidents of their own. Beyond it the oldest record is dropped and its requests are sent again, which
/// the alias makes harmless.
const MAX_RECORDS: usize = 4_096;
/// Maximum number of status queries for a request, over some 40 s.
const MAX_LOOKS: u32 = 8;
const FIRST_LOOK_AFTER: Duration = Duration::from_millis(500);
const MAX_LOOK_PAUSE: Duration = Duration::from_secs(8);

/// One incident's alert of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AlertId {
    breaker: BreakerName,
    /// Of a member with incidents of its own.
    key: Option<String>,
    incident: u64,
    kind: AlertKind,
}

impl AlertId {
    pub(super) fn of(alert: &Alert) -> Self {
        Self { breaker: alert.breaker.clone(), key: alert.key.clone(), incident: alert.incident, kind: alert.kind }
    }
}

/// The last stage of an alert that was sent, and the number of replicas in its last note.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached(Stage, u32);

impl Reached {
    pub(super) const fn of(alert: &Alert) -> Self {
        match alert.fleet {
            Some(FleetPart::All { has_doubled: true, open, .. }) => Self(alert.stage, open),
            _ => Self(alert.stage, 0),
        }
    }
}

/// The progress of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Delivery {
    id: AlertId,
    /// The alias from the first request to the last, even if the configuration changes.
    pub(super) alias: String,
    /// The stage that the plan delivers.
    pub(super) stage: Option<Reached>,
    pub(super) plan: Plan,
    /// The request whose outcome the next step of the plan waits for.
    pub(super) unconfirmed: Option<Unconfirmed>,
    /// Nothing was sent because alerts were switched off.
    pub(super) withheld: bool,
}

/// A request that the service accepted and may not have processed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unconfirmed {
    pub(super) request: String,
    looks: u32,
}

impl Unconfirmed {
    pub(super) const fn new(request: String) -> Self {
        Self { request, looks: 0 }
    }

    /// Pause before the next status query; `None` after the last one.
    pub(super) fn next_look(&mut self) -> Option<Duration> {
        let wait = (FIRST_LOOK_AFTER * 2_u32.saturating_pow(self.looks)).min(MAX_LOOK_PAUSE);
        self.looks += 1;
        (self.looks <= MAX_LOOKS).then_some(wait)
    }
}

/// The records of all alerts that are not closed.
#[derive(Debug, Default)]
pub(super) struct Deliveries(Mutex<VecDeque<Delivery>>);

impl Deliveries {
    /// The record of an alert. A new record gets the alias `alias`.
    pub(super) fn get(&self, id: AlertId, alias: &str) -> Delivery {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.iter().find(|record| record.id == id).cloned().unwrap_or_else(|| Delivery {
            id,
            alias: alias.to_owned(),
            stage: None,
            plan: Plan::default(),
            unconfirmed: None,
            withheld: false,
        })
    }

    /// Stores a record.
    pub(super) fn put(&self, record: Delivery) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.retain(|other| other.id != record.id);
        records.push_back(record);
        if records.len() > MAX_RECORDS {
            records.pop_front();
        }
    }

    /// Removes the record of a closed alert.
    pub(super) fn forget(&self, record: &Delivery) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.retain(|other| other.id != record.id);
    }

    /// Discards the pending requests of all records. Requests to another service, or with another key, prove nothing.
    pub(super) fn start_over(&self) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for record in records.iter_mut() {
            (record.stage, record.unconfirmed) = (None, None);
        }
    }
}
