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

const STYLE: &str = include_str!("style.css");

/// One function, whose parts share their names.
const SCRIPT: &str = concat!(
    "'use strict';\n(() => {\n",
    include_str!("script/base.js"),
    include_str!("script/state.js"),
    include_str!("script/history.js"),
    include_str!("script/latencies.js"),
    include_str!("script/calls.js"),
    include_str!("script/timeline.js"),
    include_str!("script/drawing.js"),
    include_str!("script/requests.js"),
    include_str!("script/settings.js"),
    include_str!("script/all_settings.js"),
    include_str!("script/operate.js"),
    include_str!("script/token.js"),
    include_str!("script/view.js"),
    include_str!("script/grid.js"),
    include_str!("script/keys.js"),
    include_str!("script/stream.js"),
    "})();\n",
);

/// Style and script stand in the page, between their tags.
static PAGE: LazyLock<String> =
    LazyLock::new(|| include_str!("page.html").replace("{style}", STYLE).replace("{script}", SCRIPT));

/// Nothing but the page's own style and script, and nothing from elsewhere; the script makes no HTML out of text.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = hash(&format!("\n{STYLE}"));
    let script = hash(&format!("\n{SCRIPT}"));
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
    let mut response = PAGE.as_str().into_response();
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
    fn there_is_one_style_and_one_script_and_their_hashes_are_those_of_the_page() {
        for (tag, text) in [("style", STYLE), ("script", SCRIPT)] {
            let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
            let pieces: Vec<&str> = PAGE.split(&open).collect();
            assert_eq!((pieces.len(), PAGE.matches(&close).count()), (2, 1), "{tag}");
            let inside = pieces.last().and_then(|after| after.split(&close).next());
            assert_eq!(inside, Some(format!("\n{text}").as_str()), "{tag}");
        }
    }
}
