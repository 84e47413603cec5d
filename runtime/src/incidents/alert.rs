//! Alerts, and the sinks that deliver them.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_core::{AlertKind, IncidentCause, Latency, MemorySample, Stage, StateKind, Trend, TripReason};

use crate::breaker::explanation::TripExplanation;
use crate::breaker::name::BreakerName;
use crate::fleet::part::FleetPart;

/// A message on one incident of one breaker.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Alert {
    /// The breaker of the incident.
    pub breaker: BreakerName,
    /// The number of the incident, from 1; the count continues over a restart if state is stored.
    pub incident: u64,
    /// The kind of alert within the incident.
    pub kind: AlertKind,
    /// The stage of the alert.
    pub stage: Stage,
    /// On a resolution: whether to state that the breaker was reset (`trigger_on_breaker_reset`).
    pub announce_reset: bool,
    /// The cause of the incident.
    pub cause: IncidentCause,
    /// The time of day at which the incident began.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub started_at: SystemTime,
    /// The time of day of this stage.
    #[cfg_attr(feature = "serde", serde(with = "crate::clock::serde_time"))]
    pub at: SystemTime,
    /// The state of the breaker.
    pub snapshot: Snapshot,
    /// The stages of this incident and kind that the sink was sent before. Set by the dispatcher before each attempt.
    pub earlier: DeliveryHistory,
    /// The alias under which the sink opened the alert of this incident and kind; `None` before the first attempt, and
    /// for sinks without aliases. Set by the dispatcher, which stores it over a restart. A sink uses it instead of the
    /// alias that its present configuration gives.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub alias: Option<String>,
    /// Whether operators simulated every trip of this incident: the service had no fault.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_drill: bool,
    /// On a resolution after a false trip (its first probes were all good): how long the breaker was open and
    /// half-open.
    #[cfg_attr(feature = "serde", serde(default))]
    pub passed_after: Option<Duration>,
    /// The part of a fleet that the alert describes; `None` outside of a fleet.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub fleet: Option<FleetPart>,
    /// Whether it tests the path to people, without an incident; see [`Alert::test`].
    #[cfg_attr(feature = "serde", serde(skip))]
    pub is_test: bool,
    /// Of a family's incident: how many of its members are open.
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub family: Option<FamilySummary>,
    /// The key of the member of a family whose own incident it is; `None` outside of families, and for the incident that the members have
    /// together. See [`SupervisedBreaker::per_key`](crate::SupervisedBreaker::per_key).
    #[cfg_attr(feature = "serde", serde(default, skip_serializing_if = "Option::is_none"))]
    pub key: Option<String>,
    /// How to page people. `None` until an adapter sets it; never saved.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub page: Option<Page>,
}

/// The members of a family at the moment of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FamilySummary {
    /// Members that are open, half-open or forced open.
    pub open: usize,
    /// Members that there are, the shared one not counted.
    pub keys: usize,
    /// The key of the one that the alert's figures are of: of those in an incident, the one that is open for longest.
    pub worst: String,
}

/// `12 of 430 keys open; worst: acme`
impl fmt::Display for FamilySummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} keys open; worst: {}", self.open, self.keys, self.worst)
    }
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

/// Whether an alert that was sent has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
pub enum DeliveryStatus {
    /// It was not sent.
    #[default]
    #[cfg_attr(feature = "serde", serde(rename = "never"))]
    NotSent,
    /// It was sent at least once, and no response confirmed it.
    #[cfg_attr(feature = "serde", serde(rename = "perhaps"))]
    Unconfirmed,
    /// The sink confirmed it.
    Confirmed,
}

/// How to page people: the action for a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page {
    /// The alias, the same for all messages of one alert and different for any other alert.
    pub alias: String,
    /// The priority.
    pub priority: Priority,
    /// The action.
    pub action: PageAction,
}

impl Page {
    /// Creates a page.
    pub const fn new(alias: String, priority: Priority, action: PageAction) -> Self {
        Self { alias, priority, action }
    }
}

