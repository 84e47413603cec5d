//! The policy of staged alerts, which can change at run time, and the pending alerts.

use std::collections::BTreeMap;
use std::time::SystemTime;

use tripline_core::{AlertKind, EscalationPolicy, IncidentCause, Stage};

use crate::breaker::name::BreakerName;
use crate::supervisor::agenda::Watchers;
use crate::sync::{Arc, Mutex, lock};

/// The escalation policy of a breaker, changeable at run time. Cheap to clone; all clones share one state.
///
/// Breakers that are supervised with the same control share its policy.
#[derive(Debug, Clone, Default)]
pub struct StagingControl {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    watchers: Watchers,
}

#[derive(Debug, Default)]
struct State {
    policy: EscalationPolicy,
    pending: BTreeMap<(BreakerName, Option<String>), PendingAlert>,
}

/// The next stage of an active incident.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingAlert {
    /// The breaker.
    pub breaker: BreakerName,
    /// The key of the member whose own incident it is, as in [`Alert::key`](crate::Alert::key).
    pub key: Option<String>,
    /// The number of its incident.
    pub incident: u64,
    /// The kind of the alert.
    pub kind: AlertKind,
    /// The cause of the incident.
    pub cause: IncidentCause,
    /// The stage that was sent last; `None` while the first alert waits for the cooldown.
    pub stage: Option<Stage>,
    /// The time of day at which the incident began.
    pub started_at: SystemTime,
    /// The time of day at which the next stage is due; `None` if that has passed and the stage waits for the next
    /// breach.
    pub due_at: Option<SystemTime>,
}

impl StagingControl {
    /// Creates a control with this policy.
    pub fn new(policy: EscalationPolicy) -> Self {
        let state = State { policy, pending: BTreeMap::new() };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), watchers: Watchers::default() }) }
    }

    /// Returns the policy in force.
    pub fn policy(&self) -> EscalationPolicy {
        lock(&self.shared.state).policy
    }

    /// Applies a new policy, also to an active incident. Wakes the supervisor.
    pub fn set_policy(&self, policy: EscalationPolicy) {
        lock(&self.shared.state).policy = policy;
        self.shared.watchers.call();
    }

    /// Returns the pending stages by breaker name and key, as of the supervisor's last poll.
    pub fn pending(&self) -> Vec<PendingAlert> {
        lock(&self.shared.state).pending.values().cloned().collect()
    }

    /// Wakes the supervisor.
    pub(crate) fn wake(&self) {
        self.shared.watchers.call();
    }

    /// The supervisors that go by these settings.
    pub(crate) fn watchers(&self) -> &Watchers {
        &self.shared.watchers
    }

    pub(crate) fn set_pending(&self, breaker: &BreakerName, key: Option<&str>, pending: Option<PendingAlert>) {
        let place = (breaker.clone(), key.map(str::to_owned));
        let mut state = lock(&self.shared.state);
        match pending {
            Some(pending) => state.pending.insert(place, pending),
            None => state.pending.remove(&place),
        };
    }
}
