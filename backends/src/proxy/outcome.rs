//! The outcome of a call, by what the upstream answered.

use http::{HeaderMap, StatusCode};
use tripline_runtime::core::Outcome;

use super::headers::is_grpc;
use crate::config::Statuses;
use crate::tower::grpc_outcome;

/// The outcome that the head of a response shows; `None` where trailers decide.
pub(super) fn of_head(status: StatusCode, headers: &HeaderMap, failures: &Statuses) -> Option<Outcome> {
    if failures.contains(status.as_u16()) {
        return Some(Outcome::Failed);
    }
    if is_grpc(headers) { grpc_outcome(headers) } else { Some(Outcome::Ok) }
}

/// The outcome that the end of a body shows, where its head shows none.
pub(super) fn of_trailers(trailers: &HeaderMap) -> Outcome {
    grpc_outcome(trailers).unwrap_or(Outcome::Ok)
}
