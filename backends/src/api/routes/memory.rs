//! Memory figures.

use serde::Serialize;
use tripline_runtime::core::{Breaker, MemorySample};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::json::ApiJson;
use crate::api::openapi::ReadErrors;
use crate::api::scope::CircuitScope;
use crate::api::state::ApiState;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(memory_usage)).routes(routes!(memory_limit))
}

/// Memory in use.
#[derive(Serialize, ToSchema)]
struct Usage {
    /// In bytes; null where it is unknown.
    #[schema(required)]
    memory_usage: Option<u64>,
}

/// Memory that may be used.
#[derive(Serialize, ToSchema)]
struct Limit {
    /// In bytes; null where it is unknown, or there is none.
    #[schema(required)]
    memory_limit: Option<u64>,
}

/// Memory in use.
#[utoipa::path(get, path = "/breaker/memory-usage", tag = "figures",
    responses((status = 200, description = "The last reading.", body = Usage), ReadErrors))]
async fn memory_usage(scope: CircuitScope) -> Answer<Usage> {
    Ok(ApiJson(Usage { memory_usage: sample(&scope).map(|sample| sample.used) }))
}

/// Memory that may be used.
#[utoipa::path(get, path = "/breaker/memory-limit", tag = "figures",
    responses((status = 200, description = "The last reading.", body = Limit), ReadErrors))]
async fn memory_limit(scope: CircuitScope) -> Answer<Limit> {
    Ok(ApiJson(Limit { memory_limit: sample(&scope).and_then(|sample| sample.limit) }))
}

/// The last reading; it may be known while the limit is not.
fn sample(scope: &CircuitScope) -> Option<MemorySample> {
    scope.breaker().read(Breaker::memory_sample)
}
