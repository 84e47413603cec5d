//! An alert service that deduplicates by alias, as `OpsGenie` does: slow, failing and late on demand.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tripline_core::Instant;
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Alert, AlertKind, AlertSink, Clock as _, DeliveryError, FleetPart, Stage};

/// An alert service that deduplicates by kind.
pub struct Pager {
    clock: Arc<ManualClock>,
    state: Mutex<State>,
}

/// The path of one replica to the pager.
#[derive(Debug)]
pub struct PagerOf {
    pager: Arc<Pager>,
    replica: String,
}

#[derive(Default)]
struct State {
    open: BTreeMap<AlertKind, Instant>,
    log: Vec<(Instant, Seen)>,
    deliveries: Vec<Delivery>,
    late: Vec<(Instant, Alert)>,
    texts: Vec<String>,
    families: Vec<String>,
    slow: Duration,
    lateness: Duration,
    /// Of the requests that are given up, how many take effect late: one in so many.
    late_one_in: f64,
    hook: Option<StepHook>,
    is_down: bool,
    random: Option<fastrand::Rng>,
    attempts: u64,
}

/// Looks at a step of a replica: what it sends, and whether it is done; true where the replica never gets any further.
pub type StepHook = Arc<dyn Fn(&str, &str, bool) -> bool + Send + Sync>;

/// A request that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What the alert is about.
    pub kind: AlertKind,
    /// Its stage, by name.
    pub stage: &'static str,
    /// It closes the alert.
    pub is_end: bool,
    /// Who sent it.
    pub part: Option<FleetPart>,
}

/// What the service did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// An alert was opened: people are paged.
    Paged,
    /// One that was open already was opened again.
    Folded,
    /// The alert was raised.
    Escalated,
    /// A note was added.
    Noted,
    /// The alert was closed.
    Closed,
    /// There was none to close.
    ClosedNone,
}

impl Pager {
    /// A service without alerts.
    pub fn new(clock: Arc<ManualClock>, seed: u64) -> Self {
        let state = State { random: Some(fastrand::Rng::with_seed(seed)), ..State::default() };
        Self { clock, state: Mutex::new(state) }
    }

    /// What replica of this name sends to.
    pub fn of(self: &Arc<Self>, replica: &str) -> PagerOf {
        PagerOf { pager: self.clone(), replica: replica.to_owned() }
    }

    /// Calls `hook` before and after each request takes effect.
    pub fn on_step(&self, hook: StepHook) {
        self.state.lock().unwrap().hook = Some(hook);
    }

    /// Every request that is given up takes effect so long after it was sent, at the latest.
    pub fn set_all_late(&self, lateness: Duration) {
        let mut state = self.state.lock().unwrap();
        (state.lateness, state.late_one_in) = (lateness, 1.0);
    }

    /// Each request takes up to so long.
    pub fn set_slow(&self, slow: Duration) {
        self.state.lock().unwrap().slow = slow;
    }

    /// A tenth of the requests that are given up takes effect up to so long after they were sent.
    pub fn set_late(&self, lateness: Duration) {
        self.state.lock().unwrap().lateness = lateness;
    }

    /// Every request fails, or no more.
    pub fn set_down(&self, is_down: bool) {
        self.state.lock().unwrap().is_down = is_down;
    }

    /// Requests that came.
    pub fn attempts(&self) -> u64 {
        self.state.lock().unwrap().attempts
    }

    /// Whether an alert is open.
    pub fn is_open(&self) -> bool {
        !self.state.lock().unwrap().open.is_empty()
    }

    /// How many alerts are open.
    pub fn open_alerts(&self) -> usize {
        self.state.lock().unwrap().open.len()
    }

