//! A breaker with the settings of its supervision.

use crate::breaker::Breaker;
use crate::dispatch::durable::{DurableState, StateStore};
use crate::family::Family;
use crate::fleet::shared::Fleet;
use crate::incidents::alert::AlertSink;
use crate::incidents::staging_control::StagingControl;
use crate::memory::MemorySource;
use crate::sync::Arc;

/// A breaker with the settings of its supervision: memory source, alert sinks, state store.
#[derive(Debug)]
pub struct SupervisedBreaker {
    pub(crate) breaker: Breaker,
    pub(crate) family: Option<Family>,
    pub(crate) memory: Option<Arc<dyn MemorySource>>,
    pub(crate) sinks: Vec<Arc<dyn AlertSink>>,
    pub(crate) staging: StagingControl,
    pub(crate) store: Option<Arc<dyn StateStore>>,
    pub(crate) kept: Option<DurableState>,
    pub(crate) fleet: Option<Fleet>,
    pub(crate) is_per_key: bool,
}

impl SupervisedBreaker {
    /// Supervises `breaker`: samples expire, and hanging calls are found.
    pub fn new(breaker: Breaker) -> Self {
        Self {
            breaker,
            family: None,
            memory: None,
            sinks: Vec::new(),
            staging: StagingControl::default(),
            store: None,
            kept: None,
            fleet: None,
            is_per_key: false,
        }
    }

    /// Supervises a family: its members, and the removal of idle ones. The family has one incident while any of its
    /// members is in one; its alerts state how many are open, and show the values of the one that has been open for
    /// longest.
    pub fn family(family: &Family) -> Self {
        Self { family: Some(family.clone()), ..Self::new(family.shared().clone()) }
    }

    /// Samples memory from `source`, every `sample_interval` of the policy.
    #[must_use]
    pub fn memory(mut self, source: Arc<dyn MemorySource>) -> Self {
        self.memory = Some(source);
        self
    }

    /// Sends alerts also to `sink`.
    #[must_use]
    pub fn sink(mut self, sink: Arc<dyn AlertSink>) -> Self {
        self.sinks.push(sink);
        self
    }

    /// Stages alerts by this policy, which can change at run time. Default:
    /// [`EscalationPolicy::default`](tripline_core::EscalationPolicy).
    #[must_use]
    pub fn staging(mut self, staging: StagingControl) -> Self {
        self.staging = staging;
        self
    }

    /// Shares incidents with the other replicas of `fleet`: one of them pages for all. The
    /// [`FleetRunner`](crate::FleetRunner) must run too.
    #[must_use]
    pub fn fleet(mut self, fleet: Fleet) -> Self {
        self.fleet = Some(fleet);
        self
    }

    /// Gives each member of a family, the shared one included, incidents, stages and alerts of its own, which
    /// [`Alert::key`](crate::Alert::key) names. With a [`store`](Self::store) they survive a restart. Default: one incident for all
    /// members. Without effect on a single breaker.
    ///
    /// A member with an incident is not removed from its family until its alerts are settled, so the number of members limits that of
    /// incidents. A fleet does not share them.
    #[must_use]
    pub fn per_key(mut self, on: bool) -> Self {
        self.is_per_key = on;
        self
    }

    /// Saves the incident and the alerts in `store`, so that they survive the end of the process.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn StateStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Continues from the state that a previous process saved for the breaker of this name. An open incident continues
    /// under its number (see [`resume_incident`](tripline_core::Breaker::resume_incident) for the breaker's state), a
    /// stage that became due meanwhile is sent once, cooldowns keep their end, and undelivered alerts are delivered.
    #[must_use]
    pub fn resume(mut self, state: DurableState) -> Self {
        self.kept = Some(state);
        self
    }
}
