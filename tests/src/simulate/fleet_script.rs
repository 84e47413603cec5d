//! What happens in a fleet.

use std::time::Duration;

use super::random::Random;

/// What goes wrong in a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// These replicas are unwell.
    Unwell {
        first: usize,
        count: usize,
    },
    /// A replica is killed, and starts again in the end.
    Kill(usize),
    /// A replica is stopped, and starts again in the end.
    Stop(usize),
    /// These replicas do not reach the engine.
    Partition {
        first: usize,
        count: usize,
    },
    /// The engine loses all that it holds.
    Forget,
    Engine(EngineFault),
    Pager(PagerFault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EngineFault {
    Down,
    Hanging,
    Lossy,
    Slow,
    Twice,
    Full,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PagerFault {
    Down,
    Slow,
    /// Requests that were given up take effect later.
    Late,
}

/// Draws the troubles of an hour.
pub(super) fn draw(random: &mut Random, seed: u64, hour: Duration, add: &mut dyn FnMut(Duration, Duration, Trouble)) {
    let replicas = replicas(seed);
    let some = |random: &mut Random| {
        let count = if random.chance(0.3) { 1 + random.below(replicas) } else { 1 };
        (random.below(replicas), count)
    };
    for _ in 0..3 + random.below(8) {
        let at = hour + random.millis(30_000, 35 * 60_000);
        let lasts = random.millis(10_000, 5 * 60_000);
        let (first, count) = some(random);
        let what = match random.below(12) {
            0..=3 => Trouble::Unwell { first, count },
            4 => Trouble::Kill(first),
            5 => Trouble::Stop(first),
            6 => Trouble::Partition { first, count: count.max(replicas / 3) },
            7 => Trouble::Forget,
            8..=10 => Trouble::Engine(random.one_of(&[
                EngineFault::Down,
                EngineFault::Hanging,
                EngineFault::Lossy,
                EngineFault::Slow,
                EngineFault::Twice,
                EngineFault::Full,
            ])),
            _ => Trouble::Pager(random.one_of(&[PagerFault::Down, PagerFault::Slow, PagerFault::Late])),
        };
        add(at, lasts, what);
        if !matches!(what, Trouble::Unwell { .. }) && random.chance(0.7) {
            let at = at.saturating_sub(random.millis(0, 60_000)).max(hour);
            let (first, count) = some(random);
            add(at, lasts, Trouble::Unwell { first, count });
        }
    }
}

/// Number of replicas of a seed.
pub(super) fn replicas(seed: u64) -> usize {
    2 + Random::new(seed, 11).below(12)
}
