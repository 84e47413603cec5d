//! What waits for one sink, of one breaker and one kind of alert, and what the sink was sent before. No time, no waiting.

use std::collections::VecDeque;

use tripline_core::Stage;

use crate::alert::{Alert, Arrival, Earlier};
use crate::durable::{LaneRecord, ToldRecord};
use crate::name::BreakerName;

/// Incidents that one queue remembers. While its sink is dead these are two: the one at the head, which may have arrived,
/// and the one that is on. So this many are seen only after a state that was made up was read.
pub(super) const QUEUE_CAPACITY: usize = 16;

/// What waits, oldest incident first, and of each incident only the newest alert.
#[derive(Debug, Default)]
pub(super) struct Queue {
    incidents: VecDeque<Told>,
    serial: u64,
}

/// What the sink was sent of one incident, and what it is to be sent.
#[derive(Debug)]
struct Told {
    incident: u64,
    earlier: Earlier,
    waiting: Option<Waiting>,
    /// The book's revision that holds all of this.
    revision: u64,
}

#[derive(Debug)]
struct Waiting {
    alert: Alert,
    /// Tells it from one that takes its place during an attempt.
    serial: u64,
}

/// One alert on its way to the sink.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    /// With what was sent *before* this attempt.
    pub(super) alert: Alert,
    serial: u64,
    /// What must be saved before it goes out: a state which says that it may have arrived.
    pub(super) revision: u64,
}

/// What became of an alert that was handed over to the queue.
#[derive(Debug, PartialEq)]
pub(super) enum Pushed {
    /// It waits.
    Waits,
    /// There is nothing to close: nothing of the incident was sent.
    Vanished,
    /// It waits, and this one was given up for it.
    InPlaceOf(Box<Alert>),
}

impl Queue {
    /// Takes a newer alert. `revision` is the one that this change makes.
    pub(super) fn push(&mut self, alert: Alert, revision: u64) -> Pushed {
        self.serial = self.serial.wrapping_add(1);
        let (is_end, waiting) = (alert.stage.is_end(), Waiting { alert, serial: self.serial });
        let incident = waiting.alert.incident;
        let place = self.incidents.iter().position(|told| told.incident == incident);
        match place.and_then(|place| self.incidents.get_mut(place)) {
            Some(told) if is_end && told.earlier == Earlier::default() => {
                self.incidents.retain(|told| told.incident != incident);
                Pushed::Vanished
            }
            Some(told) => {
                told.waiting = Some(waiting);
                told.revision = revision;
                Pushed::Waits
            }
            None if is_end => Pushed::Vanished,
            None => {
                let given_up = if self.incidents.len() >= QUEUE_CAPACITY { self.make_room() } else { None };
                self.incidents.push_back(Told {
                    incident,
                    earlier: Earlier::default(),
                    waiting: Some(waiting),
                    revision,
                });
                given_up.map_or(Pushed::Waits, |alert| Pushed::InPlaceOf(Box::new(alert)))
            }
        }
    }

    /// Forgets the least that there is: an incident with nothing to send, else one of which nothing was sent, else one that
    /// is not to be closed, else the one after the head.
    fn make_room(&mut self) -> Option<Alert> {
        let is_close = |told: &Told| told.waiting.as_ref().is_some_and(|waiting| waiting.alert.stage.is_end());
        let victim = (self.incidents.iter().position(|told| told.waiting.is_none()))
            .or_else(|| self.incidents.iter().position(|told| told.earlier == Earlier::default()))
            .or_else(|| self.incidents.iter().position(|told| !is_close(told)))
            .unwrap_or(1);
        self.incidents.remove(victim).and_then(|told| told.waiting).map(|waiting| waiting.alert)
    }

    /// Somebody else told of this incident up to this stage, perhaps to the same sink.
    pub(super) fn assume_sent(&mut self, incident: u64, stage: Stage) {
        if self.incidents.iter().any(|told| told.incident == incident) {
            return;
        }
        let escalated = if matches!(stage, Stage::Single | Stage::Initial) { Arrival::Never } else { Arrival::Perhaps };
        let earlier = Earlier { created: Arrival::Perhaps, escalated };
        self.incidents.push_back(Told { incident, earlier, waiting: None, revision: 0 });
    }

