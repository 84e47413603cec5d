//! The state machine: from a breaker's incident to the alerts that are to be sent.

use core::time::Duration;

use super::signed_instant::SignedInstant;
use super::{AlertKind, AlertTransition, EscalationPolicy, Stage};
use crate::breaker::Breaker;
use crate::event::IncidentEnd;
use crate::incident::Incident;
use crate::monotonic::MonotonicInstant;
use crate::state::State;
use crate::window::SampleStore;

/// What staging has to know of a breaker at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// The moment, in the breaker's own time.
    pub at: MonotonicInstant,
    /// The incident that is on, or was on last.
    pub incident: Option<Incident>,
    /// The breaker is not closed, in breach, or its memory is forecast to run out: what an escalation waits for.
    pub is_unhealthy: bool,
}

impl Observation {
    /// As of the latest instant that `breaker` has seen; call [`Breaker::handle_timeout`] first.
    pub fn of<const N: usize, S: SampleStore>(breaker: &Breaker<N, S>) -> Self {
        let is_unhealthy = breaker.state() != State::Closed || breaker.is_breach();
        #[cfg(feature = "forecast")]
        let is_unhealthy = is_unhealthy || breaker.is_memory_running_out();
        Self { at: breaker.latest(), incident: breaker.incident(), is_unhealthy }
    }
}

/// Turns the incidents of one breaker into alerts, in stages. Pure, as the breaker is.
///
/// It looks at what is, not at events, so that no lost event can lose an alert. The order of use is
///
/// 1. [`handle`](Escalation::handle) whenever something may have changed, at the latest at the
///    [deadline](Escalation::poll_timeout); while it [waits for a breach](Escalation::waits_for_breach) from time to time.
/// 2. [`poll_transition`](Escalation::poll_transition) until there is none.
///
/// - An incident sends an alert at once: a single one ([`Stage::Single`]), or, with `escalate_after` set, by
///   [`Stage::Initial`] and once by [`Stage::Escalated`], at the first look at or after that time at which the breaker is not
///   closed or in breach.
///   With the feature `forecast`, memory that is forecast to run out is as bad as a breach.
/// - Every alert that was sent is closed when the incident is over: [`Stage::Resolved`].
/// - When the breaker opens in an incident that began with a mere condition, the alert of the opening takes over: it is sent
///   first, at the stage that the incident has reached, and then the other one is closed: [`Stage::Superseded`].
/// - The first alert of an incident waits for the cooldown of its kind, and is then sent at the stage that is due, if the
///   incident is still on. Nothing else ever waits.
/// - An incident that begins and ends between two looks sends nothing.
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
    /// When an alert of each kind was created last.
    created: [Option<SignedInstant>; KINDS],
}

/// The incident that was on at the last look.
#[derive(Debug, Clone, Copy)]
struct TrackedIncident {
    number: u32,
    began: SignedInstant,
    /// The breaker has opened in it.
    tripped: bool,
    alert: Option<(AlertKind, Stage)>,
    /// Another alert has taken over from this one, which was not sent yet.
    taken_over: Option<AlertKind>,
}

const KINDS: usize = AlertKind::ALL.len();

/// The next stage of the incident that is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pending {
    /// The incident's number, as [`Incident::number`] has it.
    pub incident: u32,
    /// Which of its alerts.
    pub kind: AlertKind,
    /// What was sent already.
    pub stage: Option<Stage>,
    /// When the next stage is due, in the breaker's own time; `None` where that time has passed, and the next breach is
    /// waited for.
    pub due: Option<MonotonicInstant>,
}

/// What is needed to go on after a restart. Times are ages as of the moment of saving, for there is no clock that lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedEscalation {
    /// The incident that was on.
    pub incident: Option<SavedIncident>,
    /// How long ago an alert of each kind was created last, in the order of [`AlertKind::ALL`].
    pub created_ago: [Option<Duration>; KINDS],
}

/// An incident that was on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SavedIncident {
    /// How long ago it began.
    pub age: Duration,
    /// Whether the breaker had opened in it.
    pub tripped: bool,
    /// The alert that was created and not closed, and how far it had come.
    pub alert: Option<(AlertKind, Stage)>,
}

impl Escalation {
    /// No incident was ever seen.
    pub const fn new(policy: EscalationPolicy) -> Self {
        let look = Observation { at: MonotonicInstant::ZERO, incident: None, is_unhealthy: false };
        Self { policy, look, followed: None, created: [None; KINDS] }
    }

    /// Goes on where it was saved. `at` is the breaker's own time, `number` what the breaker counts the saved incident as
    /// (see [`Breaker::resume_incident`]).
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

    /// What to keep for [`Escalation::restore`], as of the last look. Poll the notices first: what was not polled counts as sent.
    pub fn save(&self) -> SavedEscalation {
        let now = self.look.at;
        let incident = self.followed.map(|followed| SavedIncident {
            age: followed.began.age(now),
            tripped: followed.tripped,
            alert: followed.alert,
        });
        SavedEscalation { incident, created_ago: self.created.map(|created| created.map(|moment| moment.age(now))) }
    }

    /// The settings in force.
    pub const fn policy(&self) -> &EscalationPolicy {
        &self.policy
    }

    /// Applies new settings, also to an incident that is on; then poll.
    pub const fn handle_policy(&mut self, policy: EscalationPolicy) {
        self.policy = policy;
    }

    /// Looks at the breaker; then poll.
    pub const fn handle(&mut self, look: Observation) {
        self.look = look;
    }

    /// The next alert to send, as of the last look.
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

    /// When to look again at the latest, in the breaker's own time; `None` = when something happens.
    pub fn poll_timeout(&self) -> Option<MonotonicInstant> {
        self.pending()?.due
    }

    /// The escalation is due and waits for the breaker to be in breach again, which no event announces: look from time to time.
    pub fn waits_for_breach(&self) -> bool {
        self.pending().is_some_and(|pending| pending.due.is_none())
    }

    /// The stage that is still to come, as of the last look.
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

    /// Closes what is over: an alert that was taken over, and the alert of an incident that has ended.
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

    /// Takes the incident one stage further, if it is time.
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

    /// The stage after `stage`, where that is the first of two and the second is due.
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

    /// How it ended, if `last` says so. One that nothing is known of any more was ended by what replaced the breaker.
    fn end(&self, last: Option<&Incident>) -> Option<IncidentEnd> {
        match last {
            Some(last) if last.number == self.number => last.end,
            Some(last) => Some(last.end_before.unwrap_or(IncidentEnd::Operator)),
            None => Some(IncidentEnd::Operator),
        }
    }
}
