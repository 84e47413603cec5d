//! The body of a POST as a type.

use axum::extract::{FromRequest, FromRequestParts, Request};
use http::request::Parts;
use std::convert::Infallible;
use std::fmt;

use super::error::ApiError;
use super::payload::Payload;
use crate::config::RejectedValue;
use crate::http_server::ClientAddr;

/// The parameters of a POST, read from the JSON object in its body.
pub trait FromPayload: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// 422 where a field is missing or of another type, 400 where its value is not allowed.
    fn read(payload: &Payload) -> Result<Self, ApiError>;
}

/// The body of a POST, as a handler takes it.
#[derive(Debug)]
pub struct ValidJson<T>(
    /// The value that was given.
    pub T,
);

impl<S: Send + Sync, T: FromPayload> FromRequest<S> for ValidJson<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        T::read(&Payload::from_request(request, state).await?).map(Self)
    }
}

/// The client that asks, for the log.
pub(super) struct Actor(Option<ClientAddr>);

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get().copied()))
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(ClientAddr(address)) => write!(f, "{address}"),
            None => f.write_str("a client of unknown address"),
        }
    }
}

/// Maps a value that the configuration rejects to an error that names the field of the body.
pub(super) fn rejected(field: &'static str) -> impl Fn(RejectedValue) -> ApiError {
    move |rejected| ApiError::bad_value(field, rejected.value, rejected.allowed)
}
