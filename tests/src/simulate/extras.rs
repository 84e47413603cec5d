//! The breakers beside the two of every run: a family, and a breaker that operators add and remove.

use std::time::Duration;

use tripline_core::Instant;

use super::mood::Mood;
use super::operator::Command;
use super::random::Random;

/// A breaker that edits of the file add and remove.
pub(super) const OPTIONAL: &str = "billing";
pub(super) const FAMILY: &str = "tenants";
/// The keys that call, one more than the family has room for. The first one is unhealthy at times.
pub(super) const KEYS: [&str; 5] = ["ada", "bob", "cyd", "dan", "eve"];
pub(super) const MAX_KEYS: usize = 4;

/// One of the services behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extra {
    Optional,
    Tenant,
}

/// What happens to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ExtraStep {
    /// An edit of the file adds the optional breaker, or removes it.
    Toggle,
    Unhealthy(Extra, Mood),
    /// An operator's command to the family, or to the member of the first key.
    Operate {
        is_member: bool,
        command: Command,
    },
}

/// The knowledge about them.
#[derive(Debug)]
pub(super) struct Extras {
    pub(super) optional: Mood,
    pub(super) tenant: Mood,
    /// Since when every call of the breaker that is there is bad.
    pub(super) optional_bad_since: Option<Instant>,
    pub(super) tenant_bad_since: Option<Instant>,
    /// Since when the optional breaker is not there.
    pub(super) gone_since: Option<Instant>,
    pub(super) random: Random,
}

impl Extras {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            optional: Mood::Healthy,
            tenant: Mood::Healthy,
            optional_bad_since: None,
            tenant_bad_since: None,
            gone_since: None,
            random: Random::new(seed, 16),
        }
    }

    pub(super) fn is_healthy(&self) -> bool {
        (self.optional, self.tenant) == (Mood::Healthy, Mood::Healthy)
    }
}

/// Draws what happens to them in an hour.
pub(super) fn draw(random: &mut Random, hour: Duration, add: &mut dyn FnMut(Duration, Duration, ExtraStep)) {
    let mood = |random: &mut Random| random.one_of(&[Mood::Slow, Mood::Failing]);
    for _ in 0..=random.below(3) {
        let at = hour + random.millis(30_000, 25 * 60_000);
        add(at, Duration::ZERO, ExtraStep::Toggle);
        let (begins, lasts) = (at + random.millis(0, 60_000), random.millis(60_000, 5 * 60_000));
        let mood = mood(random);
        add(begins, lasts, ExtraStep::Unhealthy(Extra::Optional, mood));
        // Half of the time it is removed while it is open.
        add(at + random.millis(60_000, 8 * 60_000), Duration::ZERO, ExtraStep::Toggle);
    }
    for _ in 0..random.below(3) {
        let (at, lasts) = (hour + random.millis(30_000, 30 * 60_000), random.millis(60_000, 5 * 60_000));
        let mood = mood(random);
        add(at, lasts, ExtraStep::Unhealthy(Extra::Tenant, mood));
        let commands = [Command::Disable, Command::Enable, Command::Reset, Command::ForceOpen, Command::SetThreshold];
        let (is_member, command) = (random.chance(0.3), random.one_of(&commands));
        if !(is_member && command == Command::SetThreshold) {
            add(at + random.millis(0, 5 * 60_000), Duration::ZERO, ExtraStep::Operate { is_member, command });
        }
    }
}
