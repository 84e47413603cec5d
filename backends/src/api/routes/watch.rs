//! Reading: status, health, readiness, metrics.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::answer::Answer;
use crate::api::json::ApiJson;
use crate::api::openapi::ReadErrors;
use crate::api::scope::CircuitScope;
use crate::api::state::ApiState;
use crate::api::status::Status;
use crate::metrics;
use crate::reload::LiveConfig;

pub(super) fn routes() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(health))
        .routes(routes!(ready))
        .routes(routes!(prometheus))
}

/// Everything about the breaker at this moment.
#[utoipa::path(get, path = "/breaker/status", tag = "figures",
    responses((status = 200, description = "The status.", body = Status), ReadErrors))]
async fn status(scope: CircuitScope) -> Answer<Status> {
    let (circuit, live) = (scope.circuit(), scope.live());
    let status = Status::of(circuit, scope.config_error(), live.alert_problem(circuit));
    Ok(ApiJson(status.with_fleet(live.fleet_summary(circuit))))
}

#[derive(Serialize, ToSchema)]
struct Health {
    /// `ok`.
    status: &'static str,
}

/// The process is alive, regardless of the breakers.
#[utoipa::path(get, path = "/health", tag = "process",
    responses((status = 200, description = "It lives.", body = Health)))]
async fn health() -> ApiJson<Health> {
    ApiJson(Health { status: "ok" })
}

#[derive(Serialize, ToSchema)]
struct Ready {
    /// `ready` or `draining`.
    status: &'static str,
}

/// Whether the process accepts new requests, regardless of the breakers. 503 while it drains.
#[utoipa::path(get, path = "/ready", tag = "process",
    responses(
        (status = 200, description = "It takes requests.", body = Ready),
        (status = 503, description = "It drains.", body = Ready)))]
async fn ready(State(api): State<ApiState>) -> Response {
    if api.drain_flag().is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, ApiJson(Ready { status: "draining" })).into_response()
    } else {
        ApiJson(Ready { status: "ready" }).into_response()
    }
}

/// The metrics of all breakers, as Prometheus text.
#[utoipa::path(get, path = "/metrics", tag = "process",
    responses((status = 200, description = "Metrics.", body = String, content_type = "text/plain; version=0.0.4; charset=utf-8")))]
async fn prometheus(State(api): State<ApiState>) -> Response {
    let mut text = metrics::render(&api.circuits().breakers(), api.delivery_stats(), api.resident_bytes());
    text.push_str(&metrics::render_families(&api.circuits().families()));
    if let Some(lines) = api.dropped_lines() {
        text.push_str(&metrics::render_log(lines));
    }
    if let Some(fleet) = api.fleet_handle().map(tripline_runtime::Fleet::status) {
        text.push_str(&metrics::render_fleet(&fleet));
    }
    let followed = api.circuits().iter().filter_map(|one| Some((one.name().to_string(), one.followed_log()?)));
    let followed: Vec<_> = followed.collect();
    if !followed.is_empty() {
        text.push_str(&metrics::render_followed_logs(&followed));
    }
    if let Some(live) = api.live_config() {
        of_configuration(&mut text, live);
    }
    text.push_str(&api.rendered_metrics().unwrap_or_default());
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response()
}

fn of_configuration(text: &mut String, live: &LiveConfig) {
    let in_force = u8::from(live.config_error().is_none());
    let (reloads, errors) = (live.reloads(), live.reload_errors());
    // Writing into a String cannot fail.
    let _ = write!(
        text,
        "# HELP tripline_config_in_force Whether the configuration file is in force.\n\
         # TYPE tripline_config_in_force gauge\n\
         tripline_config_in_force {in_force}\n\
         # HELP tripline_config_reloads_total Number of changed configuration files that were applied.\n\
         # TYPE tripline_config_reloads_total counter\n\
         tripline_config_reloads_total {reloads}\n\
         # HELP tripline_config_reload_errors_total Number of changed configuration files with problems.\n\
         # TYPE tripline_config_reload_errors_total counter\n\
         tripline_config_reload_errors_total {errors}\n"
    );
}
