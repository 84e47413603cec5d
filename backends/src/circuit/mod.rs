//! One named breaker with everything that belongs to it, and all of them by name.
//!
//! A [`Circuit`] holds the breaker, its settings, its memory source, its alerts, its event log and its durable state.
//! [`Circuits`] holds the circuits of a process in the order of its configuration. The API, hot reload and
//! [`app`](crate::app) work on circuits; a program that needs only the breaker uses `tripline-runtime` alone.
//!
//! ```
//! use std::sync::Arc;
//! use tripline_backends::circuit::{Circuit, Circuits};
//! use tripline_runtime::{Breaker, test_util::ManualClock};
//!
//! let breaker = Breaker::builder(Arc::new(ManualClock::default())).build()?;
//! let circuits = Circuits::from(Circuit::new(breaker));
//! let circuit = circuits.get("default").ok_or("there is no such circuit")?;
//! assert!(circuit.breaker().try_acquire().is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod event_log;
mod observer;
mod registry;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tripline_runtime::{Breaker, BreakerName, DurableState, Family, MemorySource, StateStore, SupervisedBreaker};

#[cfg(all(feature = "opsgenie", feature = "webhook"))]
use crate::alerts::Alerting;
use crate::alerts::AlertsView;
use crate::config::BreakerConfig;
use crate::metrics::{FollowedLog, KeySeries};

pub use event_log::EventLog;
pub(crate) use observer::Observer;
pub(crate) use registry::CircuitChange;
pub use registry::Circuits;

/// One named breaker with everything that belongs to it. Clones share the same circuit.
#[derive(Clone)]
pub struct Circuit {
    parts: Arc<Parts>,
}

struct Parts {
    breaker: Breaker,
    /// The breaker is its shared member.
    family: Option<Family>,
    config: Mutex<Arc<BreakerConfig>>,
    memory: Option<Arc<dyn MemorySource>>,
    alerts: Option<Arc<dyn AlertsView>>,
    #[cfg(all(feature = "opsgenie", feature = "webhook"))]
    alerting: Option<Alerting>,
    events: EventLog,
    followed_log: Mutex<Option<FollowedLog>>,
    key_series: KeySeries,
    store: Option<Arc<dyn StateStore>>,
    /// The state of an earlier process, until the breaker is supervised.
    left: Mutex<Option<DurableState>>,
}

/// Sets a [`Circuit`] up; see [`Circuit::builder`].
#[must_use = "a builder does nothing until `build`"]
pub struct CircuitBuilder {
    parts: Parts,
}

impl Circuit {
    /// A circuit of this breaker alone: its settings are the breaker's policy and the defaults; it has no memory source, no
    /// alerts and no durable state.
    pub fn new(breaker: Breaker) -> Self {
        Self::builder(breaker).build()
    }

    /// Sets up a circuit of `family`, whose breaker is the shared member `*`.
    pub fn of_family(family: Family) -> CircuitBuilder {
        let mut builder = Self::builder(family.shared().clone());
        builder.parts.family = Some(family);
        builder
    }

    /// Sets up a circuit of `breaker`.
    pub fn builder(breaker: Breaker) -> CircuitBuilder {
        let mut config = BreakerConfig::default();
        config.name = breaker.name().clone();
        config.policy = breaker.read(|core| core.policy().clone());
        config.stall_detection = breaker.detects_stalls();
        let events = EventLog::new(breaker.clock().system_time());
        CircuitBuilder {
            parts: Parts {
                breaker,
                family: None,
                config: Mutex::new(Arc::new(config)),
                memory: None,
                alerts: None,
                #[cfg(all(feature = "opsgenie", feature = "webhook"))]
                alerting: None,
                events,
                followed_log: Mutex::new(None),
                key_series: KeySeries::default(),
                store: None,
                left: Mutex::new(None),
            },
        }
    }

    /// Its name, which is that of the breaker.
    pub fn name(&self) -> &BreakerName {
        self.parts.breaker.name()
    }

