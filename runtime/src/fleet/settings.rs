//! How a process takes part in a fleet.

use std::time::Duration;

use tripline_core::fleet::{PageAt, ReplicaText};

/// How a process takes part in a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetSettings {
    /// The name of this process among all: its host and something random, with a hyphen between; at most 64 bytes.
    pub replica: ReplicaText,
    /// How many replicas must be unwell before they page. Default: one.
    pub page_at: PageAt,
    /// So long the engine must be out of reach before this replica pages alone; up to 30 s are added at random. Default: 15 s.
    pub fallback_after: Duration,
    /// Also closes alone what it paged alone. Default: false, since others may still be unwell.
    pub fallback_close: bool,
    /// Feeds the jitter.
    pub seed: u64,
}

impl FleetSettings {
    /// The defaults for a replica of this name.
    pub const fn new(replica: ReplicaText, seed: u64) -> Self {
        Self {
            replica,
            page_at: PageAt::Count(1),
            fallback_after: Duration::from_secs(15),
            fallback_close: false,
            seed,
        }
    }
}

/// The host of a replica: its name without the random part.
pub(super) fn host_of(replica: &str) -> &str {
    replica.rsplit_once('-').map_or(replica, |(host, _)| host)
}
