//! One breaker's mailbox: the alerts for its sinks and the state to save, behind one lock.

use std::time::SystemTime;

use event_listener::{Event as Notification, EventListener};
use tripline_core::{AlertKind, Instant, Stage};

use crate::breaker::name::BreakerName;
use crate::dispatch::closed_alone::ClosedAlone;
use crate::dispatch::counters::{Counters, LaneCounters};
use crate::dispatch::durable::{DurableState, LaneRecord};
use crate::dispatch::pagers::keeps_open;
use crate::dispatch::queue::{Attempt, Pushed, Queue};
use crate::incidents::alert::{Alert, AlertSink};
use crate::incidents::records::{BreakerRecord, StagingRecord};
use crate::sync::{Arc, Mutex, MutexGuard, lock};

/// The state that the supervisor, the lanes and the persister of one breaker share.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) breaker: BreakerName,
    /// The key of a member with incidents of its own.
    pub(super) key: Option<Arc<str>>,
    /// Whether the state is saved.
    pub(super) is_durable: bool,
    /// The sinks by name.
    sinks: Vec<(String, Arc<dyn AlertSink>)>,
    state: Mutex<MailboxState>,
    changed: Notification,
}

/// The mutable part.
#[derive(Debug)]
pub(super) struct MailboxState {
    pub(super) lanes: Vec<LaneState>,
    record: BreakerRecord,
    /// Whether no alert has arrived and no state was stored: another supervisor sent the alerts of an open incident.
    is_fresh: bool,
    /// Whether no more alerts will arrive.
    closed: bool,
    /// Whether nothing will be saved any more.
    retired: bool,
    /// Increases with every change that must be saved.
    revision: u64,
    /// The last revision for which saving was tried; attempts that wait for it continue.
    settled: u64,
    /// The last revision that was saved.
    saved: u64,
    /// How often saving failed or took too long.
    pub(super) store_failures: u64,
    /// Whether the last attempt to save failed or took too long.
    pub(super) store_is_failing: bool,
}

/// The state of one sink for one kind of alert.
#[derive(Debug)]
pub(super) struct LaneState {
    /// The sink's name; a second sink of the same name gets a number appended.
    pub(super) sink: String,
    pub(super) kind: AlertKind,
    pub(super) queue: Queue,
    pub(super) counters: LaneCounters,
    /// Whether the sink keeps alerts open, or none of the breaker's sinks does: what it has decides whether people are paged.
    pub(super) is_pager: bool,
    pub(super) closed_alone: ClosedAlone,
    /// Why the sink rejects the pending alert; `None` if it does not.
    pub(super) rejection: Option<Rejection>,
}

/// A response that further attempts do not change.
#[derive(Debug, Clone)]
pub(super) struct Rejection {
    pub(super) status: Option<u16>,
    pub(super) reason: String,
}

