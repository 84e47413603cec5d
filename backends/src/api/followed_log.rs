//! The log that a breaker follows, as the status shows it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Number;
use utoipa::ToSchema;

use crate::metrics::FollowedLog;
use crate::text::tidy;

/// The log that the breaker follows, of `tripline observe`.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[non_exhaustive]
pub struct FollowedLogStatus {
    /// The path of the file.
    pub file: String,
    /// The format; null until it is known.
    #[schema(required)]
    pub format: Option<&'static str>,
    /// Lines that were read.
    pub lines: u64,
    /// Lines that were not used, by reason.
    pub unusable: BTreeMap<&'static str, u64>,
    /// Calls that were left out by their path.
    pub excluded: u64,
    /// Calls for no breaker, by reason.
    pub unrouted: BTreeMap<&'static str, u64>,
    /// Calls that were known too late to say whether they would have been rejected.
    pub unplaced: u64,
    /// How far behind the log the breaker is; null before the first line.
    #[schema(value_type = Option<f64>, required)]
    pub delay_seconds: Option<Number>,
    /// Why the log is not read now, or why changed routes are not used; null while it is read as configured.
    #[schema(required)]
    pub problem: Option<String>,
}

impl From<FollowedLog> for FollowedLogStatus {
    fn from(log: FollowedLog) -> Self {
        Self {
            file: log.file,
            format: log.format,
            lines: log.lines,
            unusable: log.unusable.into_iter().collect(),
            excluded: log.excluded,
            unrouted: log.unrouted.into_iter().collect(),
            unplaced: log.unplaced,
            delay_seconds: log.delay.and_then(|delay| tidy((delay.as_secs_f64() * 10.0).round() / 10.0)),
            problem: log.problem,
        }
    }
}
