//! The bulkhead: how many requests an upstream has at a time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Places for requests, counted over all threads. Those that wait get them in the order of their arrival.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    max: usize,
    patience: Duration,
}

/// One place; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct Place {
    #[expect(dead_code, reason = "held until the request is over")]
    permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(max: usize, patience: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(max)), max, patience }
    }

    /// A place, if one is free and no request waits for it.
    pub(crate) fn try_take(&self) -> Option<Place> {
        self.free.clone().try_acquire_owned().ok().map(|permit| Place { permit })
    }

    /// A place at once, or after waiting.
    pub(crate) async fn take(&self) -> Option<Place> {
        match self.try_take() {
            Some(place) => Some(place),
            None => self.wait().await,
        }
    }

    /// Waits for a place, for `pool_timeout` at most.
    pub(crate) async fn wait(&self) -> Option<Place> {
        if self.patience.is_zero() {
            return None;
        }
        let waiting = self.free.clone().acquire_owned();
        let permit = timeout(self.patience, waiting).await.ok()?.ok()?;
        Some(Place { permit })
    }

    /// Requests that have a place.
    pub(crate) fn taken(&self) -> usize {
        self.max.saturating_sub(self.free.available_permits())
    }
}
