//! The alerts of one breaker, kind and sink, pending and sent. Pure: no time, no waiting.

use std::collections::VecDeque;

use tripline_core::Stage;
use tripline_core::fleet::FleetStage;
use tripline_core::planted::planted;

use crate::breaker::name::BreakerName;
use crate::dispatch::durable::{IncidentRecord, LaneRecord};
use crate::incidents::alert::{Alert, DeliveryHistory, DeliveryStatus};

/// Maximum number of incidents in a queue. While its sink is down there are two: the head, which may have arrived, and
/// the active one. More than that occur only after a fabricated state was read.
pub(super) const QUEUE_CAPACITY: usize = 16;

/// The pending alerts, oldest incident first, with only the newest alert of each incident.
#[derive(Debug, Default)]
pub(super) struct Queue {
    incidents: VecDeque<IncidentEntry>,
    serial: u64,
}

/// The alerts of one incident at the sink, sent and pending.
#[derive(Debug)]
struct IncidentEntry {
    incident: u64,
    earlier: DeliveryHistory,
    waiting: Option<Waiting>,
    /// The alias under which the sink opened it.
    alias: Option<String>,
    /// Whether it is part of a fleet's incident, which the fleet closes.
    is_of_fleet: bool,
    /// The state's revision that contains all of this.
    revision: u64,
}

#[derive(Debug)]
struct Waiting {
    alert: Alert,
    /// Distinguishes it from an alert that replaces it during an attempt.
    serial: u64,
}

/// One attempt to send an alert to the sink.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// The alert, with the stages sent *before* this attempt.
    pub(super) alert: Alert,
    serial: u64,
    /// The revision to save before the alert is sent. It records that the alert may have arrived.
    pub(super) revision: u64,
}

impl Attempt {
    /// Whether it closes an alert that this replica sent without the fleet, and not because a more severe one takes its place.
    pub(super) fn is_close_alone(&self) -> bool {
        self.alert.fleet.is_some() && matches!(self.alert.stage, Stage::Resolved(_))
    }
}

/// The result of pushing an alert.
#[derive(Debug, PartialEq)]
pub(super) enum Pushed {
    /// The alert waits.
    Waits,
    /// Nothing of the incident was sent, so there is nothing to close.
    Vanished,
    /// The alert waits, and the contained alert was dropped for it.
    InPlaceOf(Box<Alert>),
}

impl Queue {
    /// Takes a newer alert. `revision` is the revision of this change.
    pub(super) fn push(&mut self, alert: Alert, revision: u64) -> Pushed {
        self.serial = self.serial.wrapping_add(1);
        let (is_end, is_of_fleet) = (alert.stage.is_end(), alert.fleet.is_some());
        let waiting = Waiting { alert, serial: self.serial };
        let incident = waiting.alert.incident;
        let place = self.incidents.iter().position(|entry| entry.incident == incident);
        match place.and_then(|place| self.incidents.get_mut(place)) {
            // Only the fleet ends a fleet's incident.
            Some(entry) if is_end && entry.is_of_fleet != is_of_fleet => Pushed::Vanished,
            Some(entry) if is_end && entry.earlier == DeliveryHistory::default() => {
                self.incidents.retain(|entry| entry.incident != incident);
                Pushed::Vanished
            }
            Some(entry) => {
                entry.waiting = Some(waiting);
                entry.is_of_fleet = is_of_fleet;
                entry.revision = revision;
                Pushed::Waits
            }
            None if is_end => Pushed::Vanished,
            None => {
                let given_up = if self.incidents.len() >= QUEUE_CAPACITY { self.make_room() } else { None };
                self.incidents.push_back(IncidentEntry {
                    incident,
                    earlier: DeliveryHistory::default(),
                    waiting: Some(waiting),
                    alias: None,
                    is_of_fleet,
                    revision,
                });
                given_up.map_or(Pushed::Waits, |alert| Pushed::InPlaceOf(Box::new(alert)))
            }
        }
    }

    /// Drops the least important incident: one with nothing to send, else one of which nothing was sent, else one that
    /// is not to be closed, else the one after the head.
    fn make_room(&mut self) -> Option<Alert> {
        let is_close =
            |entry: &IncidentEntry| entry.waiting.as_ref().is_some_and(|waiting| waiting.alert.stage.is_end());
        let victim = (self.incidents.iter().position(|entry| entry.waiting.is_none()))
            .or_else(|| self.incidents.iter().position(|entry| entry.earlier == DeliveryHistory::default()))
            .or_else(|| self.incidents.iter().position(|entry| !is_close(entry)))
            .unwrap_or(1);
        self.incidents.remove(victim).and_then(|entry| entry.waiting).map(|waiting| waiting.alert)
    }

