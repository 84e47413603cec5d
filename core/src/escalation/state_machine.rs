//! The state machine that turns a breaker's incident into the alerts to send.

use core::time::Duration;

use super::signed_instant::SignedInstant;
use super::{AlertKind, AlertTransition, EscalationPolicy, Stage};
use crate::breaker::Breaker;
use crate::event::IncidentEnd;
use crate::incident::Incident;
use crate::monotonic::MonotonicInstant;
use crate::state::State;
use crate::window::SampleStore;

/// The state of a breaker at one instant, as far as the escalation uses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// The instant, in the breaker's own time.
    pub at: MonotonicInstant,
    /// The active incident or the last one.
    pub incident: Option<Incident>,
    /// Whether the breaker is not closed, is in breach, or its memory is forecast to run out. An escalation requires
    /// it.
    pub is_unhealthy: bool,
}

impl Observation {
    /// Takes the state at the latest instant that `breaker` has seen. Call [`Breaker::handle_timeout`] first.
    pub fn of<const N: usize, S: SampleStore>(breaker: &Breaker<N, S>) -> Self {
        let is_unhealthy = breaker.state() != State::Closed || breaker.is_breach();
        #[cfg(feature = "forecast")]
        let is_unhealthy = is_unhealthy || breaker.is_memory_running_out();
        Self { at: breaker.latest(), incident: breaker.incident(), is_unhealthy }
    }
}

/// Turns the incidents of one breaker into alerts, in stages. Sans-IO, as the breaker is.
///
/// It compares states, not events, so a dropped event loses no alert. The order of use is:
///
/// 1. [`handle`](Escalation::handle) after every possible change, at the latest at the
///    [deadline](Escalation::poll_timeout), and periodically while it [waits for a
///    breach](Escalation::waits_for_breach).
/// 2. [`poll_transition`](Escalation::poll_transition) until it returns `None`.
///
/// - An incident sends an alert at once: one [`Stage::Single`], or with `escalate_after` set a [`Stage::Initial`]. The
///   second is followed by one [`Stage::Escalated`], at the first observation at or after `escalate_after` in which the
///   breaker is not closed or is in breach. With the feature `forecast`, memory that is forecast to run out counts as a
///   breach.
/// - Every alert that was sent is closed with [`Stage::Resolved`] when the incident ends.
/// - If the breaker opens in an incident that began with a condition, the alert of the opening replaces the first one.
///   It is sent first, at the stage that the incident has reached; then the other is closed with [`Stage::Superseded`].
/// - The first alert of an incident waits for the cooldown of its kind. It is sent at the stage that is due then, if
///   the incident is still active. No other alert waits.
/// - An incident that begins and ends between two observations sends nothing.
///
/// Every method is O(1).
///
/// ```
/// use core::time::Duration;
/// use tripline_core::{AlertKind, Breaker, Instant, MonotonicInstant, Observation, Policy, Stage, Escalation, EscalationPolicy};
///
/// let mut breaker = Breaker::<64>::new(Policy::default(), 7)?;
/// let mut policy = EscalationPolicy::default();
/// policy.escalate_after = Duration::from_secs(60);
/// let mut staging = Escalation::new(policy);
///
/// breaker.simulate_latency(Instant::ZERO);
/// staging.handle(Observation::of(&breaker));
/// let notice = staging.poll_transition().expect("it has just opened");
/// assert_eq!((notice.kind, notice.stage), (AlertKind::CircuitOpen, Stage::Initial));
/// assert_eq!(staging.poll_timeout(), Some(MonotonicInstant::from_millis(60_000)));
///
/// breaker.handle_timeout(Instant::from_millis(60_000));
/// staging.handle(Observation::of(&breaker));
/// assert_eq!(staging.poll_transition().map(|notice| notice.stage), Some(Stage::Escalated));
/// # Ok::<(), tripline_core::CapacityError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Escalation {
    policy: EscalationPolicy,
    look: Observation,
    followed: Option<TrackedIncident>,
    /// When an alert of each kind was last created.
    created: [Option<SignedInstant>; KINDS],
}

