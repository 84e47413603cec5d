//! The answer to a change of settings.

use serde::Serialize;
use utoipa::ToSchema;

use crate::reload::Applied;

/// The answer of GET, and whether the change is in the configuration file.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Changed<T> {
    #[serde(flatten)]
    body: T,
    /// It is in the configuration file, and so survives a restart.
    saved: bool,
    /// Why it is not; left out where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reason: Option<String>,
}

impl<T> Changed<T> {
    pub(super) fn new(body: T, applied: Applied) -> Self {
        Self { body, saved: applied.saved, reason: applied.reason }
    }
}
