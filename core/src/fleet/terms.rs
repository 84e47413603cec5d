//! The durations and thresholds of the rule.

const MILLION: u64 = 1_000_000;

/// The durations of a fleet, in milliseconds, and the number of unwell replicas for a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// An open replica that does not report for this long is no longer counted. Default: 15 s.
    pub ttl_ms: u64,
    /// Time from the first unwell report to the page, to gather reports of other replicas. Default: 5 s.
    pub gather_ms: u64,
    /// Time for which a new store delays a page, so that replicas can report an active incident. Longer than the
    /// interval between two reports of a replica. Default: 11 s.
    pub grace_ms: u64,
    /// Time from the last unwell replica to the close, and from a page or note to the next note. Default: 10 s.
    pub settle_ms: u64,
    /// An unwell replica that does not report for this long is no longer counted: the duration of its recovery.
    /// Default: 60 s.
    pub hold_ms: u64,
    /// Duration of a claim. Default: 20 s.
    pub lease_ms: u64,
    /// Time from the start of an incident to its escalation. Default: 0, it never escalates.
    pub escalate_after_ms: u64,
    /// Time from the creation of an alert to the first one of a later incident of the same kind. Default: 0.
    pub cooldown_ms: u64,
    /// Unwell replicas required for a page. Default: one.
    pub page_at: PageAt,
    /// Share of the members that may probe at once, in millionths; at least one member may. 0 (the default): no limit.
    pub probe_millionths: u32,
    /// Duration of a permission to probe for a replica that does not begin to probe. Default: 5 s.
    pub probe_grant_ms: u64,
    /// A probing replica that does not report for this long is no longer counted; at least `probe_grant_ms`. Default: 20 s.
    pub probe_lease_ms: u64,
}

impl Terms {
    /// Number of replicas that may probe at once in a fleet of `members`: the share rounded down, at least one.
    pub const fn probes(&self, members: u32) -> u32 {
        let share = (members as u64).saturating_mul(self.probe_millionths as u64) / MILLION;
        match share {
            0 => 1,
            share if share > u32::MAX as u64 => u32::MAX,
            share => share as u32,
        }
    }
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            ttl_ms: 15_000,
            gather_ms: 5_000,
            grace_ms: 11_000,
            settle_ms: 10_000,
            hold_ms: 60_000,
            lease_ms: 20_000,
            escalate_after_ms: 0,
            cooldown_ms: 0,
            page_at: PageAt::Count(1),
            probe_millionths: 0,
            probe_grant_ms: 5_000,
            probe_lease_ms: 20_000,
        }
    }
}

/// Unwell replicas required before a fleet pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageAt {
    /// A number of replicas; 0 counts as 1.
    Count(u32),
    /// A share of the members in millionths, rounded up; at least one replica.
    Millionths(u32),
}

impl PageAt {
    /// Returns the number for a fleet with this many members.
    pub const fn needed(self, members: u32) -> u32 {
        let needed = match self {
            Self::Count(count) => count as u64,
            Self::Millionths(share) => (members as u64).saturating_mul(share as u64).div_ceil(MILLION),
        };
        match needed {
            0 => 1,
            needed if needed > u32::MAX as u64 => u32::MAX,
            needed => needed as u32,
        }
    }
}

/// The engine's context of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetContext {
    /// The engine's time.
    pub now_ms: u64,
    /// When the engine first received a report of this service since it last lost its state.
    pub born_ms: u64,
    /// Members of the fleet.
    pub members: u32,
}
