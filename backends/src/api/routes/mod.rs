//! The routes, one file per subject.

mod alerts;
mod answer;
mod breakers;
mod fleet;
mod keys;
mod latency;
mod memory;
mod operate;
mod opsgenie;
mod page;
mod settings;
mod single_settings;
mod watch;

use axum::extract::OriginalUri;
use axum::response::{IntoResponse, Response};
use http::{Method, StatusCode, Uri};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::ApiError;
use super::openapi;
use super::state::ApiState;

/// All routes.
pub(super) fn all() -> OpenApiRouter<ApiState> {
    OpenApiRouter::new()
        .merge(watch::routes())
        .merge(breakers::routes())
        .merge(fleet::routes())
        .merge(keys::routes())
        .merge(operate::routes())
        .merge(settings::routes())
        .merge(single_settings::routes())
        .merge(memory::routes())
        .merge(latency::routes())
        .merge(alerts::routes())
        .merge(opsgenie::routes())
        .routes(routes!(openapi::openapi))
}

pub(super) async fn not_found(OriginalUri(uri): OriginalUri) -> Response {
    ApiError::new(StatusCode::NOT_FOUND, format!("there is no {}", shown(&uri))).into_response()
}

pub(super) async fn method_not_allowed(method: Method, OriginalUri(uri): OriginalUri) -> Response {
    // The router adds `Allow`.
    ApiError::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} does not take {method}", shown(&uri))).into_response()
}

/// At most this many characters of a path are sent back.
const SHOWN_CHARACTERS: usize = 100;

fn shown(uri: &Uri) -> String {
    let mut characters = uri.path().chars();
    let mut shown: String = characters.by_ref().take(SHOWN_CHARACTERS).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
}
