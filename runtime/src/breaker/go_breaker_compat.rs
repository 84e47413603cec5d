//! The interface of go-breaker in Rust: `allow` without a permit, `done` with two instants.

use tripline_core::{Instant, Latency, Outcome};

use crate::breaker::Breaker;
use crate::hot_path::call_token::CallToken;
use crate::hot_path::samples::SharedCore;

/// The interface of go-breaker.
impl Breaker {
    /// Whether a call is admitted. After `true`, call [`Breaker::done`] when the call has ended; without it the call
    /// counts as hanging.
    pub fn allow(&self) -> bool {
        let start = self.clock().now();
        let Ok(token) = self.admit(Some(start)) else { return false };
        if let Some(forgotten) = self.inner.rare().allowed_calls.insert(start, token) {
            self.inner.give_up(forgotten);
        }
        true
    }

    /// Reports a call that started at `start` (after its [`Breaker::allow`]) and ended at `end`, on the breaker's
    /// clock. It belongs to the generation in force at `start`. If `end` is before `start`, the latency is zero.
    pub fn done(&self, start: Instant, end: Instant) {
        let generation = self.inner.with_core(|core| core.generation_at(start));
        let token = self.inner.rare().allowed_calls.take(start, generation);
        let token = match (token, generation) {
            (Some(token), Some(generation)) => token.moved_to(generation),
            (Some(token), None) => token,
            (None, Some(generation)) => CallToken::untracked(generation),
            (None, None) => return,
        };
        self.inner.finish(token, end, Latency::between(start, end), Outcome::Ok);
    }

    /// Whether the breaker is open, by its rules or by an operator.
    pub fn triggered(&self) -> bool {
        self.state().is_triggered()
    }

    /// The latencies in the window that are above `threshold`, oldest first.
    pub fn latencies_above(&self, threshold: Latency) -> Vec<Latency> {
        self.read(|core| core.latencies().filter(|&latency| latency > threshold).collect())
    }

    /// Whether memory is below its threshold; `None` if it is unknown.
    pub fn memory_ok(&self) -> Option<bool> {
        self.read(SharedCore::memory_ok)
    }

    /// Whether the configured percentile is at or below the threshold.
    pub fn latency_ok(&self) -> bool {
        self.read(SharedCore::latency_ok)
    }

    /// Whether the breaker is enabled.
    pub fn enabled(&self) -> bool {
        self.read(|core| core.policy().enabled)
    }
}
