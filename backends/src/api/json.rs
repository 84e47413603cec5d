//! Answers of any type, as JSON.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;

/// An answer: this value as JSON. What a handler takes is a [`Payload`](super::Payload).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiJson<T>(
    /// The value.
    pub T,
);

impl<T: Serialize> IntoResponse for ApiJson<T> {
    fn into_response(self) -> Response {
        let (status, body) = match serde_json::to_vec(&self.0) {
            Ok(body) => (StatusCode::OK, body),
            // No value of ours fails to serialize; should one, the answer is still JSON.
            Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, unserializable(&error)),
        };
        (status, [(CONTENT_TYPE, "application/json")], body).into_response()
    }
}

fn unserializable(error: &serde_json::Error) -> Vec<u8> {
    serde_json::json!({ "error": format!("the answer could not be written: {error}") }).to_string().into_bytes()
}
