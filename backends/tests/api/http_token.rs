//! With a token, only the page, the health routes and the demo endpoint are accessible without it.
#![cfg(feature = "api")]
#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::{Request, StatusCode};
use tower::ServiceExt as _;
use tripline_backends::api::{ApiState, Token, router, router_with};
use tripline_backends::circuit::{Circuit, Circuits};
use tripline_runtime::Breaker;
use tripline_runtime::test_util::ManualClock;

const TOKEN: &str = "0123456789abcdef";

fn api() -> Router {
    let circuit = Circuit::new(Breaker::builder(Arc::new(ManualClock::default())).build().unwrap());
    let state = ApiState::new(circuit, ([0, 0, 0, 0], 8080).into()).token(Token::new(TOKEN).unwrap());
    router_with(state, Router::new().route("/test", get(|| async { "ok" }).post(|| async { "ok" }))).unwrap()
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
    assert_eq!(status("GET", "/ready", &[]), StatusCode::OK);
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

#[test]
fn beyond_loopback_there_must_be_a_token_or_its_waiver() {
    let state = |listen: [u8; 4]| ApiState::new(Circuits::new(), (listen, 8080).into());
    let missing = router(state([0, 0, 0, 0])).unwrap_err();
    assert_eq!(missing.listen, ([0, 0, 0, 0], 8080).into());
    assert!(missing.to_string().contains("0.0.0.0:8080") && missing.to_string().contains("without_token"), "{missing}");
    assert!(router(state([192, 0, 2, 1])).is_err());
    assert!(router(state([127, 0, 0, 1])).is_ok());
    assert!(router(state([0, 0, 0, 0]).without_token()).is_ok());
    assert!(router(state([0, 0, 0, 0]).token(Token::new(TOKEN).unwrap())).is_ok());
}

#[test]
fn behind_a_proxy_a_valid_token_is_enough_and_an_allowed_host_replaces_it_without() {
    let circuit = Circuit::new(Breaker::builder(Arc::new(ManualClock::default())).build().unwrap());
    let state = ApiState::new(circuit, ([127, 0, 0, 1], 8080).into());
    let ask = |router: &Router, method: &str, path: &str, token: &str, origin: &str| {
        let request = Request::builder().method(method).uri(path).header("host", "ops.example.org");
        let request = request.header("origin", origin).header("authorization", format!("Bearer {token}"));
        let response = router.clone().oneshot(request.body(Body::empty()).unwrap());
        futures_lite::future::block_on(response).unwrap().status()
    };

    let guarded = router(state.clone().token(Token::new(TOKEN).unwrap())).unwrap();
    // A proxy may change the Host, so that no Origin equals it.
    for (method, path) in [("POST", "/breaker/enabled"), ("POST", "/breaker/force-open"), ("GET", "/breaker/status")] {
        assert_eq!(ask(&guarded, method, path, TOKEN, "https://public.example.org"), StatusCode::OK, "{path}");
        assert_eq!(ask(&guarded, method, path, "another-token-entirely", "https://ops.example.org"), 401, "{path}");
    }
    assert_eq!(ask(&guarded, "GET", "/", "", "null"), StatusCode::OK, "the page holds no data");
    assert_eq!(ask(&guarded, "GET", "/test", "", "null"), StatusCode::FORBIDDEN);

    let open = router(state.clone()).unwrap();
    assert_eq!(ask(&open, "POST", "/breaker/force-open", TOKEN, "https://ops.example.org"), StatusCode::FORBIDDEN);
    let allowed = router(state.allowed_hosts(["ops.example.org".parse().unwrap()])).unwrap();
    assert_eq!(ask(&allowed, "POST", "/breaker/force-open", "", "https://ops.example.org"), StatusCode::OK);
    assert_eq!(ask(&allowed, "POST", "/breaker/force-open", "", "https://public.example.org"), StatusCode::FORBIDDEN);
}
