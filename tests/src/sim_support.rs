//! Shared parts of the tests in a `World`: a policy that trips quickly, instantaneous calls, and a log of states.

use std::cell::RefCell;
use std::num::NonZeroU16;
use std::rc::Rc;
use std::time::Duration;

use tripline_core::{Cause, EventKind, Instant, Latency, Outcome, Policy, Ratio, State, StateKind};
use tripline_runtime::test_util::{Subject, World};
use tripline_runtime::{Alert, Breaker, EscalationPolicy, Stage};

/// Returns a duration in milliseconds.
pub const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Returns a duration in seconds.
pub const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Slower than the threshold of [`quick`].
pub const SLOW: Duration = ms(150);
/// Faster than the threshold of [`quick`].
pub const FAST: Duration = ms(10);

/// A policy that trips at the fifth slow call (threshold 100 ms, window 10, minimum 5), waits 10 s without jitter, and
/// requires three good probes. An incident ends after 30 s.
pub fn quick() -> Policy {
    let mut policy = crate::setup::original_policy();
    policy.latency_threshold = Latency::from_millis(100);
    policy.latency_window_size = NonZeroU16::new(10).unwrap_or(NonZeroU16::MIN);
    policy.minimum_samples = Some(5);
    policy.wait_time = s(10);
    policy.wait_jitter = Ratio::ZERO;
    policy.half_open_max_calls = 3;
    policy.recovery_time = s(30);
    policy
}

/// [`quick`] with a change.
pub fn quick_but(change: impl FnOnce(&mut Policy)) -> Policy {
    let mut policy = quick();
    change(&mut policy);
    policy
}

/// A single alert at once, also for the next incident.
pub fn no_cooldown() -> EscalationPolicy {
    staging(Duration::ZERO, Duration::ZERO)
}

/// Staged alerts.
pub fn staging(escalate_after: Duration, cooldown: Duration) -> EscalationPolicy {
    let mut staging = EscalationPolicy::default();
    staging.escalate_after = escalate_after;
    staging.cooldown = cooldown;
    staging
}

/// Returns the state with its data, without advancing time.
pub fn state(breaker: &Breaker) -> State {
    breaker.read(tripline_core::Breaker::state)
}

/// The state.
pub fn kind(breaker: &Breaker) -> StateKind {
    state(breaker).kind()
}

/// Makes a call that ends now and began `latency` ago. Returns false if it was rejected.
pub fn report(breaker: &Breaker, latency: Duration, outcome: Outcome) -> bool {
    let Ok(permit) = breaker.try_acquire() else { return false };
    let end = breaker.clock().now();
    permit.finish(before(end, latency), end, outcome);
    true
}

/// Makes `count` calls with [`report`], all at this instant. Returns how many were admitted.
pub fn report_many(breaker: &Breaker, count: usize, latency: Duration, outcome: Outcome) -> usize {
    (0..count).filter(|_| report(breaker, latency, outcome)).count()
}

/// The instant `span` before `instant`.
pub fn before(instant: Instant, span: Duration) -> Instant {
    let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    Instant::from_nanos(instant.as_nanos().saturating_sub(nanos))
}

/// Trips a closed breaker with the policy [`quick`] by five slow calls; an alert is sent.
pub fn trip(world: &World, breaker: &Breaker) {
    report_many(breaker, 5, SLOW, Outcome::Ok);
    world.run_until_idle();
}

/// Waits until an open breaker admits probes, then makes good probes until it closes.
pub fn recover(world: &World, breaker: &Breaker) {
    if let State::Open { until } = state(breaker) {
        let until = breaker.read(|core| core.on_clock(until));
        world.advance(until.since(world.now()));
    }
    for _ in 0..100 {
        if kind(breaker) == StateKind::Closed {
            break;
        }
        report(breaker, FAST, Outcome::Ok);
    }
    world.run_until_idle();
}

/// Returns the transitions that wait to be polled, oldest first. Takes all events from any other reader.
pub fn transitions(breaker: &Breaker) -> Vec<(StateKind, Cause, StateKind)> {
    std::iter::from_fn(|| breaker.poll_event())
        .filter_map(|event| match event.kind {
            EventKind::Transition { from, to, cause } => Some((from, cause, to)),
            _ => None,
        })
        .collect()
}

/// The incident's number and stage of every alert that was delivered.
pub fn stages(subject: &Subject) -> Vec<(u64, Stage)> {
    subject.alerts.all().iter().map(stage).collect()
}

/// The incident's number and stage of an alert.
pub fn stage(alert: &Alert) -> (u64, Stage) {
    (alert.incident, alert.stage)
}

/// One entry of a [`StateLog`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// When it was seen.
    pub at: Instant,
    /// The state.
    pub state: StateKind,
    /// The number of the generation: successive entries differ by one if none was missed.
    pub generation: u32,
}

/// Every state of a breaker, with its start.
#[derive(Debug, Clone, Default)]
pub struct StateLog {
    entries: Rc<RefCell<Vec<Entry>>>,
}

impl StateLog {
    /// Records each new generation of `breaker` from now on.
    pub fn watch(world: &World, breaker: &Breaker) -> Self {
        let log = Self::default();
        let entries = log.entries.clone();
        let breaker = breaker.clone();
        world.spawn(async move {
            loop {
                let entry = breaker.read(|core| Entry {
                    at: core.latest_reading(),
                    state: core.state().kind(),
                    generation: core.generation().get(),
                });
                let is_new = entries.borrow().last().is_none_or(|last: &Entry| last.generation != entry.generation);
                if is_new {
                    entries.borrow_mut().push(entry);
                }
                // Not before reading: events that wait to be polled would wake this task at once, for ever.
                breaker.changed().await;
            }
        });
        world.run_until_idle();
        log
    }

    /// Returns the entries so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.borrow().clone()
    }

    /// The states in order.
    pub fn states(&self) -> Vec<StateKind> {
        self.entries.borrow().iter().map(|entry| entry.state).collect()
    }

    /// Whether every generation was seen.
    pub fn is_complete(&self) -> bool {
        self.entries.borrow().windows(2).all(|pair| match pair {
            [earlier, later] => later.generation == earlier.generation.wrapping_add(1),
            _ => true,
        })
    }
}
