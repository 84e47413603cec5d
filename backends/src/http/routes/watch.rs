//! Looking: status, health, metrics.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::CONTENT_TYPE;
use serde::Serialize;

use super::Answer;
use crate::http::json::ApiJson;
use crate::http::state::ApiState;
use crate::http::status::Status;
use crate::metrics;

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/breaker/status", get(status)).route("/health", get(health)).route("/metrics", get(prometheus))
}

async fn status(State(api): State<ApiState>) -> Answer<Status> {
    Ok(ApiJson(Status::of(&api.breaker()?, &api)))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

/// The process lives, whatever the breakers do.
async fn health() -> ApiJson<Health> {
    ApiJson(Health { status: "ok" })
}

async fn prometheus(State(api): State<ApiState>) -> Response {
    let text = metrics::render(api.registry(), api.delivery_stats(), api.resident_bytes());
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}
