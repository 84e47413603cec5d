//! An API on virtual time, and its responses.
#![allow(dead_code, missing_docs, missing_debug_implementations, unreachable_pub)]

use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use futures_lite::future::block_on;
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tower::ServiceExt;
use tripline_backends::api::{ApiState, router};
use tripline_backends::circuit::Circuit;
use tripline_runtime::Breaker;
use tripline_runtime::core::{Latency, Outcome, Policy, StateKind};
use tripline_runtime::test_util::{Subject, World};

pub struct Api {
    pub world: World,
    pub subject: Subject,
    pub circuit: Circuit,
    pub state: ApiState,
    pub router: Router,
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {:?}", self.text))
    }
}

impl Api {
    pub fn new() -> Self {
        let mut policy = Policy::default();
        policy.trip_confidence = tripline_runtime::core::Confidence::ZERO;
        policy.latency_threshold = Latency::from_millis(300);
        Self::with(policy)
    }

    pub fn with(policy: Policy) -> Self {
        let world = World::new(1);
        let subject = world.breaker(policy).unwrap();
        let circuit = Circuit::builder(subject.breaker.clone()).memory(subject.memory.clone()).build();
        let state = ApiState::new(circuit.clone(), ([127, 0, 0, 1], 8080).into());
        Self { world, subject, circuit, router: router(state.clone()).unwrap(), state }
    }

    pub fn breaker(&self) -> &Breaker {
        &self.subject.breaker
    }

    pub fn kind(&self) -> StateKind {
        self.breaker().read(|core| core.state().kind())
    }

    /// Consecutive calls.
    pub fn calls(&self, latencies_ms: impl IntoIterator<Item = u64>) {
        for latency in latencies_ms.into_iter().map(Duration::from_millis) {
            self.world.request(self.breaker(), latency, Outcome::Ok);
            self.world.advance(latency);
        }
    }

    pub fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap())
    }

    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_text(path, Some("application/json"), &body.to_string())
    }

    pub fn post_text(&self, path: &str, media: Option<&str>, body: &str) -> Answer {
        let mut request = Request::post(path).header("host", "localhost:8080");
        if let Some(media) = media {
            request = request.header("content-type", media);
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap())
    }
}

pub fn send(router: &Router, request: Request<Body>) -> Answer {
    block_on(async {
        let response = router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        Answer { status: head.status, headers: head.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    })
}

/// Checks a rejection: its status, and a body with the problem and its place.
pub fn assert_rejection(answer: &Answer, status: u16, field: Option<&str>) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text);
    assert_eq!(answer.headers["content-type"], "application/json");
    let body = answer.json();
    assert!(body["error"].as_str().is_some_and(|error| !error.is_empty()), "{body}");
    assert_eq!(body.get("field").and_then(Value::as_str), field, "{body}");
    assert_eq!(body.get("allowed").is_some(), field.is_some(), "{body}");
}
