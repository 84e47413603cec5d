//! With a token, nothing but the page, the health and the demo endpoint is open.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use tower::ServiceExt as _;
use tripline_backends::api::{ApiState, Token, router_with};
use tripline_backends::circuit::Circuit;
use tripline_runtime::Breaker;
use tripline_runtime::test_util::ManualClock;

const TOKEN: &str = "0123456789abcdef";

fn api() -> Router {
    let circuit = Circuit::new(Breaker::builder(Arc::new(ManualClock::default())).build().unwrap());
    let state = ApiState::new(circuit, ([0, 0, 0, 0], 8080).into()).token(Token::new(TOKEN).unwrap());
    router_with(state, Router::new().route("/test", get(|| async { "ok" }).post(|| async { "ok" })))
}

fn status(method: &str, path: &str, authorization: &[&str]) -> StatusCode {
    let mut request = Request::builder().method(method).uri(path).header("host", "breaker.example.org");
    for value in authorization {
        request = request.header("authorization", *value);
    }
    futures_lite::future::block_on(api().oneshot(request.body(Body::empty()).unwrap())).unwrap().status()
}

#[test]
fn what_is_public_needs_no_token() {
    assert_eq!(status("GET", "/health", &[]), StatusCode::OK);
    assert_eq!(status("GET", "/test", &[]), StatusCode::OK);
    assert_eq!(status("HEAD", "/health", &[]), StatusCode::OK);
    assert_eq!(status("POST", "/test", &[]), StatusCode::UNAUTHORIZED);
}

#[test]
fn everything_else_does() {
    for path in
        ["/breaker/status", "/breaker/enabled", "/metrics", "/breaker/memory-usage", "/nowhere", "/health/", "//health"]
    {
        assert_eq!(status("GET", path, &[]), StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(status("POST", "/breaker/disabled", &[]), StatusCode::UNAUTHORIZED);
}

#[test]
fn the_right_token_opens() {
    assert_eq!(status("GET", "/breaker/status", &["Bearer 0123456789abcdef"]), StatusCode::OK);
    assert_eq!(status("GET", "/breaker/status", &["bearer 0123456789abcdef"]), StatusCode::OK);
    assert_eq!(status("POST", "/breaker/disabled", &["Bearer 0123456789abcdef"]), StatusCode::OK);
}

#[test]
fn anything_else_does_not() {
    for wrong in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer 0123456789abcde",
        "Bearer 0123456789abcdef0",
        "Bearer 0123456789abcdeF",
        "Basic 0123456789abcdef",
        "0123456789abcdef",
    ] {
        assert_eq!(status("GET", "/breaker/status", &[wrong]), StatusCode::UNAUTHORIZED, "{wrong:?}");
    }
    let twice = ["Bearer 0123456789abcdef", "Bearer x"];
    assert_eq!(status("GET", "/breaker/status", &twice), StatusCode::UNAUTHORIZED);
}

#[test]
fn a_token_is_long_enough_and_shows_nothing() {
    assert!(Token::new("0123456789abcde").is_err());
    assert!(Token::new("  0123456789abcde \n").is_err());
    let token = Token::new("0123456789abcdef\n").unwrap();
    assert!(!format!("{token:?}").contains("0123"));
}
