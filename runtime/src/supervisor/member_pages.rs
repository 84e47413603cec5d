//! The own incidents and alerts of a family's members.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use tripline_core::planted::planted;
use tripline_core::{EscalationPolicy, Instant};

use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::dispatch::durable::{DurableState, StateStore};
use crate::dispatch::{FamilyStore, Intake, Outbox};
use crate::family::Family;
use crate::incidents::alert::{Alert, AlertSink};
use crate::incidents::alert_stager::DueAlert;
use crate::incidents::staging_control::StagingControl;
use crate::supervisor::agenda::{Agenda, Task};
use crate::supervisor::alert_poll::{self, Subject};
use crate::supervisor::timers::{MIN_SLEEP, SETTLE_CHECK};
use crate::sync::Arc;

/// The members that have alerts of their own. A member comes with its incident, and leaves once nothing of the incident is pending. As
/// long as it is here the family does not remove it, so there are never more than the family has members.
#[derive(Debug)]
pub(super) struct MemberPages {
    family: Family,
    /// Whether new incidents begin here; otherwise only those of an earlier process go on.
    is_on: bool,
    at: FamilyPlace,
    policy: EscalationPolicy,
    pages: BTreeMap<Arc<str>, Page>,
}

#[derive(Debug)]
struct Page {
    member: Breaker,
    outbox: Outbox,
}

/// The place of a family at its supervisor and dispatcher.
#[derive(Debug)]
pub(super) struct FamilyPlace {
    pub(super) place: usize,
    pub(super) agenda: Arc<Agenda>,
    pub(super) intake: Arc<Intake>,
    pub(super) sinks: Vec<Arc<dyn AlertSink>>,
    pub(super) staging: StagingControl,
    pub(super) store: Option<Arc<FamilyStore>>,
}

impl MemberPages {
    pub(super) fn new(family: Family, is_on: bool, at: FamilyPlace) -> Self {
        let policy = at.staging.policy();
        Self { family, is_on, at, policy, pages: BTreeMap::new() }
    }

    /// Goes on with the members of `kept`, whose incidents an earlier process had.
    pub(super) fn resume(&mut self, kept: &[DurableState], clock: &dyn Clock) {
        let name = self.family.name().clone();
        for state in kept.iter().filter(|state| state.breaker == name) {
            let Some(member) = state.key.as_deref().and_then(|key| self.family.restore(key)) else { continue };
            alert_poll::resume(&member, None, state, clock);
            self.add(member, Some(state));
        }
    }

    /// Applies a policy of stages: if it has changed, all members are polled.
    pub(super) fn apply(&mut self, policy: EscalationPolicy) {
        if std::mem::replace(&mut self.policy, policy) != policy {
            self.pages.keys().for_each(|key| self.at.agenda.call(Task::Member(self.at.place, key.clone())));
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pages.is_empty()
    }

    /// Whether the incident of the member `key` is its own.
    pub(super) fn contains(&self, key: &Arc<str>) -> bool {
        self.pages.contains_key(key)
    }

    /// Hands over the due alerts of the member `key`. Returns when to poll it again.
    pub(super) fn look_after(&mut self, key: &Arc<str>, clock: &dyn Clock) -> Option<Instant> {
        if !self.pages.contains_key(key) {
            let member = self.family.member(key).filter(|_| self.is_on)?;
            let is_planted = planted("family: a member that has alerts of its own is not paged");
            if !member.read(tripline_core::Breaker::is_in_incident) || is_planted {
                return None;
            }
            self.add(member, None);
        }
        let page = self.pages.get(key)?;
        let again_in = self.stage(page, clock);
        let rest_in = if page.member.read(tripline_core::Breaker::is_in_incident) {
            None
        } else {
            let rest = self.rest(page, clock.system_time());
            if rest.is_none() {
                self.end(key);
                return None;
            }
            rest
        };
        [again_in, rest_in].into_iter().flatten().min().map(|span| clock.now() + span.max(MIN_SLEEP))
    }

    /// Hands over the last alerts, and closes the lanes.
    pub(super) fn close(&mut self, clock: &dyn Clock) {
        for page in self.pages.values() {
            self.stage(page, clock);
            page.outbox.close();
        }
    }

    fn add(&mut self, member: Breaker, kept: Option<&DurableState>) {
        let Some(key) = member.shared_key() else { return };
        let store: Option<Arc<dyn StateStore>> = self.at.store.as_ref().map(|store| store.part(Some(key.clone())));
        let outbox = self.at.intake.outbox(member.name(), Some(key.clone()), &self.at.sinks, store, kept);
        self.pages.insert(key.clone(), Page { member, outbox });
        self.at.agenda.call(Task::Member(self.at.place, key));
    }

    fn stage(&self, page: &Page, clock: &dyn Clock) -> Option<Duration> {
        let Page { member, outbox } = page;
        let policy = self.policy;
        let subject = Subject { breaker: member.name(), key: member.key() };
        let (record, poll, ()) = alert_poll::poll(subject, member, None, member, policy, clock, |_, _| ());
        let alert = |due: &DueAlert| alert_poll::alert(subject, due, &policy, clock, member, None);
        let alerts: Vec<Alert> = poll.due.iter().map(alert).collect();
        outbox.record(&alerts, record);
        self.at.staging.set_pending(member.name(), member.key(), poll.pending);
        poll.again_in
    }

    /// How long a member must stay whose incident has ended: while alerts are pending, and until its cooldowns are over. `None` if it may
    /// leave.
    fn rest(&self, page: &Page, wall: SystemTime) -> Option<Duration> {
        if !page.outbox.is_idle() {
            return Some(SETTLE_CHECK);
        }
        let created = page.member.incident().last_created()?;
        let over = created.checked_add(self.policy.cooldown)?;
        over.duration_since(wall).ok().filter(|rest| !rest.is_zero()).map(|rest| rest.min(self.policy.cooldown))
    }

    fn end(&mut self, key: &Arc<str>) {
        let Some(page) = self.pages.remove(key) else { return };
        self.at.intake.retire(&page.outbox, self.family.name());
        if let Some(store) = &self.at.store {
            store.forget(key);
        }
    }
}
