//! The page at `/`: everything in one file, fed by `/breaker/events`.

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use sha2::{Digest as _, Sha256};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

const PAGE: &str = include_str!("dashboard.html");

/// Nothing but the page's own style and script, and nothing from elsewhere; the script makes no HTML out of text.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = hash(between(PAGE, "<style>", "</style>"));
    let script = hash(between(PAGE, "<script>", "</script>"));
    format!(
        "default-src 'none'; style-src '{style}'; script-src '{script}'; connect-src 'self'; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
});

pub(super) fn router() -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(page))
}

/// The dashboard, for people.
#[utoipa::path(get, path = "/", tag = "process",
    responses((status = 200, description = "The page.", body = String, content_type = "text/html; charset=utf-8")))]
async fn page() -> Response {
    let mut response = PAGE.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // It is ASCII; should it not be, no policy at all would be worse than one that forbids everything.
    let strict = HeaderValue::from_static("default-src 'none'");
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_str(&POLICY).unwrap_or(strict));
    response
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let after = text.split_once(start).map_or("", |(_, after)| after);
    after.split_once(end).map_or("", |(inside, _)| inside)
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_what_browsers_compute() {
        // The example of the specification's authors.
        assert_eq!(hash("alert('Hello, world.');"), "sha256-qznLcsROx4GACP2dm0UCKCzCG+HiZ1guq6ZZDob/Tng=");
    }

    #[test]
    fn there_is_one_style_and_one_script() {
        for (open, close) in [("<style", "</style>"), ("<script", "</script>")] {
            assert_eq!(PAGE.matches(open).count(), 1, "{open}");
            assert_eq!(PAGE.matches(close).count(), 1, "{close}");
        }
        assert!(!between(PAGE, "<style>", "</style>").is_empty());
        assert!(!between(PAGE, "<script>", "</script>").is_empty());
    }
}
