//! Calls admitted without a permit, until they are reported as done.

use std::collections::BTreeMap;

use tripline_core::{Generation, Instant};

use crate::hot_path::call_token::CallToken;
use crate::sync::{Mutex, lock};

/// Calls that `allow` admitted and that no `done` has reported yet, by the instant of admission.
#[derive(Debug, Default)]
pub(crate) struct AllowedCalls {
    calls: Mutex<Calls>,
}

#[derive(Debug, Default)]
struct Calls {
    next: u64,
    by_start: BTreeMap<(Instant, u64), CallToken>,
}

/// Maximum number of stored calls. Beyond it the oldest is dropped, so that calls without a `done` take bounded memory.
const MAX_CALLS: usize = 65_536;

impl AllowedCalls {
    /// Adds a call. Returns the oldest one if there are too many.
    pub(crate) fn insert(&self, start: Instant, token: CallToken) -> Option<CallToken> {
        let mut calls = lock(&self.calls);
        let key = (start, calls.next);
        calls.next = calls.next.wrapping_add(1);
        calls.by_start.insert(key, token);
        if calls.by_start.len() > MAX_CALLS { calls.by_start.pop_first().map(|(_, token)| token) } else { None }
    }

    /// Removes the call that was last admitted at or before `start`: an instant read after `allow` finds its own call,
    /// or one admitted at the same instant. If there is none, removes the oldest call of `generation`.
    pub(crate) fn take(&self, start: Instant, generation: Option<Generation>) -> Option<CallToken> {
        let mut calls = lock(&self.calls);
        let before = calls.by_start.range(..=(start, u64::MAX)).next_back();
        let same = |(_, token): &(&(Instant, u64), &CallToken)| Some(token.generation()) == generation;
        let key = *before.or_else(|| calls.by_start.iter().find(same))?.0;
        calls.by_start.remove(&key)
    }
}