    /// Whether this and `other` are clones of one circuit.
    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.parts, &other.parts)
    }

    /// The breaker; that of a family is its shared member `*`.
    pub fn breaker(&self) -> &Breaker {
        &self.parts.breaker
    }

    /// Its breaker; of a family every member, the shared one first.
    pub(crate) fn breakers(&self) -> Vec<Breaker> {
        self.parts.family.as_ref().map_or_else(|| vec![self.parts.breaker.clone()], Family::members)
    }

    /// The series of single members in the metrics.
    pub(crate) fn key_series(&self) -> &KeySeries {
        &self.parts.key_series
    }

    /// The family, where it is one.
    pub fn family(&self) -> Option<&Family> {
        self.parts.family.as_ref()
    }

    /// A circuit of the family's member `key`, with the settings, the memory source and the view of alerts of the family; `None` where
    /// there is no such member. It has an empty event log, sends no alerts and has no store.
    pub fn member(&self, key: &str) -> Option<Self> {
        let member = self.parts.family.as_ref()?.member(key)?;
        let mut builder = Self::builder(member).config(BreakerConfig::clone(&self.config()));
        builder.parts.memory.clone_from(&self.parts.memory);
        builder.parts.alerts.clone_from(&self.parts.alerts);
        Some(builder.build())
    }

    /// Its settings: those of the last [`Circuit::apply`], with the policy that the breaker has at this moment.
    pub fn config(&self) -> Arc<BreakerConfig> {
        let applied = self.parts.config.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let policy = self.parts.breaker.read(|core| core.policy().clone());
        if policy == applied.policy {
            return applied;
        }
        let mut config = BreakerConfig::clone(&applied);
        config.policy = policy;
        Arc::new(config)
    }

    /// The source that its memory is sampled from.
    pub fn memory(&self) -> Option<&Arc<dyn MemorySource>> {
        self.parts.memory.as_ref()
    }

    /// The state of its alerts; `None` where it sends none.
    pub fn alerts(&self) -> Option<&dyn AlertsView> {
        self.parts.alerts.as_deref()
    }

    /// Its alert sinks and stages.
    #[cfg(all(feature = "opsgenie", feature = "webhook"))]
    pub fn alerting(&self) -> Option<&Alerting> {
        self.parts.alerting.as_ref()
    }

    /// Its last 200 events.
    pub fn events(&self) -> &EventLog {
        &self.parts.events
    }

    /// The log that its breaker follows; `None` where calls are made through it.
    pub fn followed_log(&self) -> Option<FollowedLog> {
        self.parts.followed_log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Shows the log that its breaker follows, or that it follows none.
    pub fn set_followed_log(&self, log: Option<FollowedLog>) {
        *self.parts.followed_log.lock().unwrap_or_else(PoisonError::into_inner) = log;
    }

    /// The store that keeps its incidents and alerts across restarts.
    pub fn store(&self) -> Option<&Arc<dyn StateStore>> {
        self.parts.store.as_ref()
    }

    /// The breaker with its memory source, event log, alerts and durable state, for
    /// [`supervise`](tripline_runtime::supervise). Call it once: what an earlier process left is handed out with the first
    /// call.
    pub fn supervised(&self) -> SupervisedBreaker {
        let parts = &*self.parts;
        let target = match &parts.family {
            Some(family) => SupervisedBreaker::family(family).per_key(self.config().family.alerts_per_key),
            None => SupervisedBreaker::new(parts.breaker.clone()),
        };
        let mut target = target.sink(Arc::new(parts.events.clone()));
        if let Some(memory) = &parts.memory {
            target = target.memory(memory.clone());
        }
        #[cfg(all(feature = "opsgenie", feature = "webhook"))]
        if let Some(alerting) = &parts.alerting {
            target = alerting.connect(target);
        }
        if let Some(store) = &parts.store {
            target = target.store(store.clone());
        }
        if let Some(state) = parts.left.lock().unwrap_or_else(PoisonError::into_inner).take() {
            target = target.resume(state);
        }
        target
    }

    /// Brings changed settings into effect: `old` were in force, `new` are from now on. The window is kept. Whether the breaker
    /// is enabled changes only where the settings change it. Name, memory source and stall detection need a restart.
    pub fn apply(&self, old: &BreakerConfig, new: &BreakerConfig) {
        let breaker = &self.parts.breaker;
        let applied = match &self.parts.family {
            Some(family) => {
                family.set_limits(new.family.limits());
                family.set_policy(&new.policy)
            }
            None => new.apply_policy(old, breaker),
        };
        if let Err(error) = applied {
            tracing::error!(breaker = breaker.name().as_str(), %error, "the changed settings cannot be applied; the previous ones stay in force");
        }
        #[cfg(all(feature = "opsgenie", feature = "webhook"))]
        if let Some(alerting) = &self.parts.alerting {
            alerting.apply(old, new);
        }
        *self.parts.config.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(new.clone());
    }
}

