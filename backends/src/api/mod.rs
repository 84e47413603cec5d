//! The management API over HTTP, and a server for it on smol.
//!
//! [`router`] is an axum router that any server can serve; [`serve`] serves it on smol, with limits. Bodies are JSON in and
//! out. An error is always `{"error": "…"}`, with `field` and `allowed` where a value was rejected:
//!
//! | status | when |
//! |---|---|
//! | 400 | a bad value, or no JSON |
//! | 401 | the bearer token is missing or another one, where there is one |
//! | 403 | a foreign `Host`, or a POST from a foreign page, see below |
//! | 404, 405 | no such route or breaker; another method (`Allow` names the right ones) |
//! | 408 | the request body arrived too slowly |
//! | 409 | the breaker's state, the other settings or the configuration file do not allow it |
//! | 413, 415 | a body of more than 64 KiB; a body that is not `application/json` |
//! | 422 | no JSON object; a field that is missing or of another type; a field that is not known is ignored |
//!
//! `/breakers` lists all breakers, and `/breakers/{name}/…` has every route of `/breaker/…` for one of them. Under `/breaker` the
//! routes are about the first one, which the header `x-tripline-breaker` of the answer names.
//!
//! A POST that changes a setting answers with what GET gives, and with `saved`: whether it stands in the configuration file of
//! [`ApiState::live`] now, and if not with a `reason`. It is in force in any case. Every change is logged with the old value,
//! the new one, and the address of the client.
//!
//! `/openapi.json` describes every route, made from the declarations that the routes are made from.
//!
//! What is not HTTP at all, or too large a head, never gets as far as a route: see [`serve`].
//!
//! A request with a valid bearer token is taken as it is. Any other is rejected with 403 where its `Host` is not a name of this
//! server (while it listens on loopback, or where [`ApiState::allowed_hosts`] are set: a loopback name, the address that it
//! listens on, or one of those hosts), or where it changes something and its `Origin` is not that host. `/health` and `/ready`
//! answer under any `Host` and need no token.
//!
//! Units: milliseconds are whole and rounded down (percentiles may have a fraction), `_mb` is MiB, whole and rounded down,
//! and percent run from 0 to 100. What is not known is null, never a reassuring number.

// What utoipa's macros write names types by longer paths than they need.
#[allow(unused_qualifications)]
mod breaker_row;
mod change;
#[allow(unused_qualifications)]
mod dashboard;
mod decision;
pub(crate) mod error;
#[allow(unused_qualifications)]
pub(crate) mod events;
mod explanation;
mod followed_log;
mod guard;
mod hosts;
pub(crate) mod input;
mod json;
mod named;
mod openapi;
mod payload;
mod units;
// What utoipa's macros write names types by longer paths than they need.
#[allow(unused_qualifications)]
mod routes;
mod scope;
mod setting_body;
mod setting_json;
mod setting_schema;
mod spawner;
mod state;
mod status;
mod token;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef as _};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use http::HeaderValue;
use http::header::X_CONTENT_TYPE_OPTIONS;
use utoipa_axum::router::OpenApiRouter;

pub use crate::alerts::{AlertsView, PendingAlert};
use crate::circuit::Circuits;

pub use crate::circuit::EventLog;
pub use crate::http_server::{
    BodyTooSlow, ClientAddr, Served, ServerLimits, TrustedRequests, listen, serve, serve_with,
};
pub use decision::DecisionStatus;
pub use error::ApiError;
pub use explanation::TripEvidence;
pub use hosts::{AllowedHost, InvalidHost};
pub use input::{FromPayload, ValidJson};
pub use json::ApiJson;
pub use openapi::PostErrors;
pub use payload::{MAX_BODY_BYTES, Payload};
pub use spawner::{BoxFuture, Spawner};
pub use state::{ApiState, DrainFlag, DroppedLinesReader, MetricsReader, ResidentReader};
pub use status::Status;
pub use token::{Token, TokenMissing, TokenTooShort};

/// The API.
///
/// ```
/// use std::sync::Arc;
/// use tower::ServiceExt;
/// use tripline_backends::api::{ApiState, router};
/// use tripline_backends::circuit::Circuit;
/// use tripline_runtime::{Breaker, test_util::ManualClock};
///
/// let circuit = Circuit::new(Breaker::builder(Arc::new(ManualClock::default())).build()?);
/// let api = router(ApiState::new(circuit, ([127, 0, 0, 1], 8080).into()))?;
///
/// let request = http::Request::get("/breaker/enabled").body(axum::body::Body::empty())?;
/// let response = futures_lite::future::block_on(api.oneshot(request))?;
/// assert_eq!(response.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`TokenMissing`] where the server listens beyond loopback with neither [`ApiState::token`] nor [`ApiState::without_token`].
pub fn router(state: ApiState) -> Result<Router, TokenMissing> {
    router_with(state, Router::new())
}

/// The API beside routes of your own, under the same guard and limits, with the same answers to unknown routes and methods.
/// They do not stand in `/openapi.json`; see [`router_with_documented`].
///
/// # Errors
/// As [`router`].
///
/// # Panics
/// Where a route of `own` is one of the API's too, as [`Router::merge`] does.
pub fn router_with(state: ApiState, own: Router) -> Result<Router, TokenMissing> {
    router_with_documented(state, OpenApiRouter::from(own))
}

/// As [`router_with`]; what `own` says of its routes stands in `/openapi.json`.
///
/// # Errors
/// As [`router`].
///
/// # Panics
/// Where a route of `own` is one of the API's too, as [`Router::merge`] does.
pub fn router_with_documented(state: ApiState, own: OpenApiRouter) -> Result<Router, TokenMissing> {
    state.check_token()?;
    state.start_recording();
    let documented = OpenApiRouter::with_openapi(openapi::outline())
        .merge(routes::all())
        .merge(events::router())
        .with_state(state.clone())
        .merge(dashboard::router())
        .merge(own);
    let router = openapi::with_document(documented, state.required_token().is_some())
        .fallback(routes::not_found)
        .method_not_allowed_fallback(routes::method_not_allowed);
    let router = named::with_named(router)
        .layer(from_fn_with_state(Circuits::from_ref(&state), named::say_first))
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(state.clone(), guard::reject_foreign))
        .layer(from_fn_with_state(state, guard::require_token))
        .layer(map_response(no_sniffing));
    Ok(router)
}

/// Browsers must not guess another media type.
async fn no_sniffing(mut response: Response) -> Response {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}
