//! The faults of a family.

use std::time::Duration;

use super::mood::Mood;
use super::random::Random;
use crate::sim_support::s;

/// Tenants who call all the time.
pub(super) const TENANTS: usize = 6;

/// A fault in a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FamilyFault {
    /// Calls of a tenant are bad.
    Bad {
        tenant: usize,
        mood: Mood,
    },
    /// This many new keys.
    Flood(u32),
    Memory,
    /// Room for so many members.
    Room(usize),
    Wait(u64),
    /// An operator holds a tenant's breaker open for a while.
    ForceOpen(usize),
    Alerts,
}

/// Draws the faults of an hour.
pub(super) fn draw(random: &mut Random, hour: Duration, add: &mut dyn FnMut(Duration, Duration, FamilyFault)) {
    for _ in 0..3 + random.below(8) {
        let at = hour + random.millis(30_000, 30 * 60_000);
        let lasts = random.millis(10_000, 5 * 60_000);
        let tenant = random.below(TENANTS);
        let what = match random.below(12) {
            0..=4 => FamilyFault::Bad { tenant, mood: random.one_of(&[Mood::Slow, Mood::Failing, Mood::Hanging]) },
            5 | 6 => FamilyFault::Flood(1 + u32::try_from(random.below(40)).unwrap_or(0)),
            7 => FamilyFault::Memory,
            8 => FamilyFault::Room(2 + random.below(10)),
            9 => FamilyFault::Wait(3 + random.below(9) as u64),
            10 => FamilyFault::ForceOpen(tenant),
            _ => FamilyFault::Alerts,
        };
        add(at, lasts, what);
        // With new keys or little room an open member must keep its place.
        if matches!(what, FamilyFault::Flood(_) | FamilyFault::Room(_) | FamilyFault::Memory) {
            let mood = random.one_of(&[Mood::Slow, Mood::Failing]);
            let at = at.saturating_sub(random.millis(20_000, 60_000)).max(hour);
            add(at, lasts + s(60), FamilyFault::Bad { tenant, mood });
        }
    }
}
