//! What happened, as far as it is kept.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use event_listener::{Event as Notification, EventListener};
use serde::Serialize;
use tripline_runtime::core::{StateKind, TripReason};
use tripline_runtime::{Alert, AlertSink, DeliveryError};

use crate::text::rfc3339_checked;

/// How much is kept; the oldest goes when one more comes.
const CAPACITY: usize = 200;

/// The last 200 things that happened, for the readers of `/breaker/events`. Clones share one.
///
/// As an [`AlertSink`] it takes alerts too: give a clone to the [`Watch`](tripline_runtime::Watch) of the breaker.
#[derive(Debug, Clone, Default)]
pub struct EventLog {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    kept: Mutex<Kept>,
    changed: Notification,
}

#[derive(Debug)]
struct Kept {
    /// Tells the numbers of this process from those of an earlier one.
    epoch: u64,
    /// How many there ever were.
    count: u64,
    entries: VecDeque<Entry>,
}

impl Default for Kept {
    fn default() -> Self {
        let age = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { epoch: u64::try_from(age.as_millis()).unwrap_or(u64::MAX), count: 0, entries: VecDeque::new() }
    }
}

/// One thing that happened, as it is sent.
#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    event: &'static str,
    json: String,
}

/// What can happen.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(super) enum EventBody {
    Transition {
        /// `None` when recording began.
        from: Option<&'static str>,
        to: &'static str,
        /// `None` where it cannot be told.
        cause: Option<&'static str>,
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
    Memory {
        state: &'static str,
        usage_percent: Option<serde_json::Number>,
    },
    Alert {
        incident: u64,
        alert: &'static str,
        stage: &'static str,
        cause: &'static str,
        priority: Option<&'static str>,
        trip_reason: Option<&'static str>,
    },
}

impl EventBody {
    /// It came with the last trip.
    pub(super) fn is_of_trip(&self) -> bool {
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
            Self::Memory { .. } => "memory",
            Self::Alert { .. } => "alert",
        }
    }
}

#[derive(Serialize)]
struct Told<'a> {
    number: u64,
    /// Time of day, RFC 3339 in UTC.
    at: Option<String>,
    #[serde(flatten)]
    happening: &'a EventBody,
}

impl EventLog {
    /// Puts `happening` at the end.
    pub(super) fn push(&self, at: SystemTime, happening: &EventBody) {
        {
            let mut kept = self.lock();
            kept.count += 1;
            let number = kept.count;
            let told = Told { number, at: rfc3339_checked(at), happening };
            // Names and numbers always serialize.
            let json = serde_json::to_string(&told).unwrap_or_default();
            if kept.entries.len() == CAPACITY {
                kept.entries.pop_front();
            }
            kept.entries.push_back(Entry { number, event: happening.event(), json });
        }
        self.wake();
    }

    /// Wakes those who listen, though nothing happened.
    pub(super) fn wake(&self) {
        self.shared.changed.notify(usize::MAX);
    }

    pub(super) fn changed(&self) -> EventListener {
        self.shared.changed.listen()
    }

    /// Appends all after number `after`, as server-sent events; the number of the last one.
    pub(super) fn write_after(&self, after: u64, text: &mut String) -> u64 {
        let kept = self.lock();
        for Entry { number, event, json } in kept.entries.iter().filter(|entry| entry.number > after) {
            let epoch = kept.epoch;
            // Writing into a String cannot fail.
            let _ = write!(text, "event: {event}\nid: {epoch}-{number}\ndata: {json}\n\n");
        }
        kept.count
    }

    /// The number that an id of ours stands for; 0 for any other text.
    pub(super) fn number_of(&self, id: &str) -> u64 {
        let kept = self.lock();
        let number = id.split_once('-').filter(|(epoch, _)| epoch.parse() == Ok(kept.epoch));
        let number = number.and_then(|(_, number)| number.parse().ok());
        number.filter(|number| *number <= kept.count).unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        // Nothing can panic while it holds the lock.
        self.shared.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let happening = EventBody::Alert {
            incident: alert.incident,
            alert: alert.kind.as_str(),
            stage: alert.stage.as_str(),
            cause: alert.cause.as_str(),
            priority: alert.page.as_ref().map(|page| page.priority.as_str()),
            trip_reason: alert.snapshot.trip_reason.filter(|_| !alert.stage.is_end()).map(TripReason::as_str),
        };
        self.push(alert.at, &happening);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(timeline: &EventLog) {
        timeline.push(UNIX_EPOCH, &EventBody::Memory { state: "ok", usage_percent: None });
    }

    fn after(timeline: &EventLog, number: u64) -> usize {
        let mut text = String::new();
        timeline.write_after(number, &mut text);
        text.matches("event: memory\n").count()
    }

    #[test]
    fn the_oldest_goes_when_there_is_no_room() {
        let timeline = EventLog::default();
        (0..CAPACITY + 3).for_each(|_| memory(&timeline));
        let mut text = String::new();
        assert_eq!(timeline.write_after(0, &mut text), CAPACITY as u64 + 3);
        assert_eq!(after(&timeline, 0), CAPACITY);
        assert!(!text.contains("\"number\":3,") && text.contains("\"number\":4,"), "{text}");
    }

    #[test]
    fn a_reader_goes_on_after_an_id_of_this_process_only() {
        let timeline = EventLog::default();
        (0..5).for_each(|_| memory(&timeline));
        let epoch = timeline.lock().epoch;
        assert_eq!(after(&timeline, timeline.number_of(&format!("{epoch}-3"))), 2);
        assert_eq!(after(&timeline, timeline.number_of(&format!("{epoch}-5"))), 0);
        for foreign in
            [format!("{}-3", epoch - 1), format!("{epoch}-6"), format!("{epoch}"), "x-3".into(), String::new()]
        {
            assert_eq!(timeline.number_of(&foreign), 0, "{foreign:?}");
        }
    }
}
