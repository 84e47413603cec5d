//! A clock that stands still until it is moved.

use std::collections::BTreeMap;
use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_core::Instant;

use crate::clock::Clock;
use crate::sync::{Mutex, lock};

/// A clock that stands still until it is moved, in any direction. Its time of day goes along from 2026-01-01 00:00 UTC.
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    now: Instant,
    next_sleeper: u64,
    sleepers: BTreeMap<(Instant, u64), Waker>,
}

/// 2026-01-01 00:00 UTC.
const WALL_AT_START: Duration = Duration::from_secs(1_767_225_600);

impl ManualClock {
    /// A clock at `now`.
    pub fn new(now: Instant) -> Self {
        Self { state: Mutex::new(State { now, next_sleeper: 0, sleepers: BTreeMap::new() }) }
    }

    /// Sets the clock, also back, and wakes the tasks that slept until then.
    pub fn set(&self, now: Instant) {
        let mut state = lock(&self.state);
        state.now = now;
        let later = state.sleepers.split_off(&(now, u64::MAX));
        let woken = std::mem::replace(&mut state.sleepers, later);
        drop(state);
        for waker in woken.into_values() {
            waker.wake();
        }
    }

    /// Moves the clock on, without stopping on the way.
    pub fn advance(&self, span: Duration) {
        self.set(self.now() + span);
    }

    /// The earliest instant that a task sleeps until.
    pub fn next_wake(&self) -> Option<Instant> {
        lock(&self.state).sleepers.keys().next().map(|&(at, _)| at)
    }
}

impl Default for ManualClock {
    /// A clock at 1 s, so that there is a past.
    fn default() -> Self {
        Self::new(Instant::from_millis(1_000))
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Instant {
        lock(&self.state).now
    }

    fn system_time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + WALL_AT_START + self.now().since(Instant::ZERO)
    }

    async fn sleep_until(&self, deadline: Instant) {
        let mut sleeper = Sleeper { clock: self, key: None };
        std::future::poll_fn(|context| {
            let mut state = lock(&self.state);
            if state.now >= deadline {
                return Poll::Ready(());
            }
            let key = *sleeper.key.get_or_insert_with(|| {
                state.next_sleeper = state.next_sleeper.wrapping_add(1);
                (deadline, state.next_sleeper)
            });
            state.sleepers.insert(key, context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Removes itself when it is dropped early.
struct Sleeper<'a> {
    clock: &'a ManualClock,
    key: Option<(Instant, u64)>,
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            lock(&self.clock.state).sleepers.remove(&key);
        }
    }
}
