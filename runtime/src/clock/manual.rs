//! A clock that only moves when it is set.

use std::task::{Poll, Waker};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_core::Instant;

use crate::clock::Clock;
use crate::clock::schedule::{Place, Schedule};
use crate::sync::{Mutex, lock};

/// A clock that only moves when it is set, in any direction, for tests, simulations and replays.
///
/// Its time of day moves with it, from 2026-01-01 00:00 UTC at [`Instant::ZERO`] unless [`ManualClock::time_of_day`]
/// sets another start.
///
/// ```
/// use std::time::Duration;
/// use tripline_runtime::core::Instant;
/// use tripline_runtime::{Clock, ManualClock};
///
/// let clock = ManualClock::new(Instant::ZERO);
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), Instant::from_millis(60_000));
/// ```
#[derive(Debug)]
pub struct ManualClock {
    state: Mutex<State>,
    /// The time of day at [`Instant::ZERO`].
    time_of_day: SystemTime,
}

#[derive(Debug)]
struct State {
    now: Instant,
    sleepers: Schedule<Waker>,
}

/// 2026-01-01 00:00 UTC.
const WALL_AT_START: Duration = Duration::from_secs(1_767_225_600);

impl ManualClock {
    /// Creates a clock at `now`.
    pub fn new(now: Instant) -> Self {
        let state = State { now, sleepers: Schedule::default() };
        Self { state: Mutex::new(state), time_of_day: SystemTime::UNIX_EPOCH + WALL_AT_START }
    }

    /// Sets the time of day at [`Instant::ZERO`].
    #[must_use]
    pub fn time_of_day(self, at_zero: SystemTime) -> Self {
        Self { time_of_day: at_zero, ..self }
    }

    /// Sets the clock, possibly backwards, and wakes the tasks whose deadline has passed.
    pub fn set(&self, now: Instant) {
        let mut state = lock(&self.state);
        state.now = now;
        let woken: Vec<Waker> = std::iter::from_fn(|| state.sleepers.pop_due(now)).collect();
        drop(state);
        woken.into_iter().for_each(Waker::wake);
    }

    /// Advances the clock in one step.
    pub fn advance(&self, span: Duration) {
        self.set(self.now() + span);
    }

    /// Returns the earliest deadline of a sleeping task.
    pub fn next_wake(&self) -> Option<Instant> {
        lock(&self.state).sleepers.next_at()
    }

    /// Returns the number of sleeps that have not ended.
    pub fn sleepers(&self) -> usize {
        lock(&self.state).sleepers.count()
    }
}

impl Default for ManualClock {
    /// A clock at 1 s, so that earlier instants exist.
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
        self.time_of_day + self.now().since(Instant::ZERO)
    }

    async fn sleep_until(&self, deadline: Instant) {
        let mut sleeper = Sleeper { clock: self, place: None };
        std::future::poll_fn(|context| {
            let mut state = lock(&self.state);
            if state.now >= deadline {
                return Poll::Ready(());
            }
            let waker = context.waker().clone();
            match sleeper.place {
                Some(place) => state.sleepers.put(place, waker),
                None => sleeper.place = Some(state.sleepers.add(deadline, 0, waker)),
            }
            Poll::Pending
        })
        .await;
    }
}

/// Removes itself if it is dropped early.
struct Sleeper<'a> {
    clock: &'a ManualClock,
    place: Option<Place>,
}

impl Drop for Sleeper<'_> {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            lock(&self.clock.state).sleepers.remove(place);
        }
    }
}
