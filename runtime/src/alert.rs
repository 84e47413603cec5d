//! What people are told, and how it reaches them.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use tripline_core::{IncidentCause, IncidentEnd, Latency, MemorySample, StateKind, Trend, TripReason};

use crate::name::BreakerName;

/// One message about one incident of one breaker.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Alert {
    /// Whose incident.
    pub breaker: BreakerName,
    /// The number of the incident since the process started, from 1.
    pub incident: u64,
    /// How far it has come.
    pub stage: Stage,
    /// What began it.
    pub cause: IncidentCause,
    /// The time of day.
    pub at: SystemTime,
    /// What the breaker looked like.
    pub snapshot: Snapshot,
}

/// How far an incident has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// It has begun.
    Initial,
    /// It is over.
    Resolved(IncidentEnd),
}

impl Stage {
    /// The name as it stands in logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initial => "initial",
            Self::Resolved(_) => "resolved",
        }
    }
}

/// The figures of a breaker at the moment of an alert.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The state.
    pub state: StateKind,
    /// Why it opened last.
    pub trip_reason: Option<TripReason>,
    /// Calls that hung when it opened last: they counted as slow, though their latencies are not in the percentile.
    pub stalled_at_trip: u16,
    /// The exact percentile of the window; `None` while it is empty.
    pub percentile: Option<Latency>,
    /// The threshold.
    pub threshold: Latency,
    /// Which way the latencies go.
    pub trend: Trend,
    /// The last memory reading.
    pub memory: Option<MemorySample>,
}

/// Something that can bring an alert to people. Retries, order and time-outs between attempts are the dispatcher's.
#[async_trait]
pub trait AlertSink: fmt::Debug + Send + Sync {
    /// A short name for logs and metrics, e.g. `"log"`.
    fn name(&self) -> &str;

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
    /// It would fail every time.
    Permanent {
        /// Why, without secrets.
        reason: String,
    },
}

impl fmt::Display for DeliveryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retryable { reason, .. } => write!(f, "not delivered, will be tried again: {reason}"),
            Self::Permanent { reason } => write!(f, "cannot be delivered: {reason}"),
        }
    }
}

impl std::error::Error for DeliveryError {}
