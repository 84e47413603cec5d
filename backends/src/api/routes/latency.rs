//! Latency figures.

use std::collections::BTreeMap;

use axum::extract::Query;
use serde::Serialize;
use tripline_runtime::core::Latency;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::error::ApiError;
use crate::api::json::ApiJson;
use crate::api::openapi::QueryErrors;
use crate::api::scope::CircuitScope;
use crate::api::state::ApiState;
use crate::api::units::MAX_LATENCY_MS;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new().routes(routes!(latencies_above_threshold))
}

/// The latencies in the window above a threshold, oldest first.
#[derive(Serialize, ToSchema)]
struct Latencies {
    /// In whole milliseconds.
    latencies: Vec<u32>,
}

/// The parameters of the query.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "the query is read by hand, so that a bad value is answered like any other")]
struct Above {
    /// In whole milliseconds; the configured threshold where it is left out.
    #[param(minimum = 0, maximum = 4_294_967, required = false)]
    threshold: u32,
}

/// The latencies in the window above a threshold, oldest first.
#[utoipa::path(get, path = "/breaker/latencies-above-threshold", tag = "figures", params(Above),
    responses((status = 200, description = "The latencies.", body = Latencies), QueryErrors))]
async fn latencies_above_threshold(
    scope: CircuitScope,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer<Latencies> {
    let breaker = scope.breaker();
    let threshold = match query.get("threshold") {
        Some(text) => latency(text)?,
        None => breaker.read(|core| core.policy().latency_threshold),
    };
    let latencies = breaker.latencies_above(threshold).into_iter().map(Latency::as_millis).collect();
    Ok(ApiJson(Latencies { latencies }))
}

fn latency(text: &str) -> Result<Latency, ApiError> {
    match text.parse::<u32>() {
        Ok(millis) if millis <= MAX_LATENCY_MS => Ok(Latency::from_millis(millis)),
        _ => {
            let found: String = text.chars().take(40).collect();
            let allowed = format!("0 to {MAX_LATENCY_MS} (milliseconds, whole)");
            Err(ApiError::bad_value("threshold", format_args!("{found:?}"), allowed))
        }
    }
}
