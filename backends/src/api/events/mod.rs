//! Events as they happen, as server-sent events: `GET /breaker/events` of one breaker, `GET /breakers/events` of all.
//!
//! | event of one breaker | data |
//! |---|---|
//! | `status` | the body of `/breaker/status` |
//! | `settings` | what can be changed, each under the name that its route's GET gives it |
//! | `counts` | calls by outcome, rejections and trips since the start |
//! | `transition`, `incident`, `false_trip`, `memory`, `alert` | what happened, with its number and time of day |
//!
//! | event of all breakers | data |
//! |---|---|
//! | `breakers` | the names of all, first and whenever a breaker comes or goes: `{"breakers": ["checkout", "search"]}` |
//! | `breaker` | the row of one breaker as in `GET /breakers`: first of all, then of those that changed |
//! | `transition`, `incident`, `false_trip`, `memory`, `alert` | as above, with the name in `breaker` |
//!
//! A new reader gets all of it, and then changes: events at once, figures twice a second while they change (those of all breakers
//! every two seconds, and with every event), all together at most ten times a second, and a comment where nothing has changed for
//! five seconds. Events have an id; a reader that reconnects with it as `Last-Event-ID` gets the events since, as far as they are
//! kept: the last 200 of a breaker, the last 1,000 of all.
//!
//! Nothing waits for a reader. One that takes nothing misses the figures in between, and [`serve`](super::serve) drops it
//! after its `write_timeout`. When 32 read already, the one that began first gives way to a new one, if it has read for ten
//! seconds; else the new one is answered with 429. The stream ends when that server drains.

mod history;
mod overview;
mod places;
mod publisher;
mod publishers;
mod rows;
mod settings;
mod subscriber;

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::ApiError;
use super::json::ApiJson;
use super::openapi::ReadErrors;
use super::scope::{CircuitScope, LiveHandle};
use crate::circuit::Circuits;
use crate::http_server::EVENT_STREAM;
use history::HistoryView;
use overview::Overview;
use places::{MAX_READERS, SubscriberSlot};
use subscriber::{Source, Subscriber};

pub(super) use publishers::Publishers;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The routes, for a router whose state gives [`Circuits`], [`LiveHandle`] and [`Publishers`].
pub(super) fn router<S>() -> OpenApiRouter<S>
where
    S: Clone + Send + Sync + 'static,
    Circuits: FromRef<S>,
    LiveHandle: FromRef<S>,
    Publishers: FromRef<S>,
{
    OpenApiRouter::new().routes(routes!(events)).routes(routes!(history)).routes(routes!(all_events))
}

/// The percentile and the threshold of the last six hours, every ten seconds; for charts.
#[utoipa::path(get, path = "/breaker/history", tag = "figures",
    responses((status = 200, description = "The readings.", body = HistoryView), ReadErrors))]
async fn history(scope: CircuitScope, State(publishers): State<Publishers>) -> ApiJson<HistoryView> {
    ApiJson(publishers.of(scope.circuit(), scope.live()).history().view())
}

/// Streams the events of the breaker: an answer that does not end.
#[utoipa::path(get, path = "/breaker/events", tag = "figures",
    responses(
        (status = 200, description = "Server-sent events: `status`, `settings`, `counts`, `memory`, `transition`, `incident`, `alert`.",
            body = String, content_type = "text/event-stream"),
        (status = 429, description = "There are too many readers.", body = ApiError),
        ReadErrors))]
async fn events(
    scope: CircuitScope,
    State(publishers): State<Publishers>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let publisher = publishers.of(scope.circuit(), scope.live());
    let place = publisher.enter();
    Ok(stream(publisher, place, &headers))
}

/// Streams the events of all breakers: an answer that does not end.
#[utoipa::path(get, path = "/breakers/events", tag = "figures",
    responses(
        (status = 200, description = "Server-sent events: `breakers`, `breaker`, `memory`, `transition`, `incident`, `alert`, each with its breaker.",
            body = String, content_type = "text/event-stream"),
        (status = 429, description = "There are too many readers.", body = ApiError)))]
async fn all_events(
    State(circuits): State<Circuits>,
    State(live): State<LiveHandle>,
    State(publishers): State<Publishers>,
    headers: HeaderMap,
) -> Response {
    let place = publishers.rows().enter();
    stream(Arc::new(Overview::new(circuits, live, publishers)), place, &headers)
}

/// The events of `source` for the reader who has `place`.
fn stream<S: Source>(source: Arc<S>, place: Option<SubscriberSlot>, headers: &HeaderMap) -> Response {
    let Some(place) = place else { return too_many() };
    let last_seen = headers.get(LAST_EVENT_ID).and_then(|id| id.to_str().ok());
    let body = Body::from_stream(Subscriber::new(source, place, last_seen).into_stream());
    // A proxy that collects an answer before it passes it on would never pass this one on.
    let unbuffered = HeaderName::from_static("x-accel-buffering");
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (unbuffered, HeaderValue::from_static("no")),
    ];
    (headers, body).into_response()
}

fn too_many() -> Response {
    let error = ApiError::new(StatusCode::TOO_MANY_REQUESTS, "too many read the events already")
        .field("readers", format!("at most {MAX_READERS} at a time"));
    let mut response = error.into_response();
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("10"));
    response
}
