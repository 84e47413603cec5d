//! An alert service that folds by alias, as `OpsGenie` does: slow, failing and late on demand.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tripline_core::Instant;
use tripline_runtime::test_util::ManualClock;
use tripline_runtime::{Alert, AlertKind, AlertSink, Clock as _, DeliveryError, FleetPart, Stage};

/// An alert service that folds by kind.
#[derive(Debug)]
pub struct Pager {
    clock: Arc<ManualClock>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: BTreeMap<AlertKind, Instant>,
    log: Vec<(Instant, Seen)>,
    deliveries: Vec<Delivery>,
    late: Vec<(Instant, Alert)>,
    texts: Vec<String>,
    slow: Duration,
    lateness: Duration,
    is_down: bool,
    random: Option<fastrand::Rng>,
    attempts: u64,
}

/// A request that took effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What the alert is about.
    pub kind: AlertKind,
    /// Its stage, by name.
    pub stage: &'static str,
    /// It opens an alert, or folds into it.
    pub is_page: bool,
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
        let is_page = matches!(alert.stage, Stage::Single | Stage::Initial) && !is_note;
        self.deliveries.push(Delivery { kind: alert.kind, stage, is_page, is_end, part: alert.fleet.clone() });
        self.texts.extend(alert.fleet.as_ref().map(ToString::to_string));
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
        let lateness = state.lateness;
        let random = state.random.as_mut().unwrap();
        if !lateness.is_zero() && random.f64() < 0.1 {
            let at = now + lateness.mul_f64(random.f64());
            state.late.push((at, alert));
        }
    }
}

#[async_trait]
impl AlertSink for Pager {
    fn name(&self) -> &'static str {
        "pager"
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let mut in_flight = InFlight { pager: self, alert: Some(alert.clone()) };
        let (before, after, is_down) = {
            let mut state = self.state.lock().unwrap();
            state.attempts += 1;
            let (slow, is_down) = (state.slow, state.is_down);
            let random = state.random.as_mut().unwrap();
            (slow.mul_f64(random.f64() / 2.0), slow.mul_f64(random.f64() / 2.0), is_down)
        };
        self.clock.sleep_until(self.clock.now() + before).await;
        if is_down {
            in_flight.alert = None;
            return Err(DeliveryError::Retryable { after: None, reason: "it failed".to_owned() });
        }
        in_flight.alert = None;
        self.state.lock().unwrap().take(self.clock.now(), alert);
        self.clock.sleep_until(self.clock.now() + after).await;
        Ok(())
    }
}
