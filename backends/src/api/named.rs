//! Every route under `/breaker` for each breaker by name: `/breakers/{name}/status` is `/breaker/status` of that breaker.

use std::convert::Infallible;

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::routing::any;
use http::{HeaderName, HeaderValue, StatusCode, Uri};
use tower_service::Service as _;

use super::error::ApiError;
use super::scope::{BreakerInPath, KeyInPath};
use crate::circuit::Circuits;

/// Which breaker an answer is about.
const BREAKER: HeaderName = HeaderName::from_static("x-tripline-breaker");
const PREFIX: &str = "/breakers/";

/// `router`, whose routes under `/breaker` are under `/breakers/{name}` too.
pub(super) fn with_named(router: Router) -> Router {
    let inner = router.clone();
    router
        .route("/breakers/{name}/{*rest}", any(named).with_state(inner.clone()))
        .route("/breakers/{name}/keys/{key}/{*rest}", any(of_member).with_state(inner))
}

/// As [`named`], of a member of a family.
async fn of_member(
    State(mut inner): State<Router>,
    Path((name, key, rest)): Path<(String, String, String)>,
    mut request: Request,
) -> Response {
    if rest == "events" {
        let words = format!("a member has no events of its own; those of the family are /breakers/{name}/events");
        return ApiError::new(StatusCode::NOT_FOUND, words).into_response();
    }
    if let Some(uri) = of_first(request.uri(), 3) {
        *request.uri_mut() = uri;
    }
    request.extensions_mut().insert(BreakerInPath(name));
    request.extensions_mut().insert(KeyInPath(key));
    inner.call(request).await.unwrap_or_else(|never: Infallible| match never {})
}

async fn named(
    State(mut inner): State<Router>,
    Path((name, _)): Path<(String, String)>,
    mut request: Request,
) -> Response {
    if let Some(uri) = of_first(request.uri(), 1) {
        *request.uri_mut() = uri;
    }
    let header = HeaderValue::from_str(&name);
    request.extensions_mut().insert(BreakerInPath(name));
    let mut response = inner.call(request).await.unwrap_or_else(|never: Infallible| match never {});
    if let (true, Ok(name)) = (response.status().is_success(), header) {
        response.headers_mut().insert(BREAKER, name);
    }
    response
}

/// The same route of the first breaker, without so many segments that name another one. The rest of the path stays as it was
/// encoded.
fn of_first(uri: &Uri, segments: usize) -> Option<Uri> {
    let rest = uri.path().strip_prefix(PREFIX)?.splitn(segments + 1, '/').nth(segments)?;
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    format!("/breaker/{rest}{query}").parse().ok()
}

/// Says in the answer which breaker is the first one.
pub(super) async fn say_first(State(circuits): State<Circuits>, request: Request, next: Next) -> Response {
    let is_of_first = request.uri().path().starts_with("/breaker/");
    let mut response = next.run(request).await;
    let first = circuits.first().filter(|_| is_of_first);
    if let Some(name) = first.and_then(|circuit| HeaderValue::from_str(circuit.name().as_str()).ok()) {
        response.headers_mut().insert(BREAKER, name);
    }
    response
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_the_path_and_the_query_stay() {
        let of = |text: &'static str| of_first(&Uri::from_static(text), 1).map(|uri| uri.to_string());
        let member = of_first(&Uri::from_static("/breakers/a/keys/x%2Fy/latencies?b=1"), 3);
        assert_eq!(member.map(|uri| uri.to_string()).as_deref(), Some("/breaker/latencies?b=1"));
        assert_eq!(of("/breakers/a%20b/latencies?x=1%26").as_deref(), Some("/breaker/latencies?x=1%26"));
        assert_eq!(of("/breakers/a/opsgenie/status").as_deref(), Some("/breaker/opsgenie/status"));
        assert_eq!(of("/breakers/a"), None);
    }
}