impl Mailbox {
    /// Creates a mailbox for these sinks from its stored state.
    pub(super) fn new(
        breaker: BreakerName,
        key: Option<Arc<str>>,
        sinks: &[Arc<dyn AlertSink>],
        is_durable: bool,
        kept: Option<&DurableState>,
    ) -> Self {
        let mut records: Vec<&LaneRecord> = kept.iter().flat_map(|state| &state.lanes).collect();
        let mut lanes = Vec::new();
        let pagers = labels(sinks).into_iter().zip(sinks).filter(|(_, sink)| keeps_open(sink));
        let pagers: Vec<String> = pagers.map(|(label, _)| label).collect();
        for (sink, kind) in labels(sinks).into_iter().flat_map(|sink| AlertKind::ALL.map(|kind| (sink.clone(), kind))) {
            let record = records.iter().position(|record| record.sink == sink && record.kind == kind);
            let kept = record.map(|place| records.swap_remove(place));
            let is_pager = pagers.is_empty() || pagers.contains(&sink);
            let closed_alone = ClosedAlone::restore(is_pager && kept.is_some_and(|record| record.has_closed_alone));
            let queue = kept.map(|record| Queue::restore(&breaker, record)).unwrap_or_default();
            let counters = LaneCounters::default();
            lanes.push(LaneState { sink, kind, queue, counters, is_pager, closed_alone, rejection: None });
        }
        for record in records.iter().filter(|record| !record.incidents.is_empty()) {
            tracing::warn!(
                breaker = breaker.as_str(),
                sink = record.sink,
                kind = record.kind.as_str(),
                incidents = ?record.incidents.iter().map(|entry| entry.incident).collect::<Vec<_>>(),
                aliases = ?record.incidents.iter().filter_map(|entry| entry.alias.as_deref()).collect::<Vec<_>>(),
                "the saved state has alerts for a sink that is no longer configured; they are dropped"
            );
        }
        let state = MailboxState {
            lanes,
            record: kept.map_or_else(BreakerRecord::default, |state| BreakerRecord {
                staging: state.staging.clone(),
                operator: state.operator,
                learned_tolerance_ms: state.learned_tolerance_ms,
            }),
            is_fresh: kept.is_none(),
            closed: false,
            retired: false,
            revision: 0,
            settled: 0,
            saved: 0,
            store_failures: 0,
            store_is_failing: false,
        };
        let sinks = labels(sinks).into_iter().zip(sinks.iter().cloned()).collect();
        Self { breaker, key, is_durable, sinks, state: Mutex::new(state), changed: Notification::new() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, MailboxState> {
        lock(&self.state)
    }

    /// Returns the sinks, each with its label.
    pub(super) fn sinks(&self) -> &[(String, Arc<dyn AlertSink>)] {
        &self.sinks
    }

    /// Counts an alert that was sent to a sink directly.
    pub(super) fn count(&self, sink: usize, alert: &Alert, change: impl FnOnce(&mut Counters)) {
        let Some((label, _)) = self.sinks.get(sink) else { return };
        let mut state = self.state();
        let lane = state.lanes.iter_mut().find(|lane| lane.sink == *label && lane.kind == alert.kind);
        if let Some(lane) = lane {
            change(lane.counters.of(alert.stage));
        }
    }

    /// Changes every lane; `change` returns whether it had an effect.
    pub(super) fn change_lanes(&self, change: impl Fn(&mut LaneState) -> bool) {
        let mut state = self.state();
        let mut changed = false;
        for lane in &mut state.lanes {
            changed |= change(lane);
        }
        if changed {
            state.change();
            drop(state);
            self.notify();
        }
    }

    pub(super) fn listen(&self) -> EventListener {
        self.changed.listen()
    }

    pub(super) fn notify(&self) {
        self.changed.notify(usize::MAX);
    }

    /// Takes alerts and the breaker's record after they are sent, in one step: neither is ever saved without the other.
    pub(super) fn push(&self, alerts: &[Alert], record: BreakerRecord) {
        let mut state = self.state();
        if alerts.is_empty() && state.record == record {
            state.is_fresh = false;
            return;
        }
        if std::mem::take(&mut state.is_fresh) {
            state.go_on_from(alerts, &record.staging);
        }
        let revision = state.change();
        state.record = record;
        for alert in alerts {
            for lane in state.lanes.iter_mut().filter(|lane| lane.kind == alert.kind) {
                if let Pushed::InPlaceOf(given_up) = lane.queue.push(alert.clone(), revision) {
                    lane.counters.of(given_up.stage).failed += 1;
                    tracing::error!(
                        breaker = self.breaker.as_str(),
                        sink = lane.sink,
                        kind = given_up.kind.as_str(),
                        incident = given_up.incident,
                        stage = given_up.stage.as_str(),
                        "too many incidents wait for delivery; this alert is dropped"
                    );
                }
            }
        }
        drop(state);
        self.notify();
    }

    /// Records that alerts of an open incident which are not in these lanes were sent by the fleet.
    pub(super) fn set_known(&self) {
        self.state().is_fresh = false;
    }

    /// Closes the mailbox: no more alerts will arrive.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.notify();
    }

    /// Closes the mailbox for good: its state is saved, and will not change.
    pub(super) fn retire(&self) {
        self.state().retired = true;
        self.close();
    }

    pub(super) fn is_retired(&self) -> bool {
        self.state().retired
    }

    /// Whether no alert waits or is open at a sink, and everything is saved.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        let is_saved = !self.is_durable || state.saved >= state.revision;
        is_saved && state.lanes.iter().all(|lane| lane.queue.is_empty())
    }

