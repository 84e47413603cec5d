//! What the API asks of whoever sends alerts.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use utoipa::ToSchema;

/// Looks at the alerts of this process; it is asked on every status, so it should be quick.
pub trait AlertsView: Send + Sync {
    /// Whether alerts are being delivered to `OpsGenie` or its successor.
    fn initialized(&self) -> bool;

    /// The alerts of incidents that go on, and whose next stage is still to come.
    fn pending(&self) -> Vec<PendingAlert>;
}

/// An alert whose next stage is still to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PendingAlert {
    /// The number of the incident.
    pub incident: u64,
    /// What kind of alert, as in its alias: `circuit-open`, `memory-threshold` or `latency-threshold`.
    pub kind: String,
    /// Why the incident began.
    pub cause: String,
    /// The stage that was sent last; null where none was.
    #[schema(required)]
    pub stage: Option<String>,
    /// When the incident began, RFC 3339 in UTC.
    pub started_at: String,
    /// When the next stage is due, RFC 3339 in UTC; null where no time can be told.
    #[schema(required)]
    pub due_at: Option<String>,
}

/// A shared [`AlertsView`] that can be shown.
#[derive(Clone)]
pub(super) struct Alerts(pub(super) Arc<dyn AlertsView>);

impl fmt::Debug for Alerts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Alerts")
    }
}
