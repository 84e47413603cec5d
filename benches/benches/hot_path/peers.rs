//! Benchmarks of other circuit breakers, and of a naive one.

use std::collections::VecDeque;
use std::hint::black_box;
use std::sync::Mutex;
use std::time::Duration;

use failsafe::CircuitBreaker as _;
use failsafe::backoff::{Constant, constant};
use failsafe::failure_policy::{ConsecutiveFailures, consecutive_failures};
use recloser::Recloser;
use tower::Layer as _;
use tower_resilience_circuitbreaker::{CircuitBreaker, CircuitBreakerLayer, DefaultClassifier};

use crate::services::{self, Bare};

pub(crate) struct Failsafe(failsafe::StateMachine<ConsecutiveFailures<Constant>, ()>);

impl Failsafe {
    pub(crate) fn new() -> Self {
        let policy = consecutive_failures(5, constant(Duration::from_secs(10)));
        Self(failsafe::Config::new().failure_policy(policy).build())
    }

    #[inline]
    pub(crate) fn admits(&self) -> bool {
        self.0.is_call_permitted()
    }

    #[inline]
    pub(crate) fn call(&self) {
        let _ = black_box(self.0.call(|| Ok::<(), ()>(())));
    }
}

pub(crate) fn recloser() -> Recloser {
    Recloser::custom().closed_len(64).build()
}

/// A naive breaker: a window and a sort behind a lock.
pub(crate) struct MutexSort {
    window: Mutex<VecDeque<u32>>,
    size: usize,
}

impl MutexSort {
    pub(crate) fn new(size: usize) -> Self {
        Self { window: Mutex::new((0..size as u32).collect()), size }
    }

    fn record(&self, latency: u32) -> u32 {
        let mut window = self.window.lock().unwrap();
        if window.len() == self.size {
            window.pop_front();
        }
        window.push_back(latency);
        let mut sorted: Vec<u32> = window.iter().copied().collect();
        sorted.sort_unstable();
        sorted[sorted.len() * 95 / 100]
    }
}

/// Calls of one thread with latencies that vary, so that there is something to sort.
// Alone on its cache lines: the latency is written with every call.
#[repr(align(128))]
pub(crate) struct SortedCall<'a> {
    breaker: &'a MutexSort,
    latency: u32,
}

impl<'a> SortedCall<'a> {
    pub(crate) fn new(breaker: &'a MutexSort) -> Self {
        Self { breaker, latency: 7 }
    }

    #[inline]
    pub(crate) fn make(&mut self) {
        self.latency = self.latency.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        black_box(self.breaker.record(self.latency >> 8));
    }
}

/// The whole service with its layer; clones share the breaker.
#[derive(Clone)]
// Alone on its cache lines: a call writes into the service.
#[repr(align(128))]
pub(crate) struct Resilience(CircuitBreaker<Bare, DefaultClassifier>);

impl Resilience {
    pub(crate) fn new() -> Self {
        let layer = CircuitBreakerLayer::builder()
            .sliding_window_size(64)
            .slow_call_duration_threshold(Duration::from_millis(300))
            .slow_call_rate_threshold(0.5)
            .build()
            .unwrap();
        Self(layer.layer(services::bare()))
    }

    #[inline]
    pub(crate) fn call(&mut self) {
        let _ = black_box(services::call(&mut self.0));
    }
}
