//! A sink that remembers, and fails when it is told to.

use std::collections::VecDeque;

use async_trait::async_trait;

use crate::alert::{Alert, AlertSink, DeliveryError};
use crate::sync::{Mutex, lock};

/// A sink that remembers every alert that it took.
#[derive(Debug, Default)]
pub struct RecordingSink {
    taken: Mutex<Vec<Alert>>,
    failures: Mutex<VecDeque<DeliveryError>>,
    attempts: Mutex<u64>,
}

impl RecordingSink {
    /// The alerts that were delivered, in order.
    pub fn all(&self) -> Vec<Alert> {
        lock(&self.taken).clone()
    }

    /// The next attempt fails with this; call it again for the one after it.
    pub fn fail_next(&self, error: DeliveryError) {
        lock(&self.failures).push_back(error);
    }

    /// How often a delivery was tried.
    pub fn attempts(&self) -> u64 {
        *lock(&self.attempts)
    }
}

#[async_trait]
impl AlertSink for RecordingSink {
    fn name(&self) -> &'static str {
        "recording"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        *lock(&self.attempts) += 1;
        if let Some(error) = lock(&self.failures).pop_front() {
            return Err(error);
        }
        lock(&self.taken).push(alert.clone());
        Ok(())
    }
}
