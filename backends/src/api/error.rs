//! Errors, as they are answered.

use std::borrow::Cow;
use std::fmt;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::json::ApiJson;

/// An error as it is answered: a status, and a body that says what is wrong and what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Error)]
pub struct ApiError {
    #[serde(skip)]
    #[schema(ignore)]
    status: StatusCode,
    /// The problem.
    error: String,
    /// The field of the body, the query or the head that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<String>)]
    field: Option<Cow<'static, str>>,
    /// The allowed values there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    allowed: Option<String>,
}

impl ApiError {
    /// `error` with this status.
    pub fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into(), field: None, allowed: None }
    }

    /// Names the field (of the body, the query or the head) and what is allowed in it.
    #[must_use]
    pub fn field(self, field: impl Into<Cow<'static, str>>, allowed: impl Into<String>) -> Self {
        Self { field: Some(field.into()), allowed: Some(allowed.into()), ..self }
    }

    /// 400: the value of `field` is not one that it can have.
    pub fn bad_value(
        field: impl Into<Cow<'static, str>>,
        found: impl fmt::Display,
        allowed: impl Into<String>,
    ) -> Self {
        let field = field.into();
        Self::new(StatusCode::BAD_REQUEST, format!("{field} cannot be {found}")).field(field, allowed)
    }

    /// 422: `field` is of another type.
    pub fn wrong_type(field: impl Into<Cow<'static, str>>, allowed: impl Into<String>) -> Self {
        let field = field.into();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{field} is of another type")).field(field, allowed)
    }

    /// 422: `field` is not there.
    pub fn missing(field: impl Into<Cow<'static, str>>, allowed: impl Into<String>) -> Self {
        let field = field.into();
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, format!("{field} is missing")).field(field, allowed)
    }

    /// 400: there is no such field.
    pub fn unknown_field(field: impl Into<Cow<'static, str>>, allowed: impl Into<String>) -> Self {
        let field = field.into();
        Self::new(StatusCode::BAD_REQUEST, format!("{field} is unknown")).field(field, allowed)
    }

    /// This error, and `other` in its text: the status and the field are those of this one.
    #[must_use]
    pub fn and(self, other: &Self) -> Self {
        let allowed = self.allowed.clone().unwrap_or_default();
        let shown =
            if self.error.contains("; allowed: ") { self.error } else { format!("{}; allowed: {allowed}", self.error) };
        Self { error: format!("{shown}. {other}"), ..self }
    }

    /// 409: the state of things does not allow it.
    pub fn conflict(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    /// The status.
    pub fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        match &self.allowed {
            Some(allowed) => write!(f, "; allowed: {allowed}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.status, ApiJson(self)).into_response()
    }
}
