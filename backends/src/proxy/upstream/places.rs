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
    use std::sync::Mutex;
    use std::task::{Context, Poll, Waker};

    use proptest::prelude::*;
    use tokio::time::{Instant, sleep, sleep_until};

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

    /// A request, in milliseconds: its arrival after the one before, how long it holds its slot, when its client hangs up.
    type Plan = (u64, u64, Option<u64>);

    /// What became of a request, in milliseconds since the start.
    #[derive(Debug, Clone, Copy)]
    struct Seen {
        arrived: u64,
        /// When it got a slot, and when it released it.
        held: Option<(u64, u64)>,
        /// When it gave up waiting.
        gave_up: Option<u64>,
        hung_up: Option<u64>,
    }

    /// Runs one request and pushes it onto the list in the order of arrival.
    async fn request(places: &Places, start: Instant, at: u64, plan: Plan, seen: &Mutex<Vec<Seen>>) {
        let now = || start.elapsed().as_millis() as u64;
        sleep_until(start + Duration::from_millis(at)).await;
        let index = {
            let mut requests = seen.lock().unwrap();
            requests.push(Seen { arrived: now(), held: None, gave_up: None, hung_up: None });
            requests.len() - 1
        };
        let exchange = async {
            let Some(place) = places.take().await else {
                seen.lock().unwrap()[index].gave_up = Some(now());
                return;
            };
            let took = now();
            let released = took + plan.1.min(plan.2.map_or(u64::MAX, |after| at + after - took));
            seen.lock().unwrap()[index].held = Some((took, released));
            sleep(Duration::from_millis(plan.1)).await;
            drop(place);
        };
        match plan.2 {
            None => exchange.await,
            Some(after) => tokio::select! {
                biased;
                () = exchange => {}
                () = sleep_until(start + Duration::from_millis(at + after)) => seen.lock().unwrap()[index].hung_up = Some(now()),
            },
        }
    }

    fn simulate(max: usize, patience: u64, plans: &[Plan]) -> Vec<Seen> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let places = Arc::new(Places::new(max, Duration::from_millis(patience)));
            let seen = Arc::new(Mutex::default());
            let (start, mut at) = (Instant::now(), 0);
            let mut tasks = tokio::task::JoinSet::new();
            for &plan in plans {
                at += plan.0;
                let (places, seen) = (places.clone(), seen.clone());
                tasks.spawn(async move { request(&places, start, at, plan, &seen).await });
            }
            while let Some(task) = tasks.join_next().await {
                task.unwrap();
            }
            assert_eq!(places.taken(), 0, "every slot is released");
            drop(tasks);
            Arc::into_inner(seen).unwrap().into_inner().unwrap()
        })
    }

    proptest! {
        /// Whatever requests come, wait, give up and are cancelled: slots go to them in the order of arrival, never more than there
        /// are, none is free while a request waits, and a request gives up after the pool timeout.
        #[test]
        fn on_virtual_time_slots_are_given_in_order_and_none_is_lost(
            max in 1_usize..4,
            patience in 1_u64..40,
            plans in prop::collection::vec((0_u64..12, 1_u64..40, prop::option::of(1_u64..60)), 1..60),
        ) {
            let seen = simulate(max, patience, &plans);
            prop_assert_eq!(seen.len(), plans.len());
            let took = seen.iter().filter_map(|request| request.held).map(|(took, _)| took);
            prop_assert!(took.is_sorted(), "not in the order of arrival: {:?}", seen);
            for (index, request) in seen.iter().enumerate() {
                prop_assert!(request.held.is_some() || request.gave_up.is_some() || request.hung_up.is_some());
                if let Some(at) = request.gave_up {
                    prop_assert_eq!(at, request.arrived + patience);
                }
                let busy = |at| {
                    let holders = seen.iter().filter_map(|other| other.held);
                    holders.filter(|&(took, released)| took <= at && at < released).count()
                };
                let took = request.held.map(|(took, _)| took);
                prop_assert!(took.is_none_or(|took| busy(took) <= max), "more than {} slots are held: {:?}", max, seen);
                for at in request.arrived..took.or(request.gave_up).or(request.hung_up).unwrap_or(0) {
                    prop_assert_eq!(busy(at), max, "request {} waits at {} ms: {:?}", index, at, seen);
                }
            }
        }
    }
}
