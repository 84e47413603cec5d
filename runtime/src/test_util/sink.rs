//! A sink that records alerts, and fails on demand.

use std::collections::{BTreeMap, VecDeque};

use async_trait::async_trait;
use tripline_core::AlertKind;

use crate::breaker::name::BreakerName;
use crate::incidents::alert::{Alert, AlertSink, DeliveryError};
use crate::sync::{Mutex, lock};

/// A sink that stores every alert that it accepted.
///
/// It outlives the world in which it was used, as an alert service outlives a killed process.
#[derive(Debug)]
pub struct RecordingSink {
    name: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: Vec<Alert>,
    failures: VecDeque<Failure>,
    down: Option<DeliveryError>,
    attempts: u64,
}

#[derive(Debug)]
enum Failure {
    NotTaken(DeliveryError),
    AnswerLost(DeliveryError),
}

impl RecordingSink {
    /// Creates a sink of this name.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), state: Mutex::default() }
    }

    /// Returns the delivered alerts, in order.
    pub fn all(&self) -> Vec<Alert> {
        lock(&self.state).taken.clone()
    }

    /// Returns the alerts that are open at a service with at most one open alert per breaker and kind: the last
    /// delivered alert of each, without closed ones.
    pub fn open(&self) -> BTreeMap<(BreakerName, AlertKind), Alert> {
        let mut open = BTreeMap::new();
        for alert in self.all() {
            let alias = (alert.breaker.clone(), alert.kind);
            if alert.stage.is_end() {
                open.remove(&alias);
            } else {
                open.insert(alias, alert);
            }
        }
        open
    }

    /// Lets the next attempt fail with this error; call it again for the one after it.
    pub fn fail_next(&self, error: DeliveryError) {
        lock(&self.state).failures.push_back(Failure::NotTaken(error));
    }

    /// Lets the next attempt accept the alert and still fail with this error, as if the response was lost.
    pub fn take_next_but_fail(&self, error: DeliveryError) {
        lock(&self.state).failures.push_back(Failure::AnswerLost(error));
    }

    /// Lets every attempt fail with this error from now on; `None` ends that.
    pub fn set_down(&self, error: Option<DeliveryError>) {
        lock(&self.state).down = error;
    }

    /// Number of attempts.
    pub fn attempts(&self) -> u64 {
        lock(&self.state).attempts
    }
}

impl Default for RecordingSink {
    /// Named `"recording"`.
    fn default() -> Self {
        Self::named("recording")
    }
}

#[async_trait]
impl AlertSink for RecordingSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let mut state = lock(&self.state);
        state.attempts += 1;
        if let Some(error) = &state.down {
            return Err(error.clone());
        }
        let failure = state.failures.pop_front();
        if let Some(Failure::NotTaken(error)) = failure {
            return Err(error);
        }
        state.taken.push(alert.clone());
        match failure {
            Some(Failure::AnswerLost(error) | Failure::NotTaken(error)) => Err(error),
            None => Ok(()),
        }
    }
}
