//! Alerts: what is pending.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::alerts::view::{AlertsView, PendingAlert};
use crate::api::json::ApiJson;
use crate::api::openapi::ReadErrors;
use crate::api::scope::CircuitScope;
use crate::api::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(staged_alerts))
}

/// Alerts in two stages, and those whose next stage is still to come.
#[derive(Serialize, ToSchema)]
struct StagedAlerts {
    /// Whether a second stage follows the first.
    enabled: bool,
    /// After how many seconds.
    time_before_alert: u32,
    /// `P1` to `P5`.
    initial_priority: &'static str,
    /// `P1` to `P5`.
    escalated_priority: &'static str,
    pending_alerts_count: usize,
    pending_alerts: Vec<PendingAlert>,
}

/// Alerts in two stages, and those whose next stage is still to come.
#[utoipa::path(get, path = "/breaker/staged-alerts", tag = "alerts",
    responses((status = 200, description = "The alerts.", body = StagedAlerts), ReadErrors))]
async fn staged_alerts(scope: CircuitScope) -> Answer<StagedAlerts> {
    let config = scope.config();
    let opsgenie = &config.opsgenie;
    let pending_alerts = scope.alerts().map(AlertsView::pending).unwrap_or_default();
    Ok(ApiJson(StagedAlerts {
        enabled: opsgenie.time_before_send_alert > 0,
        time_before_alert: opsgenie.time_before_send_alert,
        initial_priority: opsgenie.initial_alert_priority.as_str(),
        escalated_priority: opsgenie.escalated_alert_priority.as_str(),
        pending_alerts_count: pending_alerts.len(),
        pending_alerts,
    }))
}
