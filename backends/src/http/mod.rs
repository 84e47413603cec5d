//! The management API over HTTP, and a server for it on smol.
//!
//! [`router`] is an axum router that any server can serve; [`serve`] serves it on smol, with limits. Bodies are JSON in and
//! out. An error is always `{"error": "…"}`, with `field` and `allowed` where a value was refused:
//!
//! | status | when |
//! |---|---|
//! | 400 | a bad value, or no JSON |
//! | 403 | a POST from a foreign page, see below |
//! | 404, 405 | no such route, or no breaker; another method (`Allow` names the right ones) |
//! | 408 | the body came too slowly |
//! | 409 | the breaker's state does not allow it |
//! | 413, 415 | a body of more than 64 KiB; a body that is not `application/json` |
//! | 422 | no JSON object; a field that is missing or of another type; a field that is not known is ignored |
//!
//! What is not HTTP at all, or too large a head, never gets as far as a route: see [`serve`].
//!
//! Whatever changes something must not come from a web page of somebody else: a request other than GET and HEAD is refused
//! where its `Origin` is not the host that it is sent to, or, while the server listens on loopback, where its `Host` is
//! neither a loopback name nor the address that the server listens on.
//!
//! Units: milliseconds are whole and rounded down (percentiles may have a fraction), `_mb` is MiB, whole and rounded down,
//! and percent run from 0 to 100. What is not known is null, never a reassuring number.

mod dashboard;
mod error;
mod events;
mod guard;
mod json;
mod number;
mod payload;
mod routes;
mod server;
mod state;
mod status;
mod token;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;

pub use error::ApiError;
pub use events::Timeline;
pub use json::ApiJson;
pub use payload::Payload;
pub use server::{BodyTooSlow, Served, ServerLimits, serve};
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
/// use tripline_backends::http::{ApiState, router};
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
///
/// # Panics
/// Where a route of `own` is one of the API's too, as [`Router::merge`] does.
pub fn router_with(state: ApiState, own: Router) -> Router {
    routes::all()
        .with_state(state.clone())
        .merge(dashboard::router())
        .merge(events::router(&state))
        .merge(own)
        .fallback(routes::not_found)
        .method_not_allowed_fallback(routes::method_not_allowed)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(from_fn_with_state(state.clone(), token::require_token))
        .layer(from_fn_with_state(state, guard::refuse_foreign))
}
