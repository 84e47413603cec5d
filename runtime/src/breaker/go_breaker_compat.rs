//! The interface of the original, go-breaker, in Rust terms: `allow` without a permit, `done` with two instants.

use std::collections::BTreeMap;

use tripline_core::{Generation, Instant, Latency, Outcome};

use crate::breaker::Breaker;

use crate::hot_path::call_token::CallToken;
use crate::sync::{Mutex, lock};

/// The calls that `allow` let out and that no `done` brought back, by the time they were let out.
#[derive(Debug, Default)]
pub(crate) struct GoBreakerCompat {
    out: Mutex<Out>,
}

#[derive(Debug, Default)]
struct Out {
    next: u64,
    calls: BTreeMap<(Instant, u64), CallToken>,
}

/// A call that never comes back is forgotten after so many later ones, so that a leak stays bounded.
const MAX_CALLS_OUT: usize = 65_536;

impl GoBreakerCompat {
    fn put(&self, start: Instant, token: CallToken) -> Option<CallToken> {
        let mut out = lock(&self.out);
        let key = (start, out.next);
        out.next = out.next.wrapping_add(1);
        out.calls.insert(key, token);
        if out.calls.len() > MAX_CALLS_OUT { out.calls.pop_first().map(|(_, token)| token) } else { None }
    }

    /// The call that was let out last before `start`: an instant taken after `allow` finds its own, or its twin.
    fn take(&self, start: Instant, generation: Option<Generation>) -> Option<CallToken> {
        let mut out = lock(&self.out);
        let before = out.calls.range(..=(start, u64::MAX)).next_back();
        let mine = |(_, token): &(&(Instant, u64), &CallToken)| Some(token.generation()) == generation;
        let key = *before.or_else(|| out.calls.iter().find(mine))?.0;
        out.calls.remove(&key)
    }
}

impl Breaker {
    /// Whether a call may be made. Who gets `true` calls [`Breaker::done`] afterwards; where it never comes, the call counts
    /// as one that hangs.
    pub fn allow(&self) -> bool {
        let start = self.clock().now();
        let Ok(token) = self.admit(Some(start)) else { return false };
        if let Some(forgotten) = self.classic().put(start, token) {
            self.give_up(forgotten);
        }
        true
    }

    /// A call that started at `start` (after its [`Breaker::allow`]) and ended at `end`, on the breaker's clock. It belongs to
    /// the generation in force at `start`; an end before the start counts as no latency.
    pub fn done(&self, start: Instant, end: Instant) {
        let generation = self.with_core(|core| core.generation_at(start));
        let token = self.classic().take(start, generation);
        let token = match (token, generation) {
            (Some(token), Some(generation)) => token.moved_to(generation),
            (Some(token), None) => token,
            (None, Some(generation)) => CallToken::untracked(generation),
            (None, None) => return,
        };
        self.finish(token, end, Latency::between(start, end), Outcome::Ok);
    }

    /// Whether the breaker is open, by its rules or by force.
    pub fn triggered(&self) -> bool {
        self.read(|core| core.state().kind().is_triggered())
    }

    /// The latencies in the window that are above `threshold`, oldest first.
    pub fn latencies_above(&self, threshold: Latency) -> Vec<Latency> {
        self.read(|core| core.latencies().filter(|&latency| latency > threshold).collect())
    }

    /// Whether memory is below its threshold; `None` where it is unknown.
    pub fn memory_ok(&self) -> Option<bool> {
        self.read(tripline_core::Breaker::memory_ok)
    }

    /// Whether the configured percentile is at or below the threshold.
    pub fn latency_ok(&self) -> bool {
        self.read(tripline_core::Breaker::latency_ok)
    }

    /// Whether the breaker is enabled.
    pub fn enabled(&self) -> bool {
        self.read(|core| core.policy().enabled)
    }
}
