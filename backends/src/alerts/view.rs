//! The state of alerts, for the API and other observers.

use std::future::Future;
use std::pin::Pin;

use serde::Serialize;
use tripline_runtime::{Breaker, Stage};

use crate::text::rfc3339;

/// The state of the alerts of one breaker. Every status request reads it, so implementations must be fast.
pub trait AlertsView: Send + Sync {
    /// Whether the alert service has accepted a request with the configured key.
    fn initialized(&self) -> bool;

    /// Why the last request to the alert service failed; `None` if it succeeded.
    fn last_error(&self) -> Option<String> {
        None
    }

    /// The alerts of ongoing incidents whose next stage is still due.
    fn pending(&self) -> Vec<PendingAlert>;

    /// Opens a test page at every pager that is switched on and closes it. Returns the result of each pager; by default
    /// there are none.
    fn test_page<'a>(&'a self, breaker: &'a Breaker) -> Pin<Box<dyn Future<Output = Vec<TestedSink>> + Send + 'a>> {
        let _ = breaker;
        Box::pin(std::future::ready(Vec::new()))
    }
}

/// The result of a test page at one pager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct TestedSink {
    /// The sink's name, as in metrics.
    pub sink: String,
    /// Whether the page was opened and closed.
    pub delivered: bool,
    /// Why the page was not delivered, without secrets; null if it was.
    #[cfg_attr(feature = "api", schema(required))]
    pub error: Option<String>,
}

/// An alert whose next stage is still due. Times are RFC 3339 in UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct PendingAlert {
    /// The key of the member of a family whose own incident it is; left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// The number of the incident, from 1.
    pub incident: u64,
    /// The kind of the alert, as in its alias: `circuit-open`, `memory-threshold` or `latency-threshold`.
    pub kind: String,
    /// Why the incident began, as in the breaker's status.
    pub cause: String,
    /// The last stage that was sent; null if the first alert waits for the cooldown.
    #[cfg_attr(feature = "api", schema(required))]
    pub stage: Option<String>,
    /// When the incident began.
    pub started_at: String,
    /// When the next stage is due; null if that time has passed and the stage comes with the next breach.
    #[cfg_attr(feature = "api", schema(required))]
    pub due_at: Option<String>,
}

impl From<&tripline_runtime::PendingAlert> for PendingAlert {
    fn from(pending: &tripline_runtime::PendingAlert) -> Self {
        Self {
            key: pending.key.clone(),
            incident: pending.incident,
            kind: pending.kind.as_str().to_owned(),
            cause: pending.cause.as_str().to_owned(),
            stage: pending.stage.map(|stage: Stage| stage.as_str().to_owned()),
            started_at: rfc3339(pending.started_at),
            due_at: pending.due_at.map(rfc3339),
        }
    }
}
