//! Under which names a format has its fields.

use super::entry::Stamped;
use crate::replay::latency_unit::LatencyUnit;

/// Names of fields, the best first.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Schema {
    pub(super) time: &'static [(&'static str, Stamped)],
    pub(super) latency: &'static [(&'static str, Option<LatencyUnit>)],
    pub(super) status: &'static [&'static str],
    pub(super) path: &'static [&'static str],
    /// What the client asked for, and not the name of this machine or of the client.
    pub(super) host: &'static [&'static str],
    pub(super) method: &'static [&'static str],
    pub(super) flags: &'static [&'static str],
    /// A field without which a line is not of this format.
    pub(super) required: &'static [&'static str],
}

impl Schema {
    pub(super) const NONE: Self =
        Self { time: &[], latency: &[], status: &[], path: &[], host: &[], method: &[], flags: &[], required: &[] };
}
