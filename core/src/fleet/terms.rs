//! The times and numbers that the rule goes by.

/// The times of a fleet, in milliseconds, and how many replicas make an incident a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Terms {
    /// An open replica that says nothing for so long is not counted any more. Default: 15 s.
    pub ttl_ms: u64,
    /// From the first unwell report to the page: others may be unwell too. Default: 5 s.
    pub gather_ms: u64,
    /// So long a new store waits with a page, for replicas that know of one: longer than two reports of a replica are apart.
    /// Default: 11 s.
    pub grace_ms: u64,
    /// From the last unwell replica to the close, and from a page or note to the next note. Default: 10 s.
    pub settle_ms: u64,
    /// An unwell replica that says nothing for so long is not counted any more: as long as its recovery would take. Default:
    /// 60 s.
    pub hold_ms: u64,
    /// How long a claim lasts. Default: 20 s.
    pub lease_ms: u64,
    /// From the beginning of an incident to its escalation; 0 (the default): it never escalates.
    pub escalate_after_ms: u64,
    /// From the creation of an alert to the first one of a later incident of the same kind. Default: 0.
    pub cooldown_ms: u64,
    /// How many replicas must be unwell before it pages. Default: one.
    pub page_at: PageAt,
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
        }
    }
}

/// How many replicas must be unwell before a fleet pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageAt {
    /// So many; 0 counts as 1.
    Count(u32),
    /// So many millionths of the members, rounded up; at least one.
    Millionths(u32),
}

impl PageAt {
    /// The number for a fleet of so many members.
    pub const fn needed(self, members: u32) -> u32 {
        const MILLION: u64 = 1_000_000;
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

/// What the engine knows beside the state of a breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetContext {
    /// The time by the engine's clock.
    pub now_ms: u64,
    /// When the engine first heard of this service, after it last lost everything.
    pub born_ms: u64,
    /// The members of the fleet.
    pub members: u32,
}
