//! The settings of a process in a fleet.

use std::time::Duration;

use tripline_core::fleet::{PageAt, ReplicaText};

/// The settings of a process in a fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FleetSettings {
    /// The unique name of this process: its host and a random part, joined by a hyphen; at most 64 bytes.
    pub replica: ReplicaText,
    /// Unwell replicas required for a page. Default: one.
    pub page_at: PageAt,
    /// How long the engine must be out of reach before this replica pages alone; up to 30 s are added at random.
    /// Default: 15 s.
    pub fallback_after: Duration,
    /// Whether this replica also closes alone the alerts that it paged alone. That ends the alert of all replicas, which share its alias,
    /// until the engine is reached again. Default: false, since others may still be unwell.
    pub fallback_close: bool,
    /// Maximum share of the replicas that probe at once, in millionths; at least one replica probes. 0 (the default), or no
    /// engine within reach: each replica probes when its own wait is over.
    pub probe_millionths: u32,
    /// Whether this replica executes commands to all replicas. Default: false.
    pub takes_commands: bool,
    /// The seed of the jitter.
    pub seed: u64,
}

impl FleetSettings {
    /// Returns the defaults for a replica of this name.
    pub const fn new(replica: ReplicaText, seed: u64) -> Self {
        Self {
            replica,
            page_at: PageAt::Count(1),
            fallback_after: Duration::from_secs(15),
            fallback_close: false,
            probe_millionths: 0,
            takes_commands: false,
            seed,
        }
    }
}

/// Returns the host of a replica: its name without the random part.
pub(super) fn host_of(replica: &str) -> &str {
    replica.rsplit_once('-').map_or(replica, |(host, _)| host)
}
