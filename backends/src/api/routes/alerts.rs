//! Alerts: what is pending.

use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::alerts::{AlertsView, PendingAlert, TestedSink};
use crate::api::json::ApiJson;
use crate::api::openapi::{PostErrors, ReadErrors};
use crate::api::payload::Payload;
use crate::api::scope::CircuitScope;
use crate::api::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(staged_alerts)).routes(routes!(test_page))
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
    /// Why the last request to the alert service failed; null where it did not.
    #[schema(required)]
    last_error: Option<String>,
    /// The current rejections of the sinks, such as `pager rejects: 403 (…)`.
    rejections: Vec<String>,
    pending_alerts_count: usize,
    pending_alerts: Vec<PendingAlert>,
}

/// Alerts in two stages, and those whose next stage is still to come.
#[utoipa::path(get, path = "/breaker/staged-alerts", tag = "alerts",
    responses((status = 200, description = "The alerts.", body = StagedAlerts), ReadErrors))]
async fn staged_alerts(scope: CircuitScope) -> Answer<StagedAlerts> {
    let config = scope.config();
    let opsgenie = &config.opsgenie;
    let mut pending_alerts = scope.alerts().map(AlertsView::pending).unwrap_or_default();
    if scope.is_member() {
        // Those of its own incident, and of the one that the family has together.
        let own = scope.breaker().key();
        pending_alerts.retain(|pending| pending.key.is_none() || pending.key.as_deref() == own);
    }
    let rejections = scope.live().rejections();
    Ok(ApiJson(StagedAlerts {
        enabled: opsgenie.time_before_send_alert > 0,
        time_before_alert: opsgenie.time_before_send_alert,
        initial_priority: opsgenie.initial_alert_priority.as_str(),
        escalated_priority: opsgenie.escalated_alert_priority.as_str(),
        last_error: scope.alerts().and_then(AlertsView::last_error),
        rejections: rejections.iter().map(ToString::to_string).collect(),
        pending_alerts_count: pending_alerts.len(),
        pending_alerts,
    }))
}

/// The result of a test page at each pager that is on.
#[derive(Serialize, ToSchema)]
struct TestPage {
    /// There is a pager, and each has opened and closed the page.
    delivered: bool,
    sinks: Vec<TestedSink>,
}

/// Opens a test page at every pager that is on, and closes it.
#[utoipa::path(post, path = "/breaker/alerts/test", tag = "alerts",
    responses((status = 200, description = "The result of each pager.", body = TestPage), PostErrors))]
async fn test_page(scope: CircuitScope, _: Payload) -> Answer<TestPage> {
    let sinks = match scope.alerts() {
        Some(alerts) => alerts.test_page(scope.breaker()).await,
        None => Vec::new(),
    };
    let delivered = !sinks.is_empty() && sinks.iter().all(|sink| sink.delivered);
    Ok(ApiJson(TestPage { delivered, sinks }))
}
