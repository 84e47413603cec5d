//! Memory figures.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;
use tripline_runtime::core::{Breaker, MemorySample};

use super::Answer;
use crate::http::error::ApiError;
use crate::http::json::ApiJson;
use crate::http::state::ApiState;

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/breaker/memory-usage", get(usage)).route("/breaker/memory-limit", get(limit))
}

#[derive(Serialize)]
struct Usage {
    memory_usage: Option<u64>,
}

#[derive(Serialize)]
struct Limit {
    memory_limit: Option<u64>,
}

async fn usage(State(api): State<ApiState>) -> Answer<Usage> {
    Ok(ApiJson(Usage { memory_usage: sample(&api)?.map(|sample| sample.used) }))
}

async fn limit(State(api): State<ApiState>) -> Answer<Limit> {
    Ok(ApiJson(Limit { memory_limit: sample(&api)?.and_then(|sample| sample.limit) }))
}

/// The last reading; it may be known while the limit is not.
fn sample(api: &ApiState) -> Result<Option<MemorySample>, ApiError> {
    Ok(api.breaker()?.read(Breaker::memory_sample))
}