#[cfg(feature = "app")]
impl Circuit {
    /// Whether something else has a handle of it, of its breaker or of its family.
    pub(crate) fn is_held(&self) -> bool {
        let parts = &self.parts;
        let (own, of_family) = match &parts.family {
            // Its shared member.
            Some(family) => (2, family.handles() > 1),
            None => (1, false),
        };
        Arc::strong_count(parts) > 1 || of_family || parts.breaker.handles() > own
    }

    /// It guards nothing from now on: every call is admitted, none is recorded, and its incident ends, by the operator. Settings that are
    /// applied later undo it.
    pub(crate) fn retire(&self) {
        let on = self.config();
        let mut off = BreakerConfig::clone(&on);
        off.policy.enabled = false;
        self.apply(&on, &off);
        // Also where it is forced open.
        self.breakers().iter().for_each(Breaker::reset);
    }
}

/// Its breaker, for a tower layer.
impl From<Circuit> for Breaker {
    fn from(circuit: Circuit) -> Self {
        circuit.breaker().clone()
    }
}

impl fmt::Debug for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Circuit").field("breaker", &self.parts.breaker).finish_non_exhaustive()
    }
}

impl CircuitBuilder {
    /// The settings that the breaker was made by. Default: its policy, and the defaults.
    pub fn config(mut self, config: BreakerConfig) -> Self {
        self.parts.config = Mutex::new(Arc::new(config));
        self
    }

    /// Samples memory from `source`. Default: memory is unknown.
    pub fn memory(mut self, source: Arc<dyn MemorySource>) -> Self {
        self.parts.memory = Some(source);
        self
    }

    /// Shows the state of alerts that your own program sends. Default: none.
    pub fn alerts(mut self, alerts: Arc<dyn AlertsView>) -> Self {
        self.parts.alerts = Some(alerts);
        self
    }

    /// Sends alerts by `alerting`, and shows their state. Default: none are sent.
    #[cfg(all(feature = "opsgenie", feature = "webhook"))]
    pub fn alerting(mut self, alerting: Alerting) -> Self {
        self.parts.alerts = Some(Arc::new(alerting.clone()));
        self.parts.alerting = Some(alerting);
        self
    }

    /// Keeps incidents and alerts in `store`, and goes on with what an earlier process `left` there. Default: nothing is kept.
    pub fn store(mut self, store: Arc<dyn StateStore>, left: Option<DurableState>) -> Self {
        self.parts.store = Some(store);
        self.parts.left = Mutex::new(left);
        self
    }

    /// The circuit.
    pub fn build(self) -> Circuit {
        Circuit { parts: Arc::new(self.parts) }
    }
}

impl fmt::Debug for CircuitBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CircuitBuilder").field("breaker", &self.parts.breaker).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tripline_runtime::core::Latency;
    use tripline_runtime::test_util::ManualClock;

    #[test]
    fn settings_show_a_policy_that_was_set_beside_them() {
        let circuit = Circuit::new(Breaker::builder(Arc::new(ManualClock::default())).build().unwrap());
        let old = circuit.config();
        let mut new = BreakerConfig::clone(&old);
        new.policy.latency_threshold = Latency::from_millis(7);
        new.opsgenie.team = "payments".into();
        circuit.apply(&old, &new);
        assert_eq!(*circuit.config(), new);
        circuit.breaker().disable();
        assert!(!circuit.config().policy.enabled);
        assert_eq!(circuit.config().opsgenie.team, "payments");
    }

    #[test]
    fn a_change_of_other_keys_leaves_the_switch_as_it_is() {
        let circuit = Circuit::new(Breaker::builder(Arc::new(ManualClock::default())).build().unwrap());
        let old = BreakerConfig::default();
        circuit.breaker().disable();
        let mut new = old.clone();
        new.policy.latency_threshold = Latency::from_millis(7);
        circuit.apply(&old, &new);
        assert!(!circuit.breaker().enabled());
        let mut enabled = new.clone();
        new.policy.enabled = false;
        enabled.policy.enabled = true;
        circuit.apply(&new, &enabled);
        assert!(circuit.breaker().enabled());
    }
}
