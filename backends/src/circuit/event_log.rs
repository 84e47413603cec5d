//! The last events of a circuit.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use event_listener::{Event as Notification, EventListener};
use serde::Serialize;
use tripline_runtime::core::planted::planted;
use tripline_runtime::core::{StateKind, TripReason};
use tripline_runtime::{Alert, AlertSink, BreakerName, DeliveryError, FleetPart};

use crate::text::{rfc3339_checked, tidy};

/// Events of one circuit that are kept; a new one replaces the oldest.
const CAPACITY: usize = 200;
/// Events that the log of all circuits keeps.
const COMBINED_CAPACITY: usize = 1_000;

/// The last 200 events of a circuit, for the readers of `/breaker/events`. Clones share one log.
///
/// As an [`AlertSink`] it takes alerts too: give a clone to the
/// [`SupervisedBreaker`](tripline_runtime::SupervisedBreaker), as [`Circuit::supervised`](super::Circuit::supervised) does.
#[derive(Debug, Clone)]
pub struct EventLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    capacity: usize,
    kept: Mutex<Kept>,
    changed: Notification,
    /// The log of all circuits, and the name of this circuit there.
    combined: Mutex<Option<(BreakerName, EventLog)>>,
}

#[derive(Debug)]
struct Kept {
    /// Distinguishes the numbers of this process from those of an earlier one: when the log was made, in Unix milliseconds.
    epoch: u64,
    /// Events since the log was made.
    count: u64,
    entries: VecDeque<Entry>,
}

/// One event, as it is sent.
#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    event: &'static str,
    json: String,
}

/// The content of an event.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum EventBody {
    Transition {
        /// `None` when recording began.
        from: Option<&'static str>,
        to: &'static str,
        /// `None` where it is unknown.
        cause: Option<&'static str>,
        /// Of a trip: the evidence, as one line.
        why: Option<String>,
        /// An operator simulates it.
        drill: bool,
        /// More than one where it went through others too quickly to be seen.
        steps: u32,
    },
    Incident {
        incident: u32,
        /// `began` or `ended`.
        phase: &'static str,
        /// Why it began, or who ended it.
        cause: &'static str,
    },
    FalseTrip {
        /// From the trip until its first probes had all been good, in seconds.
        passed_after_seconds: Option<serde_json::Number>,
        /// How long evidence must last from now on, in milliseconds.
        tolerance_ms: Option<u32>,
    },
    Memory {
        state: &'static str,
        usage_percent: Option<serde_json::Number>,
    },
    Alert {
        /// The key of the member of a family whose own incident it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        key: Option<String>,
        /// What it covers of a fleet, such as `37 of 1,000 replicas open, first: web-17`.
        #[serde(skip_serializing_if = "Option::is_none")]
        fleet: Option<String>,
        /// It is a note: the number of open replicas of the fleet has doubled.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        note: bool,
        incident: u64,
        alert: &'static str,
        stage: &'static str,
        cause: &'static str,
        priority: Option<&'static str>,
        trip_reason: Option<&'static str>,
        /// The evidence, as one line.
        why: Option<String>,
        /// Operators simulated everything that opened the breaker.
        drill: bool,
        /// Of the end of an incident whose trip was a false one: how long that lasted, in seconds.
        passed_after_seconds: Option<serde_json::Number>,
    },
}

impl EventBody {
    /// Whether it belongs to the last trip.
    pub(crate) fn is_of_trip(&self) -> bool {
        match self {
            Self::Transition { to, .. } => *to == StateKind::Open.as_str(),
            Self::Incident { phase, cause, .. } => {
                *phase == "began" && TripReason::ALL.iter().any(|reason| reason.as_str() == *cause)
            }
            _ => false,
        }
    }

    const fn event(&self) -> &'static str {
        match self {
            Self::Transition { .. } => "transition",
            Self::Incident { .. } => "incident",
            Self::FalseTrip { .. } => "false_trip",
            Self::Memory { .. } => "memory",
            Self::Alert { .. } => "alert",
        }
    }
}

#[derive(Serialize)]
struct Numbered<'a> {
    number: u64,
    /// Time of day, RFC 3339 in UTC.
    at: Option<String>,
    /// In the log of all circuits: the one that it happened to.
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<&'a str>,
    #[serde(flatten)]
    body: &'a EventBody,
}

impl EventLog {
    /// An empty log, created at this time of day.
    pub fn new(made_at: SystemTime) -> Self {
        Self::with(CAPACITY, unix_millis(made_at))
    }

    /// An empty log for the events of all circuits. It is made when its first event is pushed.
    pub(super) fn combined() -> Self {
        Self::with(COMBINED_CAPACITY, 0)
    }

