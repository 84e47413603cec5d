//! What operators do.

use axum::Router;
use axum::extract::State;
use axum::routing::{get, post};
use serde::Serialize;

use super::Answer;
use crate::http::error::ApiError;
use crate::http::json::ApiJson;
use crate::http::payload::Payload;
use crate::http::state::ApiState;

pub(super) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/breaker/enabled", get(enabled).post(enable))
        .route("/breaker/disabled", post(disable))
        .route("/breaker/reset", post(reset))
}

#[derive(Serialize)]
struct Enabled {
    enabled: bool,
}

/// What GET gives, and whether it stands in the configuration file now.
#[derive(Serialize)]
struct Changed<T> {
    #[serde(flatten)]
    body: T,
    saved: bool,
    reason: &'static str,
}

impl<T> Changed<T> {
    fn live(body: T) -> Self {
        Self { body, saved: false, reason: "this holds until the restart: the configuration file is not changed" }
    }
}

async fn enabled(State(api): State<ApiState>) -> Answer<Enabled> {
    Ok(ApiJson(Enabled { enabled: api.breaker()?.enabled() }))
}

/// Enables; what GET gave can be sent back, also where that is false.
async fn enable(State(api): State<ApiState>, payload: Payload) -> Answer<Changed<Enabled>> {
    set_enabled(&api, payload.flag("enabled")?.unwrap_or(true))
}

async fn disable(State(api): State<ApiState>, payload: Payload) -> Answer<Changed<Enabled>> {
    match payload.flag("enabled")? {
        None | Some(false) => set_enabled(&api, false),
        Some(true) => Err(ApiError::bad_value("enabled", true, "false, or no body; /breaker/enabled enables")),
    }
}

fn set_enabled(api: &ApiState, on: bool) -> Answer<Changed<Enabled>> {
    let breaker = api.breaker()?;
    if on {
        breaker.enable();
    } else {
        breaker.disable();
    }
    Ok(ApiJson(Changed::live(Enabled { enabled: breaker.enabled() })))
}

#[derive(Serialize)]
struct Reset {
    state: &'static str,
    triggered: bool,
}

/// Only where it is confirmed: a reset admits all calls at once.
async fn reset(State(api): State<ApiState>, payload: Payload) -> Answer<Reset> {
    match payload.flag("confirm")? {
        Some(true) => {}
        Some(false) => return Err(ApiError::bad_value("confirm", false, "true")),
        None => return Err(ApiError::bad_value("confirm", "missing", "true")),
    }
    let breaker = api.breaker()?;
    breaker.reset();
    let state = breaker.read(|core| core.state().kind().as_str());
    Ok(ApiJson(Reset { state, triggered: breaker.triggered() }))
}