/// The action at the paging service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PageAction {
    /// Open the alert.
    Create,
    /// Note that the incident lasts, and raise the priority.
    Escalate,
    /// Close the alert.
    Close,
    /// Add a note, and change nothing else.
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
    /// All priorities, most urgent first.
    pub const ALL: [Self; 5] = [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5];

    /// Every word that [`from_word`](Self::from_word) accepts.
    pub const WORDS: &'static [&'static str] = &["P1", "P2", "P3", "P4", "P5"];

    /// Returns the priority named `word`; `None` for any word not in [`WORDS`](Self::WORDS).
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.as_str() == word)
    }

    /// Returns 1 (most urgent) to 5.
    pub const fn rank(self) -> u8 {
        match self {
            Self::P1 => 1,
            Self::P2 => 2,
            Self::P3 => 3,
            Self::P4 => 4,
            Self::P5 => 5,
        }
    }

    /// Returns `"P1"` to `"P5"`.
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

/// The values of a breaker at the time of an alert.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Snapshot {
    /// The state.
    pub state: StateKind,
    /// The reason of the last trip.
    pub trip_reason: Option<TripReason>,
    /// Calls that were stalled at the last trip. They counted as slow; their latencies are not in the percentile.
    pub stalled_at_trip: u16,
    /// The explanation of an open breaker, with the evidence; `None` while it is not open. It marks a drill.
    #[cfg_attr(feature = "serde", serde(default))]
    pub explanation: Option<TripExplanation>,
    /// The exact percentile of the window; `None` while the window is empty.
    pub percentile: Option<Latency>,
    /// The latency threshold.
    pub threshold: Latency,
    /// The trend of the latencies.
    pub trend: Trend,
    /// The last memory reading.
    pub memory: Option<MemorySample>,
    /// The level of that reading, e.g. `"memory.max of /kubepods/pod1"`; `None` if the source names none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub memory_level: Option<String>,
    /// How long the breaker stays open after a first trip.
    pub wait_time: Duration,
}

/// A receiver of alerts. The dispatcher does the retries, the ordering and the waits between attempts.
#[async_trait]
pub trait AlertSink: fmt::Debug + Send + Sync {
    /// A short name for logs and metrics, e.g. `"log"`.
    fn name(&self) -> &str;

    /// Returns the alias under which this sink opens `alert`, by its present configuration; `None` for sinks without
    /// aliases. Called once for an incident and kind, before the first attempt. Later attempts pass the alias as
    /// [`Alert::alias`], also after a restart. Must return at once.
    fn alias(&self, _alert: &Alert) -> Option<String> {
        None
    }

    /// Whether an alert stays open at the receiver until it is closed. The log of a stop names those that do. False for
    /// sinks that only write, and for those that are switched off.
    fn keeps_open(&self) -> bool {
        true
    }

    /// Delivers one alert, in one attempt, which must end. The future may be dropped at any await when the process
    /// stops: the alert then counts as not delivered, although it may have arrived.
    ///
    /// # Errors
    /// [`DeliveryError`] states whether another attempt is useful.
    async fn deliver(&self, alert: &Alert) -> Result<(), DeliveryError>;
}

/// The error of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeliveryError {
    /// The attempt failed; another one may succeed.
    Retryable {
        /// Time to wait before the next attempt, if the receiver requested it.
        after: Option<Duration>,
        /// The reason, without secrets.
        reason: String,
    },
    /// The receiver accepted the alert, but has not confirmed it yet: query again after this time. Not a failure.
    Pending {
        /// The time to wait.
        after: Duration,
    },
    /// The receiver rejects the alert, and will do so until the receiver or the configuration changes. The dispatcher
    /// tries again at a slow rate until the incident ends, and
    /// [`DeliveryStats::rejections`](crate::DeliveryStats::rejections) shows it.
    Rejected {
        /// The HTTP status of the response, if there was one.
        status: Option<u16>,
        /// The reason, without secrets.
        reason: String,
    },
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retryable { reason, .. } => write!(f, "not delivered, will be retried: {reason}"),
            Self::Pending { .. } => f.write_str("accepted, not confirmed yet"),
            Self::Rejected { reason, .. } => write!(f, "rejected, will be retried at a slow rate: {reason}"),
        }
    }
}

impl std::error::Error for DeliveryError {}
