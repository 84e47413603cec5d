//! The faults of a fleet.

use std::time::Duration;

use tripline_core::Ratio;
use tripline_core::fleet::Action;
use tripline_runtime::test_util::faults::{Fault, FaultPlan};

use super::mood::Mood;
use super::random::Random;
use super::settings::BREAKERS;

/// A fault in a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FleetFault {
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
    /// An operator commands all replicas through one of them.
    Command {
        through: usize,
        action: Action,
    },
    /// An operator enables the breaker of one replica.
    Enable(usize),
}

impl FleetFault {
    /// Whether it disturbs the fleet itself.
    pub(super) const fn is_disturbance(self) -> bool {
        !matches!(self, Self::Unwell { .. } | Self::Command { .. } | Self::Enable(_))
    }
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

impl EngineFault {
    const ALL: [Self; 6] = [Self::Down, Self::Hanging, Self::Lossy, Self::Slow, Self::Twice, Self::Full];

    /// Converts it to a plan of the library.
    pub(super) fn plan(self, seed: u64) -> FaultPlan {
        let plan = FaultPlan::new(seed);
        match self {
            Self::Down => plan.with(Fault::Drop, Ratio::ONE),
            Self::Hanging => plan.with(Fault::Hang(Duration::from_secs(30)), Ratio::ONE),
            Self::Lossy => plan.with(Fault::Drop, share(0.3)).with(Fault::Corrupt, share(0.3)),
            Self::Slow => plan.with(Fault::Delay(Duration::from_secs(4)), Ratio::ONE),
            Self::Twice => plan.with(Fault::Duplicate, share(0.5)),
            Self::Full => plan.with(Fault::FullDisk, Ratio::ONE),
        }
    }
}

fn share(share: f64) -> Ratio {
    Ratio::new(share).unwrap_or(Ratio::ONE)
}

/// Draws the faults of an hour.
pub(super) fn draw(
    random: &mut Random,
    seed: u64,
    hour: Duration,
    add: &mut dyn FnMut(Duration, Duration, FleetFault),
) {
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
            0..=3 => FleetFault::Unwell { first, count },
            4 => FleetFault::Kill(first),
            5 => FleetFault::Stop(first),
            6 => FleetFault::Partition { first, count: count.max(replicas / 3) },
            7 => FleetFault::Forget,
            8..=10 => FleetFault::Engine(random.one_of(&EngineFault::ALL)),
            _ => FleetFault::Pager(random.one_of(&[PagerFault::Down, PagerFault::Slow, PagerFault::Late])),
        };
        add(at, lasts, what);
        if !matches!(what, FleetFault::Unwell { .. }) && random.chance(0.7) {
            let at = at.saturating_sub(random.millis(0, 60_000)).max(hour);
            let (first, count) = some(random);
            add(at, lasts, FleetFault::Unwell { first, count });
        }
    }
}

/// What goes wrong in the fleet of a process.
#[derive(Debug, Clone, Copy)]
pub(super) enum OfProcess {
    /// With the engine.
    Fleet(FleetFault),
    /// The other replica is unwell.
    Peer { breaker: usize },
    /// The service behind a breaker is unhealthy, so that there is something to page about.
    Service { breaker: usize, mood: Mood },
}

/// Draws the faults of an hour in the fleet of a process.
pub(super) fn draw_of_process(random: &mut Random, hour: Duration, add: &mut dyn FnMut(Duration, Duration, OfProcess)) {
    for _ in 0..2 + random.below(4) {
        let at = hour + random.millis(30_000, 35 * 60_000);
        let lasts = random.millis(10_000, 5 * 60_000);
        let breaker = random.below(BREAKERS.len());
        let what = match random.below(6) {
            0 => OfProcess::Fleet(FleetFault::Forget),
            1..=3 => OfProcess::Fleet(FleetFault::Engine(random.one_of(&EngineFault::ALL))),
            _ => OfProcess::Peer { breaker },
        };
        add(at, lasts, what);
        if random.chance(0.6) {
            let mood = random.one_of(&[Mood::Slow, Mood::Failing, Mood::Hanging]);
            let before = at.saturating_sub(random.millis(0, 60_000)).max(hour);
            add(before, lasts, OfProcess::Service { breaker, mood });
        }
    }
}

/// Number of replicas of a seed.
pub(super) fn replicas(seed: u64) -> usize {
    2 + Random::new(seed, 11).below(12)
}
