//! The result of a handler.

use crate::api::error::ApiError;
use crate::api::json::ApiJson;

/// A value as JSON, or an error.
pub(super) type Answer<T> = Result<ApiJson<T>, ApiError>;
