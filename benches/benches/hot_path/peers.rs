//! What a user would pick instead.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Waker};
use std::time::Duration;

use failsafe::CircuitBreaker as _;
use failsafe::backoff::{Constant, constant};
use failsafe::failure_policy::{ConsecutiveFailures, consecutive_failures};
use recloser::Recloser;
use tower::{Layer as _, Service};
use tower_resilience_circuitbreaker::CircuitBreakerLayer;

pub(crate) struct Failsafe(failsafe::StateMachine<ConsecutiveFailures<Constant>, ()>);

impl Failsafe {
    pub(crate) fn new() -> Self {
        let policy = consecutive_failures(5, constant(Duration::from_secs(10)));
        Self(failsafe::Config::new().failure_policy(policy).build())
    }

    pub(crate) fn admits(&self) -> bool {
        self.0.is_call_permitted()
    }

    pub(crate) fn call(&self) {
        let _ = std::hint::black_box(self.0.call(|| Ok::<(), ()>(())));
    }
}

pub(crate) fn recloser() -> Recloser {
    Recloser::custom().closed_len(64).build()
}

/// A window and a sort behind a lock: what one writes first.
pub(crate) struct MutexSort(Mutex<VecDeque<u32>>, usize);

impl MutexSort {
    pub(crate) fn new(size: usize) -> Self {
        Self(Mutex::new((0..size as u32).collect()), size)
    }

    pub(crate) fn record(&self, latency: u32) -> u32 {
        let mut window = self.0.lock().unwrap();
        if window.len() == self.1 {
            window.pop_front();
        }
        window.push_back(latency);
        let mut sorted: Vec<u32> = window.iter().copied().collect();
        sorted.sort_unstable();
        sorted[sorted.len() * 95 / 100]
    }
}

type Call = fn(()) -> Ready<Result<(), Infallible>>;

/// The whole service with its layer, as it is used.
pub(crate) struct Resilience(Box<dyn FnMut()>);

impl Resilience {
    pub(crate) fn new() -> Self {
        let layer = CircuitBreakerLayer::builder()
            .sliding_window_size(64)
            .slow_call_duration_threshold(Duration::from_millis(300))
            .slow_call_rate_threshold(0.5)
            .build()
            .unwrap();
        let inner: Call = |()| ready(Ok(()));
        let mut service = layer.layer(tower::service_fn(inner));
        Self(Box::new(move || {
            let mut context = Context::from_waker(Waker::noop());
            let _ = Service::<()>::poll_ready(&mut service, &mut context);
            let mut call = pin!(service.call(()));
            while call.as_mut().poll(&mut context).is_pending() {}
        }))
    }

    pub(crate) fn call(&mut self) {
        (self.0)();
    }
}