    /// Records that another supervisor sent this incident's alerts up to this stage, possibly to the same sink.
    pub(super) fn assume_sent(&mut self, incident: u64, stage: Stage) {
        if self.incidents.iter().any(|entry| entry.incident == incident) {
            return;
        }
        let escalated = if matches!(stage, Stage::Single | Stage::Initial) {
            DeliveryStatus::NotSent
        } else {
            DeliveryStatus::Unconfirmed
        };
        let earlier = DeliveryHistory { created: DeliveryStatus::Unconfirmed, escalated };
        self.incidents.push_back(IncidentEntry {
            incident,
            earlier,
            waiting: None,
            alias: None,
            is_of_fleet: false,
            revision: 0,
        });
    }

    /// Whether no alert waits or is open at the sink.
    pub(super) fn is_empty(&self) -> bool {
        self.incidents.is_empty()
    }

    /// Whether an alert waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.incidents.iter().any(|entry| entry.waiting.is_some())
    }

    /// Iterates over the stages that wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Stage> {
        self.incidents.iter().filter_map(|entry| entry.waiting.as_ref()).map(|waiting| waiting.alert.stage)
    }

    /// Starts an attempt for the oldest waiting alert: from now on it may have arrived. It keeps waiting until it is
    /// settled.
    ///
    /// `revision` is the revision of this change. Also returns whether there was a change.
    pub(super) fn begin(&mut self, revision: u64) -> Option<(Attempt, bool)> {
        let entry = self.incidents.iter_mut().find(|entry| entry.waiting.is_some())?;
        let waiting = entry.waiting.as_ref()?;
        let before = entry.earlier;
        entry.earlier.at_least(waiting.alert.stage, DeliveryStatus::Unconfirmed);
        let changed = entry.earlier != before;
        if changed {
            entry.revision = revision;
        }
        let mut alert = waiting.alert.clone();
        alert.earlier = before;
        alert.alias.clone_from(&entry.alias);
        Some((Attempt { alert, serial: waiting.serial, revision: entry.revision }, changed))
    }

    /// Sets the alias under which the sink opens and closes the alert. `revision` is the revision of this change.
    pub(super) fn name(&mut self, attempt: &mut Attempt, alias: String, revision: u64) {
        let incident = attempt.alert.incident;
        if let Some(entry) = self.incidents.iter_mut().find(|entry| entry.incident == incident) {
            entry.revision = revision;
            attempt.revision = revision;
            attempt.alert.alias = Some(entry.alias.insert(alias).clone());
        }
    }

    /// Iterates over the incidents whose alert is, or may be, open at the sink, each with its alias and whether a
    /// response confirmed it.
    pub(super) fn open(&self) -> impl Iterator<Item = (u64, Option<&str>, bool)> {
        let open = self.incidents.iter().filter(|entry| entry.earlier != DeliveryHistory::default());
        open.map(|entry| {
            let confirmed = [entry.earlier.created, entry.earlier.escalated].contains(&DeliveryStatus::Confirmed);
            (entry.incident, entry.alias.as_deref(), confirmed)
        })
    }

    /// Returns the stage of a fleet's incident that the sink confirmed; `None` if nothing of it was sent.
    pub(super) fn sent_of_fleet(&self) -> Option<FleetStage> {
        let sent =
            self.incidents.iter().filter(|entry| entry.is_of_fleet && entry.earlier != DeliveryHistory::default());
        sent.map(|entry| match entry.earlier {
            DeliveryHistory { escalated: DeliveryStatus::Confirmed, .. } => FleetStage::Escalated,
            DeliveryHistory { created: DeliveryStatus::Confirmed, .. } => FleetStage::Initial,
            _ => FleetStage::Pending,
        })
        .max()
    }

    /// Removes all parts of a fleet's incident, sent or not; the fleet continues it. Returns true if there were any.
    pub(super) fn release_to_fleet(&mut self) -> bool {
        if planted("fleet: an alert that was paged alone is not handed over") {
            return false;
        }
        let before = self.incidents.len();
        self.incidents.retain(|entry| !entry.is_of_fleet);
        self.incidents.len() != before
    }

    /// Stops sending alerts of a fleet's incident. Returns true if one waited.
    pub(super) fn stop_alone(&mut self) -> bool {
        let mut changed = false;
        for entry in self.incidents.iter_mut().filter(|entry| entry.is_of_fleet) {
            changed |= entry.waiting.take().is_some();
        }
        let before = self.incidents.len();
        self.incidents.retain(|entry| entry.waiting.is_some() || entry.earlier != DeliveryHistory::default());
        changed || before != self.incidents.len()
    }

    /// Whether another incident waits behind the oldest waiting one.
    pub(super) fn has_newer(&self) -> bool {
        self.incidents.iter().filter(|entry| entry.waiting.is_some()).count() > 1
    }

    /// Whether no newer alert has replaced this one.
    pub(super) fn is_newest(&self, attempt: &Attempt) -> bool {
        self.entry(attempt)
            .and_then(|entry| entry.waiting.as_ref())
            .is_some_and(|waiting| waiting.serial == attempt.serial)
    }

    fn entry(&self, attempt: &Attempt) -> Option<&IncidentEntry> {
        self.incidents.iter().find(|entry| entry.incident == attempt.alert.incident)
    }

    /// Ends the attempts of this alert: it has `arrived`, or would fail every time.
    pub(super) fn settle(&mut self, attempt: &Attempt, arrived: bool) {
        let is_newest = self.is_newest(attempt);
        let Some(place) = self.incidents.iter().position(|entry| entry.incident == attempt.alert.incident) else {
            return;
        };
        let is_end = attempt.alert.stage.is_end();
        if is_newest && is_end {
            self.incidents.remove(place);
            return;
        }
        let Some(entry) = self.incidents.get_mut(place) else { return };
        if is_newest {
            entry.waiting = None;
        }
        if is_end {
            // Closed, and begun again since.
            entry.earlier = DeliveryHistory::default();
            entry.alias = None;
        } else if arrived {
            entry.earlier.at_least(attempt.alert.stage, DeliveryStatus::Confirmed);
        }
    }

    /// Returns the part to save.
    pub(super) fn record(&self) -> Vec<IncidentRecord> {
        let record = |entry: &IncidentEntry| IncidentRecord {
            incident: entry.incident,
            earlier: entry.earlier,
            waiting: entry.waiting.as_ref().map(|waiting| waiting.alert.clone()),
            alias: entry.alias.clone(),
            is_of_fleet: entry.is_of_fleet,
        };
        self.incidents.iter().map(record).collect()
    }

    /// Restores a saved queue. For every record, the result is bounded and closes nothing that was not sent.
    pub(super) fn restore(breaker: &BreakerName, record: &LaneRecord) -> Self {
        let mut queue = Self::default();
        for entry in record.incidents.iter().take(QUEUE_CAPACITY) {
            queue.serial = queue.serial.wrapping_add(1);
            let nothing_was_sent = entry.earlier == DeliveryHistory::default();
            let belongs_here =
                |alert: &Alert| (&alert.breaker, alert.kind, alert.incident) == (breaker, record.kind, entry.incident);
            let waiting = entry.waiting.clone().filter(belongs_here);
            let waiting = waiting.filter(|alert| !(nothing_was_sent && alert.stage.is_end()));
            let serial = queue.serial;
            let entry = IncidentEntry {
                incident: entry.incident,
                earlier: entry.earlier,
                waiting: waiting.map(|alert| Waiting { alert, serial }),
                alias: entry.alias.clone(),
                is_of_fleet: entry.is_of_fleet,
                revision: 0,
            };
            if entry.waiting.is_some() || entry.earlier != DeliveryHistory::default() {
                queue.incidents.push_back(entry);
            }
        }
        queue
    }
}

impl DeliveryHistory {
    /// Records the delivery status of `stage`, which never decreases. An end leaves nothing to record.
    fn at_least(&mut self, stage: Stage, arrival: DeliveryStatus) {
        let place = match stage {
            Stage::Single | Stage::Initial => &mut self.created,
            Stage::Escalated => &mut self.escalated,
            _ => return,
        };
        *place = (*place).max(arrival);
    }
}

#[cfg(test)]
mod tests;
