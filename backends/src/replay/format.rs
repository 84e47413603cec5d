//! How an input is written.

use std::num::NonZeroU8;

use super::access_log::LogFormat;
use super::field_map::{FieldMapping, Role};
use super::latency_unit::LatencyUnit;
use super::path_filter::PathFilter;

/// How an input is written, and what a log does not say of itself. The default finds out what it can.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Input {
    /// Default: found out from the first lines.
    pub format: Format,
    /// The unit of the request times of a log; JSON lines and CSV with `latency_ms` always have milliseconds. Default: what the
    /// format says, and where it says nothing a guess that [`LogReport`](super::LogReport) names.
    pub latency_unit: Option<LatencyUnit>,
    /// Which field of a text log is the request time, counted from the end of the line: 1 is the last one. The same as
    /// [`FieldMapping`] with a negative position. Default: found by its name or its look.
    pub latency_field: Option<NonZeroU8>,
    /// Fields that are read, by name or position. Default: those of the format.
    pub field_mappings: Vec<FieldMapping>,
    /// Calls that are replayed, by the path of their request. Default: all.
    pub paths: PathFilter,
}

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Format {
    /// Found out from the first lines.
    #[default]
    Auto,
    /// JSON lines with `at_ms`.
    Json,
    /// CSV with a header and `at_ms`.
    Csv,
    /// An access log.
    Log(LogFormat),
}

impl Input {
    /// All fields given by `--field`.
    pub(super) fn fields(&self) -> Vec<FieldMapping> {
        let from_end = self.latency_field.map(|field| FieldMapping::new(Role::Latency, format!("-{field}")));
        self.field_mappings.iter().cloned().chain(from_end).collect()
    }
}
