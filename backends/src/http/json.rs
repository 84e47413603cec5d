//! Bodies of any type, as JSON.

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ApiError;
use super::payload::Payload;

/// A body that is JSON: an answer, or what a handler takes.
///
/// As what a handler takes it must be an object of `T`'s shape, in at most 64 KiB of `application/json`; no body counts as an
/// object without fields. Anything else is answered with an [`ApiError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiJson<T>(
    /// The value.
    pub T,
);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for ApiJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let payload = Payload::from_request(request, state).await?;
        serde_json::from_value(Value::Object(payload.into_fields()))
            .map(Self)
            .map_err(|error| ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()))
    }
}

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
