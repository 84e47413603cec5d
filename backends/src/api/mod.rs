//! The management API over HTTP, and a server for it on smol.
//!
//! [`router`] is an axum router that any server can serve; [`serve`] serves it on smol, with limits. Bodies are JSON in and
//! out. An error is always `{"error": "…"}`, with `field` and `allowed` where a value was refused:
//!
//! | status | when |
//! |---|---|
//! | 400 | a bad value, or no JSON |
//! | 401 | the bearer token is missing or another one, where there is one |
//! | 403 | a POST from a foreign page, see below |
//! | 404, 405 | no such route, or no breaker; another method (`Allow` names the right ones) |
//! | 408 | the body came too slowly |
//! | 409 | the breaker's state, the other settings or the configuration file do not allow it |
//! | 413, 415 | a body of more than 64 KiB; a body that is not `application/json` |
//! | 422 | no JSON object; a field that is missing or of another type; a field that is not known is ignored |
//!
//! A POST that changes a setting answers with what GET gives, and with `saved`: whether it stands in the configuration file of
//! [`ApiState::live`] now, and if not with a `reason`. It is in force in any case. Every change is logged with the old value,
//! the new one, and the address of the client.
//!
//! `/openapi.json` describes every route, made from the declarations that the routes are made from.
//!
//! What is not HTTP at all, or too large a head, never gets as far as a route: see [`serve`].
//!
//! Whatever changes something must not come from a web page of somebody else: a request other than GET and HEAD is refused
//! where its `Origin` is not the host that it is sent to, or, while the server listens on loopback, where its `Host` is
//! neither a loopback name nor the address that the server listens on.
//!
//! Units: milliseconds are whole and rounded down (percentiles may have a fraction), `_mb` is MiB, whole and rounded down,
//! and percent run from 0 to 100. What is not known is null, never a reassuring number.

mod alerts;
// What utoipa's macros write names types by longer paths than they need.
mod change;
#[allow(unused_qualifications)]
mod dashboard;
pub(crate) mod error;
#[allow(unused_qualifications)]
pub(crate) mod events;
mod guard;
pub(crate) mod input;
mod json;
mod openapi;
mod payload;
mod units;
// What utoipa's macros write names types by longer paths than they need.
#[allow(unused_qualifications)]
mod routes;
mod state;
mod status;
mod token;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use utoipa_axum::router::OpenApiRouter;

pub use crate::alerts::{AlertsView, PendingAlert};
pub use crate::http_server::{BodyTooSlow, Served, ServerLimits, serve};
pub use error::ApiError;
pub use events::EventLog;
pub use input::{ClientAddr, FromPayload, ValidJson};
pub use json::ApiJson;
pub use openapi::PostErrors;
pub use payload::Payload;
pub use state::{ApiState, ConfigError, ResidentReader};
pub use status::Status;
pub use token::{Token, TokenTooShort};

/// The largest body that is taken, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The API.
///
/// ```
/// use std::sync::Arc;
/// use tower::ServiceExt;
/// use tripline_backends::api::{ApiState, router};
/// use tripline_runtime::{Breaker, Registry, test_util::ManualClock};
///
/// let registry = Registry::new();
/// registry.add(Breaker::builder(Arc::new(ManualClock::default())).build()?)?;
/// let api = router(ApiState::new(registry, ([127, 0, 0, 1], 8080).into()));
///
/// let request = http::Request::get("/breaker/enabled").body(axum::body::Body::empty())?;
/// let response = futures_lite::future::block_on(api.oneshot(request))?;
/// assert_eq!(response.status(), 200);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn router(state: ApiState) -> Router {
    router_with(state, Router::new())
}

/// The API beside routes of your own, under the same guard and limits, with the same answers to unknown routes and methods.
/// They do not stand in `/openapi.json`; see [`router_with_documented`].
///
/// # Panics
/// Where a route of `own` is one of the API's too, as [`Router::merge`] does.
pub fn router_with(state: ApiState, own: Router) -> Router {
    router_with_documented(state, OpenApiRouter::from(own))
}

/// As [`router_with`]; what `own` says of its routes stands in `/openapi.json`.
///
/// # Panics
/// Where a route of `own` is one of the API's too, as [`Router::merge`] does.
pub fn router_with_documented(state: ApiState, own: OpenApiRouter) -> Router {
    let documented = OpenApiRouter::with_openapi(openapi::outline())
        .merge(routes::all())
        .with_state(state.clone())
        .merge(dashboard::router())
        .merge(events::router(&state))
        .merge(own);
    openapi::with_document(documented, state.required_token().is_some())
        .fallback(routes::not_found)
        .method_not_allowed_fallback(routes::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(state.clone(), token::require_token))
        .layer(from_fn_with_state(state, guard::refuse_foreign))
}
