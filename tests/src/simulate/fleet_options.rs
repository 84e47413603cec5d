//! The options of a fleet, which are off in many seeds, and what happens where they are on.

use std::time::Duration;

use tripline_core::fleet::{Action, PageAt};

use super::fleet_script::{EngineFault, FleetFault, replicas};
use super::random::Random;
use crate::fleet_world::FleetWorld;
use crate::sim_support::s;

/// The options of a fleet.
#[derive(Debug, Clone, Copy)]
pub(super) struct FleetOptions {
    page_at: PageAt,
    probe_millionths: u32,
    fallback_close: bool,
    takes_commands: bool,
    is_family: bool,
    /// Breakers that are not closed get calls, and recover by probes instead of resets.
    pub(super) has_calls: bool,
}

impl FleetOptions {
    /// Draws those of a seed.
    pub(super) fn of(seed: u64) -> Self {
        let mut random = Random::new(seed, 196);
        let mut options = Self {
            page_at: PageAt::Count(if seed.is_multiple_of(3) { 2 } else { 1 }),
            probe_millionths: 0,
            fallback_close: false,
            takes_commands: false,
            is_family: false,
            has_calls: false,
        };
        if random.chance(0.4) {
            return options;
        }
        if random.chance(0.3) {
            options.page_at = PageAt::Millionths(random.one_of(&[50_000, 400_000]));
        }
        if random.chance(0.4) {
            options.probe_millionths = random.one_of(&[10_000, 300_000]);
        }
        options.has_calls = options.probe_millionths > 0 || random.chance(0.3);
        options.fallback_close = random.chance(0.3);
        match random.below(3) {
            0 => options.takes_commands = true,
            1 => options.is_family = true,
            _ => {}
        }
        options
    }

    /// Applies them to a fleet without replicas.
    pub(super) const fn apply(&self, fleet: &mut FleetWorld) {
        fleet.page_at = self.page_at;
        fleet.probe_millionths = self.probe_millionths;
        fleet.fallback_close = self.fallback_close;
        fleet.takes_commands = self.takes_commands;
        fleet.is_family = self.is_family;
    }

    /// Draws what happens in an hour because of them.
    pub(super) fn draw(
        &self,
        random: &mut Random,
        seed: u64,
        hour: Duration,
        add: &mut dyn FnMut(Duration, Duration, FleetFault),
    ) {
        let replicas = replicas(seed);
        if self.takes_commands {
            for _ in 0..=random.below(4) {
                let at = hour + random.millis(30_000, 35 * 60_000);
                let (through, action) = (random.below(replicas), random.one_of(&Action::ALL));
                add(at, Duration::ZERO, FleetFault::Command { through, action });
                if random.chance(0.5) {
                    let at = at + random.millis(0, 90_000);
                    add(at, Duration::ZERO, FleetFault::Enable(random.below(replicas)));
                }
            }
        }
        if self.fallback_close {
            // One replica is unwell for longer than the engine is out of reach, and another one is not.
            let (at, first) = (hour + random.millis(30_000, 30 * 60_000), random.below(replicas));
            add(at, s(240), FleetFault::Unwell { first, count: 1 });
            add(at + random.millis(0, 30_000), s(150), FleetFault::Engine(EngineFault::Down));
            add(at + random.millis(0, 30_000), s(90), FleetFault::Unwell { first: first + 1, count: 1 });
        }
        if self.probe_millionths > 0 {
            // The waits of all replicas end together.
            let at = hour + random.millis(44 * 60_000, 46 * 60_000);
            add(at, random.millis(10_000, 60_000), FleetFault::Unwell { first: 0, count: replicas });
        }
    }

    /// The number of replicas that may probe at once, of so many; `None` without a limit. The members of a family have none.
    pub(super) fn max_probes(&self, replicas: usize) -> Option<usize> {
        let share = replicas.saturating_mul(self.probe_millionths as usize) / 1_000_000;
        (self.probe_millionths > 0 && !self.is_family).then_some(share.max(1))
    }
}