/// The incident that was active at the last observation.
#[derive(Debug, Clone, Copy)]
struct TrackedIncident {
    number: u32,
    began: SignedInstant,
    /// Whether the breaker has opened in it.
    tripped: bool,
    alert: Option<(AlertKind, Stage)>,
    /// An alert that another one has replaced and whose close is not sent yet.
    taken_over: Option<AlertKind>,
}

const KINDS: usize = AlertKind::ALL.len();

/// The next stage of the active incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// The number of the incident, as in [`Incident::number`].
    pub incident: u32,
    /// The kind of alert.
    pub kind: AlertKind,
    /// The stage that was sent last.
    pub stage: Option<Stage>,
    /// When the next stage is due, in the breaker's own time; `None` if that time has passed and the stage waits for
    /// the next breach.
    pub due: Option<MonotonicInstant>,
}

/// The state to continue with after a restart. Times are ages at the time of saving, because no clock outlives the
/// process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedEscalation {
    /// The active incident.
    pub incident: Option<SavedIncident>,
    /// Time since an alert of each kind was last created, in the order of [`AlertKind::ALL`].
    pub created_ago: [Option<Duration>; KINDS],
}

/// An incident that was active.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedIncident {
    /// Time since it began.
    pub age: Duration,
    /// Whether the breaker had opened in it.
    pub tripped: bool,
    /// The alert that was created and not closed, and its stage.
    pub alert: Option<(AlertKind, Stage)>,
}

impl Escalation {
    /// Creates an escalation that has seen no incident.
    pub const fn new(policy: EscalationPolicy) -> Self {
        let look = Observation { at: MonotonicInstant::ZERO, incident: None, is_unhealthy: false };
        Self { policy, look, followed: None, created: [None; KINDS] }
    }

    /// Restores a saved escalation. `at` is in the breaker's own time. `number` is the breaker's number for the saved
    /// incident (see [`Breaker::resume_incident`]).
    pub fn restore(policy: EscalationPolicy, at: MonotonicInstant, number: u32, saved: &SavedEscalation) -> Self {
        let followed = saved.incident.map(|incident| TrackedIncident {
            number,
            began: SignedInstant::ago(at, incident.age),
            tripped: incident.tripped,
            alert: incident.alert.filter(|(_, stage)| !stage.is_end()),
            taken_over: None,
        });
        let created = saved.created_ago.map(|age| age.map(|age| SignedInstant::ago(at, age)));
        Self { followed, created, ..Self::new(policy) }
    }

    /// Returns the state for [`Escalation::restore`], as of the last observation. Poll the transitions first: one that
    /// was not polled counts as sent.
    pub fn save(&self) -> SavedEscalation {
        let now = self.look.at;
        let incident = self.followed.map(|followed| SavedIncident {
            age: followed.began.age(now),
            tripped: followed.tripped,
            alert: followed.alert,
        });
        SavedEscalation { incident, created_ago: self.created.map(|created| created.map(|moment| moment.age(now))) }
    }

    /// The policy in force.
    pub const fn policy(&self) -> &EscalationPolicy {
        &self.policy
    }

    /// Applies a new policy, also to an active incident. Poll afterwards.
    pub const fn handle_policy(&mut self, policy: EscalationPolicy) {
        self.policy = policy;
    }

    /// Takes an observation. Poll afterwards.
    pub const fn handle(&mut self, look: Observation) {
        self.look = look;
    }

    /// Returns the next alert to send, as of the last observation.
    pub fn poll_transition(&mut self) -> Option<AlertTransition> {
        if let Some(notice) = self.close() {
            return Some(notice);
        }
        let incident = self.look.incident.filter(|incident| incident.end.is_none())?;
        let mut followed = self.followed.unwrap_or_else(|| TrackedIncident::new(&incident));
        let sent = self.advance(&mut followed, &incident);
        self.followed = Some(followed);
        sent.map(|(kind, stage)| AlertTransition { incident: incident.number, kind, stage })
    }

    /// When the next observation is due at the latest, in the breaker's own time; `None` if only a change makes one
    /// due.
    pub fn poll_timeout(&self) -> Option<MonotonicInstant> {
        self.pending()?.due
    }