    fn with(capacity: usize, epoch: u64) -> Self {
        let kept = Kept { epoch, count: 0, entries: VecDeque::new() };
        let shared =
            Shared { capacity, kept: Mutex::new(kept), changed: Notification::new(), combined: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    /// Appends every further event to `combined` too, as one of the circuit `name`.
    pub(super) fn forward_to(&self, name: &BreakerName, combined: &Self) {
        *self.lock_combined() = Some((name.clone(), combined.clone()));
    }

    /// Appends `body`.
    pub(crate) fn push(&self, at: SystemTime, body: &EventBody) {
        self.append(None, at, body);
        let combined = self.lock_combined().clone();
        if let Some((name, log)) = combined {
            log.append(Some(name.as_str()), at, body);
        }
    }

    fn append(&self, breaker: Option<&str>, at: SystemTime, body: &EventBody) {
        {
            let mut kept = self.lock();
            if kept.count == 0 && kept.epoch == 0 {
                kept.epoch = unix_millis(at);
            }
            kept.count += 1;
            if planted("events: a number is left out") && kept.count.is_multiple_of(20) {
                kept.count += 1;
            }
            let number = kept.count;
            let numbered = Numbered { number, at: rfc3339_checked(at), breaker, body };
            // Names and numbers always serialize.
            let json = serde_json::to_string(&numbered).unwrap_or_default();
            if kept.entries.len() == self.shared.capacity {
                kept.entries.pop_front();
            }
            kept.entries.push_back(Entry { number, event: body.event(), json });
        }
        self.wake();
    }

    /// Wakes the listeners without an event.
    pub(crate) fn wake(&self) {
        self.shared.changed.notify(usize::MAX);
    }

    pub(crate) fn changed(&self) -> EventListener {
        self.shared.changed.listen()
    }

    /// Appends all events after number `after` as server-sent events; returns the number of the last one.
    pub(crate) fn write_after(&self, after: u64, text: &mut String) -> u64 {
        let kept = self.lock();
        for Entry { number, event, json } in kept.entries.iter().filter(|entry| entry.number > after) {
            let epoch = kept.epoch;
            // Writing into a String cannot fail.
            let _ = write!(text, "event: {event}\nid: {epoch}-{number}\ndata: {json}\n\n");
        }
        kept.count
    }

    /// The number in an event id of this log; 0 for any other text.
    pub(crate) fn number_of(&self, id: &str) -> u64 {
        let kept = self.lock();
        if planted("events: a reader that returns misses events") {
            return kept.count;
        }
        let number = id.split_once('-').filter(|(epoch, _)| epoch.parse() == Ok(kept.epoch));
        let number = number.and_then(|(_, number)| number.parse().ok());
        number.filter(|number| *number <= kept.count).unwrap_or(0)
    }

    /// Events since the log was made.
    pub(crate) fn count(&self) -> u64 {
        self.lock().count
    }

    fn lock_combined(&self) -> MutexGuard<'_, Option<(BreakerName, Self)>> {
        // Nothing can panic while it holds the lock.
        self.shared.combined.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing can panic while it holds the lock.
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unix_millis(time: SystemTime) -> u64 {
    let age = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(age.as_millis()).unwrap_or(u64::MAX)
}

#[async_trait]
impl AlertSink for EventLog {
    fn name(&self) -> &'static str {
        "timeline"
    }

    fn keeps_open(&self) -> bool {
        false
    }

    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError> {
        let body = EventBody::Alert {
            key: alert.key.clone(),
            fleet: alert.fleet.as_ref().map(ToString::to_string),
            note: alert.fleet.as_ref().is_some_and(FleetPart::is_note),
            incident: alert.incident,
            alert: alert.kind.as_str(),
            stage: alert.stage.as_str(),
            cause: alert.cause.as_str(),
            priority: alert.page.as_ref().map(|page| page.priority.as_str()),
            trip_reason: alert.snapshot.trip_reason.filter(|_| !alert.stage.is_end()).map(TripReason::as_str),
            why: alert.snapshot.explanation.filter(|_| !alert.stage.is_end()).map(|why| why.to_string()),
            drill: alert.is_drill,
            passed_after_seconds: alert.passed_after.and_then(|after| tidy(after.as_secs_f64())),
        };
        self.push(alert.at, &body);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(log: &EventLog) {
        log.push(UNIX_EPOCH, &EventBody::Memory { state: "ok", usage_percent: None });
    }

    fn after(log: &EventLog, number: u64) -> usize {
        let mut text = String::new();
        log.write_after(number, &mut text);
        text.matches("event: memory\n").count()
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let log = EventLog::new(UNIX_EPOCH + std::time::Duration::from_secs(7));
        (0..CAPACITY + 3).for_each(|_| memory(&log));
        let mut text = String::new();
        assert_eq!(log.write_after(0, &mut text), CAPACITY as u64 + 3);
        assert_eq!(after(&log, 0), CAPACITY);
        assert!(!text.contains("\"number\":3,") && text.contains("\"number\":4,"), "{text}");
    }

    #[test]
    fn the_combined_log_names_the_circuit_of_each_event() {
        let (one, combined) = (EventLog::new(UNIX_EPOCH), EventLog::combined());
        memory(&one);
        assert_eq!(combined.count(), 0);
        one.forward_to(&BreakerName::default(), &combined);
        memory(&one);
        let (mut own, mut all) = (String::new(), String::new());
        one.write_after(1, &mut own);
        combined.write_after(0, &mut all);
        assert!(!own.contains("breaker"), "{own}");
        assert!(
            all.contains("\"number\":1,\"at\":\"1970-01-01T00:00:00.000Z\",\"breaker\":\"default\",\"state\":"),
            "{all}"
        );
    }

    #[test]
    fn a_reader_goes_on_after_an_id_of_this_process_only() {
        let log = EventLog::new(UNIX_EPOCH + std::time::Duration::from_secs(7));
        (0..5).for_each(|_| memory(&log));
        let epoch = log.lock().epoch;
        assert_eq!(after(&log, log.number_of(&format!("{epoch}-3"))), 2);
        assert_eq!(after(&log, log.number_of(&format!("{epoch}-5"))), 0);
        for foreign in
            [format!("{}-3", epoch - 1), format!("{epoch}-6"), format!("{epoch}"), "x-3".into(), String::new()]
        {
            assert_eq!(log.number_of(&foreign), 0, "{foreign:?}");
        }
    }
}
