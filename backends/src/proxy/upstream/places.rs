//! The bulkhead: limits the concurrent requests of an upstream.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Slots for requests, counted over all threads. Waiting requests get them in the order of arrival.
#[derive(Debug)]
pub(crate) struct Places {
    free: Arc<Semaphore>,
    max: usize,
    patience: Duration,
}

/// One slot, released when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    #[expect(dead_code, reason = "held until the request is over")]
    permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(max: usize, patience: Duration) -> Self {
        Self { free: Arc::new(Semaphore::new(max)), max, patience }
    }

    /// Takes a slot if one is free and no request waits for it.
    pub(crate) fn try_take(&self) -> Option<Place> {
        self.free.clone().try_acquire_owned().ok().map(|permit| Place { permit })
    }

    /// Takes a slot, waiting if necessary.
    pub(crate) async fn take(&self) -> Option<Place> {
        match self.try_take() {
            Some(place) => Some(place),
            None => self.wait().await,
        }
    }

    /// Waits for a slot, for at most `pool_timeout`.
    pub(crate) async fn wait(&self) -> Option<Place> {
        if self.patience.is_zero() {
            return None;
        }
        let waiting = self.free.clone().acquire_owned();
        let permit = timeout(self.patience, waiting).await.ok()?.ok()?;
        Some(Place { permit })
    }

    /// Number of requests that hold a slot.
    pub(crate) fn taken(&self) -> usize {
        self.max.saturating_sub(self.free.available_permits())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[tokio::test]
    async fn those_that_wait_get_places_in_the_order_of_their_arrival() {
        let places = Places::new(1, Duration::from_secs(60));
        let first = places.try_take().unwrap();
        let (mut second, mut third) = (pin!(places.wait()), pin!(places.wait()));
        let mut cx = Context::from_waker(Waker::noop());
        assert!(second.as_mut().poll(&mut cx).is_pending() && third.as_mut().poll(&mut cx).is_pending());
        drop(first);
        assert!(places.try_take().is_none(), "a free place is for those that wait");
        assert!(third.as_mut().poll(&mut cx).is_pending());
        let Poll::Ready(Some(place)) = second.as_mut().poll(&mut cx) else { panic!("the second is first") };
        assert!(third.as_mut().poll(&mut cx).is_pending());
        drop(place);
        assert!(matches!(third.as_mut().poll(&mut cx), Poll::Ready(Some(_))));
    }

    #[tokio::test]
    async fn waiting_ends_after_the_pool_timeout() {
        let places = Places::new(1, Duration::from_millis(10));
        let _first = places.try_take().unwrap();
        assert!(places.take().await.is_none());
        let at_once = Places::new(0, Duration::ZERO);
        assert!(at_once.take().await.is_none());
        assert_eq!(places.taken(), 1);
    }
}