    /// Whether a due escalation waits for the breaker to be in breach again. No event announces that, so observe
    /// periodically.
    pub fn waits_for_breach(&self) -> bool {
        self.pending().is_some_and(|pending| pending.due.is_none())
    }

    /// Returns the stage that is still to come, as of the last observation.
    pub fn pending(&self) -> Option<Pending> {
        let followed = self.followed.as_ref()?;
        let (kind, stage, due) = match followed.alert {
            Some((kind, Stage::Initial)) => (kind, Some(Stage::Initial), self.escalation_due(followed)),
            Some(_) => return None,
            None => {
                let kind = self.policy.triggers.kind_for(self.look.incident.as_ref()?)?;
                (kind, None, self.cooled_down_at(kind))
            }
        };
        Some(Pending { incident: followed.number, kind, stage, due: (due > self.look.at).then_some(due) })
    }

    /// Closes a superseded alert, or the alert of an incident that has ended.
    fn close(&mut self) -> Option<AlertTransition> {
        let followed = self.followed.as_mut()?;
        let incident = followed.number;
        if let Some(kind) = followed.taken_over.take() {
            return Some(AlertTransition { incident, kind, stage: Stage::Superseded });
        }
        let end = followed.end(self.look.incident.as_ref())?;
        let (kind, _) = self.followed.take()?.alert?;
        Some(AlertTransition { incident, kind, stage: Stage::Resolved(end) })
    }

    /// Advances the incident by one stage if that stage is due.
    fn advance(&mut self, followed: &mut TrackedIncident, incident: &Incident) -> Option<(AlertKind, Stage)> {
        let trips = incident.trip.is_some() && !followed.tripped;
        followed.tripped |= trips;
        let wanted = self.policy.triggers.kind_for(incident);
        let sent = match (followed.alert, wanted) {
            (None, Some(kind)) if self.cooled_down_at(kind) <= self.look.at => {
                let stage = if self.policy.escalate_after.is_zero() { Stage::Single } else { Stage::Initial };
                self.create(kind, self.escalated_if_due(followed, stage))
            }
            (Some((old, stage)), Some(kind)) if trips && kind != old => {
                followed.taken_over = Some(old);
                self.create(kind, self.escalated_if_due(followed, stage))
            }
            (Some((kind, Stage::Initial)), _) => {
                let stage = self.escalated_if_due(followed, Stage::Initial);
                (stage != Stage::Initial).then_some((kind, stage))?
            }
            _ => return None,
        };
        followed.alert = Some(sent);
        Some(sent)
    }

    fn create(&mut self, kind: AlertKind, stage: Stage) -> (AlertKind, Stage) {
        if let Some(created) = self.created.get_mut(kind as usize) {
            *created = Some(SignedInstant::from(self.look.at));
        }
        (kind, stage)
    }

    /// Returns the stage after `stage` if `stage` is the first of two and the second is due.
    fn escalated_if_due(&self, followed: &TrackedIncident, stage: Stage) -> Stage {
        let due = self.look.is_unhealthy && self.escalation_due(followed) <= self.look.at;
        if due && stage == Stage::Initial { Stage::Escalated } else { stage }
    }

    fn escalation_due(&self, followed: &TrackedIncident) -> MonotonicInstant {
        followed.began.plus(self.policy.escalate_after)
    }

    fn cooled_down_at(&self, kind: AlertKind) -> MonotonicInstant {
        let created = self.created.get(kind as usize).copied().flatten();
        created.map_or(MonotonicInstant::ZERO, |created| created.plus(self.policy.cooldown))
    }
}

impl TrackedIncident {
    fn new(incident: &Incident) -> Self {
        Self {
            number: incident.number,
            began: SignedInstant::from(incident.began_at),
            tripped: incident.trip.is_some(),
            alert: None,
            taken_over: None,
        }
    }

    /// Returns how the incident ended, if `last` says so. An incident that is no longer known was ended by an operator.
    fn end(&self, last: Option<&Incident>) -> Option<IncidentEnd> {
        match last {
            Some(last) if last.number == self.number => last.end,
            Some(last) => Some(last.end_before.unwrap_or(IncidentEnd::Operator)),
            None => Some(IncidentEnd::Operator),
        }
    }
}
