//! The body of a POST.

use std::error::Error;
use std::ops::RangeInclusive;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value};

use super::error::ApiError;
use crate::http_server::BodyTooSlow;

/// The largest body that is accepted, in bytes.
pub const MAX_BODY_BYTES: usize = 64 * 1024;

/// The JSON object in the body of a POST, as a handler takes it: at most 64 KiB of `application/json`; no body counts as an
/// object without fields. Fields that the handler does not read are ignored, so that what GET gives can be sent back.
///
/// Any other body is answered with an [`ApiError`]: 400 where it is not JSON, 408 where it arrives too slowly, 413, 415,
/// and 422 where it is JSON but no object.
#[derive(Debug, Default)]
pub struct Payload(Map<String, Value>);

impl Payload {
    /// All fields.
    pub(super) fn fields(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The first of these names that the object has, with its value; without any, the first name.
    pub(super) fn first_of(&self, names: &[&'static str]) -> (&'static str, Option<&Value>) {
        let found = names.iter().find_map(|name| Some((*name, self.0.get(*name)?)));
        found.map_or((names.first().copied().unwrap_or_default(), None), |(name, value)| (name, Some(value)))
    }

    /// A field that is true or false; `None` where it is missing.
    ///
    /// # Errors
    /// 422 where it is of another type.
    pub fn flag(&self, field: &'static str) -> Result<Option<bool>, ApiError> {
        match self.0.get(field) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(ApiError::wrong_type(field, "true or false")),
        }
    }

    /// A field that must be there, and is a text; `allowed` says which, for the errors.
    ///
    /// # Errors
    /// 422 where it is missing or of another type.
    pub fn text(&self, field: &'static str, allowed: &str) -> Result<&str, ApiError> {
        match self.0.get(field) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(ApiError::wrong_type(field, allowed)),
            None => Err(ApiError::missing(field, allowed)),
        }
    }

    /// As [`Payload::text`], for one that may be left out or null.
    ///
    /// # Errors
    /// 422 where it is of another type.
    pub fn optional_text(&self, field: &'static str, allowed: &str) -> Result<Option<&str>, ApiError> {
        let is_given = self.0.get(field).is_some_and(|value| !value.is_null());
        is_given.then(|| self.text(field, allowed)).transpose()
    }

    /// As [`Payload::flag`], for one that must be there.
    ///
    /// # Errors
    /// 422 where it is missing or of another type.
    pub fn needed_flag(&self, field: &'static str) -> Result<bool, ApiError> {
        self.flag(field)?.ok_or_else(|| ApiError::missing(field, "true or false"))
    }

    /// A field that must be there, and is a number; `allowed` says which, for the errors.
    ///
    /// # Errors
    /// 422 where it is missing or of another type.
    pub fn number(&self, field: &'static str, allowed: &str) -> Result<f64, ApiError> {
        match self.0.get(field) {
            Some(Value::Number(number)) => number.as_f64().ok_or_else(|| ApiError::wrong_type(field, allowed)),
            Some(_) => Err(ApiError::wrong_type(field, allowed)),
            None => Err(ApiError::missing(field, allowed)),
        }
    }

    /// As [`Payload::number`], for one in this range.
    ///
    /// # Errors
    /// 422 where it is missing or of another type, 400 where it is another number.
    pub fn within(&self, field: &'static str, range: RangeInclusive<f64>, allowed: &str) -> Result<f64, ApiError> {
        let x = self.number(field, allowed)?;
        if range.contains(&x) { Ok(x) } else { Err(ApiError::bad_value(field, x, allowed)) }
    }

    /// A field that must be there, and is a whole number from `least` to `most`, counting `unit`.
    ///
    /// # Errors
    /// 422 where it is missing or of another type, 400 where it is another number.
    pub fn whole(&self, field: &'static str, least: u32, most: u32, unit: &str) -> Result<u32, ApiError> {
        let allowed = format!("{least} to {most} ({unit}, whole)");
        let x = self.number(field, &allowed)?;
        if x.fract() == 0.0 && (f64::from(least)..=f64::from(most)).contains(&x) {
            Ok(x as u32)
        } else {
            Err(ApiError::bad_value(field, x, allowed))
        }
    }

    /// A field that must be there, and is a list of texts; `allowed` says which, for the errors.
    ///
    /// # Errors
    /// 422 where it is missing or of another type.
    pub fn texts(&self, field: &'static str, allowed: &str) -> Result<Vec<String>, ApiError> {
        let Some(Value::Array(items)) = self.0.get(field) else {
            let missing = !self.0.contains_key(field);
            let error = if missing { ApiError::missing } else { ApiError::wrong_type };
            return Err(error(field, allowed.to_owned()));
        };
        let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
        texts.collect::<Option<_>>().ok_or_else(|| ApiError::wrong_type(field, allowed))
    }

    fn parse(headers: &HeaderMap, body: &[u8]) -> Result<Self, ApiError> {
        if body.is_empty() {
            return Ok(Self::default());
        }
        if !is_json(headers) {
            let error = ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "the body is not said to be JSON");
            return Err(error.field("Content-Type", "application/json"));
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, "the body is not a JSON object")),
            Err(error) => Err(ApiError::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: {error}"))),
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Payload {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await.map_err(|rejection| unread(&rejection))?;
        Self::parse(&headers, &body)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(media)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    media.split(';').next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

fn unread(rejection: &BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        let allowed = format!("at most {MAX_BODY_BYTES} bytes");
        return ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large").field("body", allowed);
    }
    let mut causes = std::iter::successors(Error::source(rejection), |error| (*error).source());
    if causes.any(<dyn Error>::is::<BodyTooSlow>) {
        return ApiError::new(StatusCode::REQUEST_TIMEOUT, BodyTooSlow.to_string());
    }
    ApiError::new(StatusCode::BAD_REQUEST, "the body could not be read")
}
