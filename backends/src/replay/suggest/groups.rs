//! The groups of a recording, of which each may get settings of its own.

use std::io::BufRead;

use crate::replay::error::ReplayError;
use crate::replay::grouping::{GroupBy, GroupCounts};
use crate::replay::reading::Reading;

/// The groups of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Groups {
    /// Keys with their calls, those with the most calls first. The key of calls that have none is empty.
    pub found: Vec<(Vec<u8>, u64)>,
    /// Calls of further groups, beyond [`MAX_GROUPS`](crate::replay::MAX_GROUPS).
    pub beyond: u64,
    /// Calls without a path or host.
    pub without: u64,
}

/// Counts the calls of each group. Reads the recording once.
///
/// # Errors
/// As [`run`](crate::replay::run).
pub fn groups(by: GroupBy, reading: &Reading, input: impl BufRead) -> Result<Groups, ReplayError> {
    let counts = GroupCounts::default();
    let mut counting = reading.clone();
    counting.input.paths = counting.input.paths.counted(by, counts.clone());
    let findings = counting.read_all(input, |_| Ok(()))?;
    let (mut found, beyond) = counts.take();
    found.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    Ok(Groups { found, beyond, without: findings.usage.without_path })
}
