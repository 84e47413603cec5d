//! The fleet.

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use tripline_runtime::{FleetBreaker, FleetStatus};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::error::ApiError;
use crate::api::json::ApiJson;
use crate::api::openapi::FleetErrors;
use crate::api::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(fleet))
}

/// The fleet as this replica sees it.
#[derive(Serialize, ToSchema)]
struct FleetBody {
    /// The name of this replica.
    replica: String,
    /// The engine answered the last call.
    up: bool,
    /// Why it did not; null while it does.
    #[schema(required)]
    error: Option<String>,
    /// This replica pages alone, because the engine is out of reach.
    alone: bool,
    /// The replicas of the fleet.
    members: u32,
    /// Stages that this replica sent, or tried to send, for all.
    claims: u64,
    /// How often this replica began to page alone.
    fallbacks: u64,
    /// Its breakers, by name.
    breakers: Vec<FleetBreakerBody>,
}

/// The incident of one breaker in the fleet.
#[derive(Serialize, ToSchema)]
struct FleetBreakerBody {
    /// The breaker.
    name: String,
    /// As in alerts: `37 of 1,000 replicas open, first: web-17`.
    summary: String,
    /// Replicas whose breaker is not closed; 0 where there is no incident.
    open: u32,
    /// Replicas whose incident runs.
    unwell: u32,
    /// The host that was unwell first; null where there is no incident, or it is not known.
    #[schema(required)]
    first: Option<String>,
    /// `pending`, `initial`, `escalated` or `resolved`; null where there is no incident.
    #[schema(required)]
    stage: Option<&'static str>,
    /// For how long the incident has been on, in seconds; null where there is none.
    #[schema(required)]
    age_seconds: Option<u64>,
}

/// The fleet as this replica sees it: whether its engine is reached, its members and the incidents of its breakers.
#[utoipa::path(get, path = "/fleet", tag = "process",
    responses((status = 200, description = "The fleet.", body = FleetBody),
        FleetErrors))]
async fn fleet(State(api): State<ApiState>) -> Answer<FleetBody> {
    let status = api.fleet_status();
    let none = || ApiError::new(StatusCode::CONFLICT, "this process is in no fleet; see [fleet] in the configuration");
    let status = status.ok_or_else(none)?;
    let breakers = status.breakers.iter().map(|breaker| of_breaker(&status, breaker)).collect();
    let FleetStatus { replica, is_up, error, is_alone, members, claims, fallbacks, .. } = status;
    Ok(ApiJson(FleetBody { replica, up: is_up, error, alone: is_alone, members, claims, fallbacks, breakers }))
}

fn of_breaker(status: &FleetStatus, breaker: &FleetBreaker) -> FleetBreakerBody {
    FleetBreakerBody {
        name: breaker.name.to_string(),
        summary: status.summary(breaker),
        open: breaker.open,
        unwell: breaker.unwell,
        first: breaker.first.clone(),
        stage: breaker.stage,
        age_seconds: breaker.age.map(|age| age.as_secs()),
    }
}