    /// Adds the counts of a mailbox with the same sinks, which ends.
    pub(super) fn absorb(&self, ended: &Self) {
        let ended = std::mem::take(&mut ended.state().lanes);
        let mut state = self.state();
        for (lane, ended) in state.lanes.iter_mut().zip(ended) {
            lane.counters.add(&ended.counters);
        }
    }

    /// Starts an attempt for the next alert of a lane, if one waits.
    pub(super) fn begin(&self, lane: usize) -> Option<Attempt> {
        let mut state = self.state();
        let revision = state.revision + 1;
        let (attempt, changed) = state.lanes.get_mut(lane)?.queue.begin(revision)?;
        if changed {
            state.change();
            drop(state);
            self.notify();
        }
        Some(attempt)
    }

    /// Sets the alias of an attempt's alert. The alias must be saved before the alert is sent.
    pub(super) fn name(&self, lane: usize, attempt: &mut Attempt, alias: String) {
        let mut state = self.state();
        let revision = state.change();
        if let Some(lane) = state.lanes.get_mut(lane) {
            lane.queue.name(attempt, alias, revision);
        }
        drop(state);
        self.notify();
    }

    /// Records that an attempt to close the fleet's alert without the fleet begins. The first one must be saved before it is sent.
    pub(super) fn begin_close_alone(&self, lane: usize, attempt: &mut Attempt) {
        let mut state = self.state();
        let Some(lane) = state.lanes.get_mut(lane).filter(|lane| lane.is_pager) else { return };
        let was_set = std::mem::replace(&mut lane.closed_alone, ClosedAlone::Closing).is_set();
        if !was_set {
            attempt.revision = state.change();
            drop(state);
            self.notify();
        }
    }

    /// Records that the attempt has ended. The close may have taken effect at any time until now, whatever the result.
    pub(super) fn end_close_alone(&self, lane: usize, now: Instant) {
        self.with(lane, |lane| {
            if lane.is_pager {
                lane.closed_alone = ClosedAlone::Closed(now);
            }
        });
    }

    /// Returns the label of a lane's sink.
    pub(super) fn label(&self, lane: usize) -> String {
        self.state().lanes.get(lane).map(|lane| lane.sink.clone()).unwrap_or_default()
    }

    /// Resolves when the mailbox is closed.
    pub(super) async fn closed(&self) {
        loop {
            let changed = self.listen();
            if self.state().closed {
                return;
            }
            changed.await;
        }
    }

    /// Changes a lane and the state to save.
    pub(super) fn change<T>(&self, lane: usize, change: impl FnOnce(&mut LaneState) -> T) -> Option<T> {
        let mut state = self.state();
        let result = state.lanes.get_mut(lane).map(change);
        state.change();
        drop(state);
        self.notify();
        result
    }

    /// Reads a lane, or counts in it.
    pub(super) fn with<T>(&self, lane: usize, look: impl FnOnce(&mut LaneState) -> T) -> Option<T> {
        self.state().lanes.get_mut(lane).map(look)
    }

    /// Returns whether an alert waits in a lane, and whether the mailbox is closed.
    pub(super) fn waits(&self, lane: usize) -> (bool, bool) {
        let state = self.state();
        (state.lanes.get(lane).is_some_and(|lane| lane.queue.is_waiting()), state.closed)
    }

    /// Returns the number of waiting alerts.
    pub(super) fn undelivered(&self) -> usize {
        self.state().lanes.iter().map(|lane| lane.queue.waiting().count()).sum()
    }

