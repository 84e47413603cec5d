//! The settings of staged alerts, which change while they run, and the alerts that are pending.

use std::collections::BTreeMap;
use std::time::SystemTime;

use event_listener::{Event as Notification, EventListener};
use tripline_core::{AlertKind, EscalationPolicy, IncidentCause, Stage};

use crate::breaker::name::BreakerName;
use crate::sync::{Arc, Mutex, lock};

/// The settings of a breaker's alerts, to be changed while it runs. Cheap to clone, and every clone is the same.
///
/// Breakers that are watched with the same one share its settings.
#[derive(Debug, Clone, Default)]
pub struct StagingControl {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Notification,
}

#[derive(Debug, Default)]
struct State {
    policy: EscalationPolicy,
    pending: BTreeMap<BreakerName, PendingAlert>,
}

/// A stage that is still to come, of an incident that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingAlert {
    /// The breaker.
    pub breaker: BreakerName,
    /// The number of its incident.
    pub incident: u64,
    /// The kind of the alert.
    pub kind: AlertKind,
    /// The cause of the incident.
    pub cause: IncidentCause,
    /// The stage that was sent last; `None` where the first alert waits for the cooldown.
    pub stage: Option<Stage>,
    /// When the incident began, in time of day.
    pub started_at: SystemTime,
    /// When the next stage is due, in time of day; `None` where that has passed, and it comes as soon as the breaker is in
    /// breach again.
    pub due_at: Option<SystemTime>,
}

impl StagingControl {
    /// Settings to share.
    pub fn new(policy: EscalationPolicy) -> Self {
        let state = State { policy, pending: BTreeMap::new() };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), changed: Notification::new() }) }
    }

    /// The settings in force.
    pub fn policy(&self) -> EscalationPolicy {
        lock(&self.shared.state).policy
    }

    /// Applies new settings, also to an incident that is on. The supervisor looks at once.
    pub fn set_policy(&self, policy: EscalationPolicy) {
        lock(&self.shared.state).policy = policy;
        self.shared.changed.notify(usize::MAX);
    }

    /// The stages that are still to come, by name of the breaker, as of the supervisor's last look.
    pub fn pending(&self) -> Vec<PendingAlert> {
        lock(&self.shared.state).pending.values().cloned().collect()
    }

    /// Has the supervisor look at once.
    pub(crate) fn wake(&self) {
        self.shared.changed.notify(usize::MAX);
    }

    /// Resolves when new settings come after this call, or the supervisor is to look.
    pub(crate) fn changed(&self) -> EventListener {
        self.shared.changed.listen()
    }

    pub(crate) fn set_pending(&self, breaker: &BreakerName, pending: Option<PendingAlert>) {
        let mut state = lock(&self.shared.state);
        match pending {
            Some(pending) => state.pending.insert(breaker.clone(), pending),
            None => state.pending.remove(breaker),
        };
    }
}