    /// Whether something waits.
    pub(super) fn is_waiting(&self) -> bool {
        self.incidents.iter().any(|told| told.waiting.is_some())
    }

    /// The stages that wait.
    pub(super) fn waiting(&self) -> impl Iterator<Item = Stage> {
        self.incidents.iter().filter_map(|told| told.waiting.as_ref()).map(|waiting| waiting.alert.stage)
    }

    /// Takes the oldest alert that waits on its way: from now on it may have arrived. It waits on until it is settled.
    ///
    /// `revision` is the one that this change makes; true where there was a change.
    pub(super) fn begin(&mut self, revision: u64) -> Option<(Attempt, bool)> {
        let told = self.incidents.iter_mut().find(|told| told.waiting.is_some())?;
        let waiting = told.waiting.as_ref()?;
        let before = told.earlier;
        told.earlier.at_least(waiting.alert.stage, Arrival::Perhaps);
        let changed = told.earlier != before;
        if changed {
            told.revision = revision;
        }
        let mut alert = waiting.alert.clone();
        alert.earlier = before;
        Some((Attempt { alert, serial: waiting.serial, revision: told.revision }, changed))
    }

    /// No newer alert has taken the place of this one.
    pub(super) fn is_newest(&self, attempt: &Attempt) -> bool {
        self.told(attempt)
            .and_then(|told| told.waiting.as_ref())
            .is_some_and(|waiting| waiting.serial == attempt.serial)
    }

    fn told(&self, attempt: &Attempt) -> Option<&Told> {
        self.incidents.iter().find(|told| told.incident == attempt.alert.incident)
    }

    /// There will be no more attempts of this one: it has `arrived`, or would fail every time.
    pub(super) fn settle(&mut self, attempt: &Attempt, arrived: bool) {
        let is_newest = self.is_newest(attempt);
        let Some(place) = self.incidents.iter().position(|told| told.incident == attempt.alert.incident) else {
            return;
        };
        let is_end = attempt.alert.stage.is_end();
        if is_newest && is_end {
            self.incidents.remove(place);
            return;
        }
        let Some(told) = self.incidents.get_mut(place) else { return };
        if is_newest {
            told.waiting = None;
        }
        if is_end {
            // Closed, and begun anew meanwhile.
            told.earlier = Earlier::default();
        } else if arrived {
            told.earlier.at_least(attempt.alert.stage, Arrival::Confirmed);
        }
    }

    /// What is to be kept of it.
    pub(super) fn record(&self) -> Vec<ToldRecord> {
        let record = |told: &Told| ToldRecord {
            incident: told.incident,
            earlier: told.earlier,
            waiting: told.waiting.as_ref().map(|waiting| waiting.alert.clone()),
        };
        self.incidents.iter().map(record).collect()
    }

    /// Puts back what was kept. Whatever is in the record, the queue is bounded, and closes nothing that was not sent.
    pub(super) fn restore(breaker: &BreakerName, record: &LaneRecord) -> Self {
        let mut queue = Self::default();
        for told in record.incidents.iter().take(QUEUE_CAPACITY) {
            queue.serial = queue.serial.wrapping_add(1);
            let nothing_was_sent = told.earlier == Earlier::default();
            let belongs_here =
                |alert: &Alert| (&alert.breaker, alert.kind, alert.incident) == (breaker, record.kind, told.incident);
            let waiting = told.waiting.clone().filter(belongs_here);
            let waiting = waiting.filter(|alert| !(nothing_was_sent && alert.stage.is_end()));
            let serial = queue.serial;
            let told = Told {
                incident: told.incident,
                earlier: told.earlier,
                waiting: waiting.map(|alert| Waiting { alert, serial }),
                revision: 0,
            };
            if told.waiting.is_some() || told.earlier != Earlier::default() {
                queue.incidents.push_back(told);
            }
        }
        queue
    }
}

impl Earlier {
    /// What was sent at `stage` has arrived at least so far. An end leaves nothing to remember.
    fn at_least(&mut self, stage: Stage, arrival: Arrival) {
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