    /// Whether saving this revision was tried, or is not needed.
    pub(super) fn is_settled(&self, revision: u64) -> bool {
        !self.is_durable || self.state().settled >= revision
    }

    /// Whether there are changes for which no save was tried yet.
    pub(super) fn has_unsettled(&self) -> bool {
        let state = self.state();
        state.revision > state.settled
    }

    /// Whether there are unsaved changes.
    pub(super) fn has_unsaved(&self) -> bool {
        let state = self.state();
        state.revision > state.saved
    }

    /// Records an attempt to save this revision.
    pub(super) fn settle(&self, revision: u64, saved: bool) {
        let mut state = self.state();
        state.settled = state.settled.max(revision);
        if saved {
            state.saved = state.saved.max(revision);
            if std::mem::replace(&mut state.store_is_failing, false) {
                tracing::info!(breaker = self.breaker.as_str(), "the state of the alerts is saved again");
            }
        }
        drop(state);
        self.notify();
    }

    /// Records that saving failed or takes too long. Logs one error until it works again.
    pub(super) fn not_saved(&self, error: &str) {
        let mut state = self.state();
        state.store_failures += 1;
        if !std::mem::replace(&mut state.store_is_failing, true) {
            tracing::error!(
                breaker = self.breaker.as_str(),
                error,
                "the state of the alerts cannot be saved; alerts are still sent, but a kill may lose some"
            );
        }
    }

    /// Returns the state to save, and its revision.
    pub(super) fn durable(&self, saved_at: SystemTime) -> (DurableState, u64) {
        let state = self.state();
        let lanes = state.lanes.iter().map(|lane| LaneRecord {
            sink: lane.sink.clone(),
            kind: lane.kind,
            incidents: lane.queue.record(),
            has_closed_alone: lane.closed_alone.is_set(),
        });
        let durable = DurableState {
            breaker: self.breaker.clone(),
            key: self.key.as_deref().map(str::to_owned),
            members: Vec::new(),
            saved_at,
            staging: state.record.staging.clone(),
            operator: state.record.operator,
            learned_tolerance_ms: state.record.learned_tolerance_ms,
            lanes: lanes.filter(|lane| !lane.incidents.is_empty() || lane.has_closed_alone).collect(),
        };
        (durable, state.revision)
    }
}

impl MailboxState {
    /// Assumes that the previous supervisor of this process sent the alerts from which the staging continues. They must
    /// be closed, although these lanes did not open them.
    fn go_on_from(&mut self, alerts: &[Alert], staging: &StagingRecord) {
        let unbegun = alerts.iter().filter(|alert| !matches!(alert.stage, Stage::Single | Stage::Initial));
        let mut sent: Vec<_> = unbegun.map(|alert| (alert.incident, alert.kind, alert.stage)).collect();
        let number = staging.last_incident;
        let open = staging.open.and_then(|open| open.alert);
        let is_new = |kind| alerts.iter().any(|alert| (alert.incident, alert.kind) == (number, kind));
        sent.extend(open.filter(|open| !is_new(open.kind)).map(|open| (number, open.kind, open.stage)));
        for (incident, kind, stage) in sent {
            for lane in self.lanes.iter_mut().filter(|lane| lane.kind == kind) {
                lane.queue.assume_sent(incident, stage);
            }
        }
    }

    /// Returns the revision of a new change.
    fn change(&mut self) -> u64 {
        self.revision = self.revision.saturating_add(1);
        self.revision
    }
}

/// Returns the sinks' names, made unique, so that records and counters are distinct.
fn labels(sinks: &[Arc<dyn AlertSink>]) -> Vec<String> {
    let mut labels: Vec<String> = Vec::new();
    for sink in sinks {
        let name = sink.name();
        let mut label = name.to_owned();
        for number in 2_usize.. {
            if !labels.contains(&label) {
                break;
            }
            label = format!("{name}-{number}");
        }
        labels.push(label);
    }
    labels
}