    /// What it did, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.state.lock().unwrap().log.iter().map(|(_, seen)| *seen).collect()
    }

    /// What it did, and when.
    pub fn log(&self) -> Vec<(Instant, Seen)> {
        self.state.lock().unwrap().log.clone()
    }

    /// The requests that took effect since the last call.
    pub fn take_deliveries(&self) -> Vec<Delivery> {
        std::mem::take(&mut self.state.lock().unwrap().deliveries)
    }

    /// What the alerts said of the fleet.
    pub fn texts(&self) -> Vec<String> {
        self.state.lock().unwrap().texts.clone()
    }

    /// What the alerts stated about the family.
    pub fn families(&self) -> Vec<String> {
        self.state.lock().unwrap().families.clone()
    }

    /// Late requests take effect.
    pub fn settle_late(&self) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap();
        let (due, late) = std::mem::take(&mut state.late).into_iter().partition(|(at, _)| *at <= now);
        state.late = late;
        for (_, alert) in due {
            state.take(now, &alert);
        }
    }
}

impl State {
    fn take(&mut self, now: Instant, alert: &Alert) {
        let is_open = self.open.contains_key(&alert.kind);
        let is_note = alert.fleet.as_ref().is_some_and(FleetPart::is_note);
        let seen = match alert.stage {
            _ if is_note => Seen::Noted,
            Stage::Escalated if is_open => Seen::Escalated,
            stage if stage.is_end() => {
                self.open.remove(&alert.kind);
                if is_open { Seen::Closed } else { Seen::ClosedNone }
            }
            _ if is_open => Seen::Folded,
            _ => {
                self.open.insert(alert.kind, now);
                Seen::Paged
            }
        };
        self.log.push((now, seen));
        let (stage, is_end) = (alert.stage.as_str(), alert.stage.is_end());
        self.deliveries.push(Delivery { kind: alert.kind, stage, is_end, part: alert.fleet.clone() });
        self.texts.extend(alert.fleet.as_ref().map(ToString::to_string));
        self.families.extend(alert.family.as_ref().map(ToString::to_string));
    }
}

/// A request that is dropped before it took effect may take effect later.
struct InFlight<'a> {
    pager: &'a Pager,
    alert: Option<Alert>,
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        let Some(alert) = self.alert.take() else { return };
        let now = self.pager.clock.now();
        let mut state = self.pager.state.lock().unwrap();
        let (lateness, late_one_in) = (state.lateness, state.late_one_in);
        let random = state.random.as_mut().unwrap();
        if !lateness.is_zero() && random.f64() * late_one_in < 1.0 {
            let at = now + lateness.mul_f64(random.f64());
            state.late.push((at, alert));
        }
    }
}

impl std::fmt::Debug for Pager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pager").finish_non_exhaustive()
    }
}

impl PagerOf {
    /// A place at which the replica may end: it then waits for ever.
    async fn step(&self, alert: &Alert, is_done: bool) {
        let Some(hook) = self.pager.state.lock().unwrap().hook.clone() else { return };
        let call = format!("send {}", call_of(alert));
        if hook(&self.replica, &call, is_done) {
            std::future::pending::<()>().await;
        }
    }
}

fn call_of(alert: &Alert) -> &'static str {
    match (&alert.fleet, alert.stage) {
        (Some(part), _) if part.is_note() => "note",
        (Some(part), _) if part.is_repeated() => "resolved_again",
        (_, Stage::Escalated) => "escalated",
        (_, stage) if stage.is_end() => "resolved",
        _ => "initial",
    }
}

#[async_trait]
impl AlertSink for PagerOf {
    fn name(&self) -> &'static str {
        "pager"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let pager = &*self.pager;
        let mut in_flight = InFlight { pager, alert: Some(alert.clone()) };
        let (before, after, is_down) = {
            let mut state = pager.state.lock().unwrap();
            state.attempts += 1;
            let (slow, is_down) = (state.slow, state.is_down);
            let random = state.random.as_mut().unwrap();
            (slow.mul_f64(random.f64() / 2.0), slow.mul_f64(random.f64() / 2.0), is_down)
        };
        pager.clock.sleep_until(pager.clock.now() + before).await;
        if is_down {
            in_flight.alert = None;
            return Err(DeliveryError::Retryable { after: None, reason: "it failed".to_owned() });
        }
        self.step(alert, false).await;
        in_flight.alert = None;
        pager.state.lock().unwrap().take(pager.clock.now(), alert);
        self.step(alert, true).await;
        pager.clock.sleep_until(pager.clock.now() + after).await;
        Ok(())
    }
}
