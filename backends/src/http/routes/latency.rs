//! Latency figures.

use std::collections::BTreeMap;

use axum::Router;
use axum::extract::{Query, State};
use axum::routing::get;
use serde::Serialize;
use tripline_runtime::core::Latency;

use super::Answer;
use crate::http::error::ApiError;
use crate::http::json::ApiJson;
use crate::http::number::MOST_LATENCY_MS;
use crate::http::state::ApiState;

pub(super) fn routes() -> Router<ApiState> {
    Router::new().route("/breaker/latencies-above-threshold", get(above_threshold))
}

#[derive(Serialize)]
struct Latencies {
    latencies: Vec<u32>,
}

async fn above_threshold(
    State(api): State<ApiState>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Answer<Latencies> {
    let breaker = api.breaker()?;
    let threshold = match query.get("threshold") {
        Some(text) => latency(text)?,
        None => breaker.read(|core| core.policy().latency_threshold),
    };
    let latencies = breaker.latencies_above(threshold).into_iter().map(Latency::as_millis).collect();
    Ok(ApiJson(Latencies { latencies }))
}

fn latency(text: &str) -> Result<Latency, ApiError> {
    match text.parse::<u32>() {
        Ok(millis) if millis <= MOST_LATENCY_MS => Ok(Latency::from_millis(millis)),
        _ => {
            let found: String = text.chars().take(40).collect();
            let allowed = format!("0 to {MOST_LATENCY_MS} (milliseconds, whole)");
            Err(ApiError::bad_value("threshold", format_args!("{found:?}"), allowed))
        }
    }
}
