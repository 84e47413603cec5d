//! Alerts, and the sinks that deliver them.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_core::{AlertKind, IncidentCause, Latency, MemorySample, Stage, StateKind, Trend, TripReason};

use crate::breaker::explanation::TripExplanation;
use crate::breaker::name::BreakerName;
use crate::fleet::part::FleetPart;

/// One message about one incident of one breaker.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Alert {
    /// Whose incident.
    pub breaker: BreakerName,
    /// The number of the incident, from 1; it goes on over a restart where state is kept.
    pub incident: u64,
    /// Which of the incident's alerts this is about.
    pub kind: AlertKind,
    /// How far it has come.
    pub stage: Stage,
    /// On a resolution: also say that the breaker was reset (`trigger_on_breaker_reset`).
    pub announce_reset: bool,
    /// Its cause.
    pub cause: IncidentCause,
    /// When the incident began, in time of day.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub started_at: SystemTime,
    /// The time of day of this stage.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub at: SystemTime,
    /// The state of the breaker.
    pub snapshot: Snapshot,
    /// What the sink was sent of this incident and kind before. Filled in by the dispatcher just before each attempt.
    pub earlier: DeliveryHistory,
    /// The name under which the sink opened the alert of this incident and kind; `None` before the first attempt, and for
    /// sinks without names. Filled in by the dispatcher, which keeps it over a restart: a sink uses it in place of a name that
    /// its configuration gives by now.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub alias: Option<String>,
    /// Operators simulated everything that opened the breaker in this incident: nothing was wrong with the service.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_drill: bool,
    /// On a resolution: the trip was a false one, because its first probes were all good; how long it was open and half-open.
    #[cfg_attr(feature = "serde", serde(default))]
    pub passed_after: Option<Duration>,
    /// Which part of a fleet it is about; `None` where the process is in no fleet.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub fleet: Option<FleetPart>,
    /// It tests the path to people, and is about no incident; see [`Alert::test`].
    #[cfg_attr(feature = "serde", serde(skip))]
    pub is_test: bool,
    /// How to page people. `None` until an adapter says so; never saved.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub page: Option<Page>,
}

/// The stages of one incident's alert that a sink was sent before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct DeliveryHistory {
    /// [`Stage::Single`] or [`Stage::Initial`].
    pub created: DeliveryStatus,
    /// [`Stage::Escalated`].
    pub escalated: DeliveryStatus,
}

/// Whether something that was sent has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum DeliveryStatus {
    /// It was never sent.
    #[default]
    #[cfg_attr(feature = "serde", serde(rename = "never"))]
    NotSent,
    /// It was sent at least once, and no answer confirmed it.
    #[cfg_attr(feature = "serde", serde(rename = "perhaps"))]
    Unconfirmed,
    /// The sink took it.
    Confirmed,
}

/// How to page people: what a stage means to those on call.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The same for all that belongs to one alert, and for no other.
    pub alias: String,
    /// How urgent.
    pub priority: Priority,
    /// The action.
    pub action: PageAction,
}

impl Page {
    /// A page.
    pub const fn new(alias: String, priority: Priority, action: PageAction) -> Self {
        Self { alias, priority, action }
    }
}

/// The action for an alert at the paging service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PageAction {
    /// Open it.
    Create,
    /// Note that it stays, and raise its priority.
    Escalate,
    /// Close it.
    Close,
    /// Add a note to it, and change nothing else.
    Note,
}

/// How urgent an alert is; P1 is the most urgent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Priority {
    /// Critical.
    P1,
    /// High.
    P2,
    /// Moderate.
    #[default]
    P3,
    /// Low.
    P4,
    /// Informational.
    P5,
}

impl Priority {
    /// All of them, most urgent first.
    pub const ALL: [Self; 5] = [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5];

    /// Every word that [`from_word`](Self::from_word) takes.
    pub const WORDS: &'static [&'static str] = &["P1", "P2", "P3", "P4", "P5"];

    /// The priority that `word` names; `None` for any word not in [`WORDS`](Self::WORDS).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == word)
    }

    /// 1 (most urgent) to 5.
    pub const fn rank(self) -> u8 {
        match self {
            Self::P1 => 1,
            Self::P2 => 2,
            Self::P3 => 3,
            Self::P4 => 4,
            Self::P5 => 5,
        }
    }

    /// `"P1"` to `"P5"`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
            Self::P5 => "P5",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The figures of a breaker at the moment of an alert.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The state.
    pub state: StateKind,
    /// Why it opened last.
    pub trip_reason: Option<TripReason>,
    /// Calls that hung when it opened last: they counted as slow, though their latencies are not in the percentile.
    pub stalled_at_trip: u16,
    /// Why it is open, with the evidence; `None` while it is not. A drill is marked there.
    #[cfg_attr(feature = "serde", serde(default))]
    pub explanation: Option<TripExplanation>,
    /// The exact percentile of the window; `None` while it is empty.
    pub percentile: Option<Latency>,
    /// The threshold.
    pub threshold: Latency,
    /// Which way the latencies go.
    pub trend: Trend,
    /// The last memory reading.
    pub memory: Option<MemorySample>,
    /// The level of that reading, e.g. `"memory.max of /kubepods/pod1"`; `None` where the source names none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub memory_level: Option<String>,
    /// How long a first trip keeps it open before it is tried again.
    pub wait_time: Duration,
}

/// Something that can bring an alert to people. Retries, order and time-outs between attempts are the dispatcher's.
#[async_trait]
pub trait AlertSink: fmt::Debug + Send + Sync {
    /// A short name for logs and metrics, e.g. `"log"`.
    fn name(&self) -> &str;

    /// The name under which this sink opens `alert`, by its configuration as it is now; `None` for sinks without names. Called
    /// once for an incident and kind, before the first attempt; later attempts get the name back as [`Alert::alias`], also after
    /// a restart. It must return at once.
    fn alias(&self, _alert: &Alert) -> Option<String> {
        None
    }

    /// Whether an alert stays open at the other side until it is closed; the log of a stop names those that do. False for sinks
    /// that only write, and for those that are switched off.
    fn keeps_open(&self) -> bool {
        true
    }

    /// Delivers one alert, in one attempt. It may take its time, but must end. The future may be dropped at any await, when
    /// the process stops: the alert then counts as not delivered, though it may have arrived.
    ///
    /// # Errors
    /// [`DeliveryError`] says whether another attempt makes sense.
    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError>;
}

/// An alert was not delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryError {
    /// Another attempt makes sense.
    Retryable {
        /// Not before this time has passed, if the other side said so.
        after: Option<Duration>,
        /// Why, without secrets.
        reason: String,
    },
    /// It was taken, but whether it took effect is not known yet: ask again after this time. No failure.
    Pending {
        /// How long to wait.
        after: Duration,
    },
    /// The other side rejects it, and will until something is changed there or in the configuration. The dispatcher tries again
    /// at a slow pace until the incident ends, and [`DeliveryStats::rejections`](crate::DeliveryStats::rejections) shows it.
    Rejected {
        /// The status of the answer, where there was one.
        status: Option<u16>,
        /// Why, without secrets.
        reason: String,
    },
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retryable { reason, .. } => write!(f, "not delivered, will be tried again: {reason}"),
            Self::Pending { .. } => f.write_str("accepted, not confirmed yet"),
            Self::Rejected { reason, .. } => write!(f, "rejected, will be tried again slowly: {reason}"),
        }
    }
}

impl std::error::Error for DeliveryError {}
