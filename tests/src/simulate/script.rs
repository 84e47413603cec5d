//! The script of a run: faults, edits and commands, drawn from its seed before it begins.

use std::fmt;
use std::time::Duration;

use super::extras::{self, ExtraStep};
use super::fleet_options::FleetOptions;
use super::fleet_script::{EngineFault, FleetFault, OfProcess};
use super::mood::Mood;
use super::operator::Command;
use super::random::Random;
use super::settings::{BREAKERS, Edit, Options, has_extras, has_fleet};
use super::{family_script, fleet_script};

/// The script of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The seed that it was drawn from; everything else in the run is drawn from it too.
    pub seed: u64,
    /// When the run ends.
    pub end: Duration,
    pub(super) subject: Subject,
    pub(super) steps: Vec<Step>,
}

/// What a seed is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// The whole process.
    Process,
    /// Replicas that share their incidents.
    Fleet,
    /// A breaker for each of many keys.
    Family,
}

impl Subject {
    const fn of(seed: u64) -> Self {
        match seed % 8 {
            5 | 6 => Self::Fleet,
            7 => Self::Family,
            _ => Self::Process,
        }
    }
}

/// One thing that happens, for a while or at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) at: Duration,
    pub(super) lasts: Duration,
    pub(super) what: What,
}

/// The action of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// The service behind a breaker becomes unhealthy.
    Service { breaker: usize, mood: Mood },
    /// Memory is used up to this percentage.
    Memory { percent: u64 },
    /// Memory cannot be read.
    MemoryFault(MemoryFault),
    /// The alert services fail.
    Alerts(NetFault),
    /// The disk fails.
    Disk(DiskFault),
    /// The configuration file cannot be written.
    ReadOnlyFile,
    /// An operator edits the configuration file.
    Edit(Edit),
    /// An operator sends a command.
    Operate { breaker: usize, command: Command },
    /// A reader follows the events.
    Read { breaker: usize },
    /// The process is killed.
    Kill,
    /// The process is stopped and started again.
    Restart,
    /// The other replica of a process in a fleet is unwell.
    Peer { breaker: usize },
    /// To the family, or to the breaker that operators add and remove.
    Extra(ExtraStep),
    /// In a fleet.
    Fleet(FleetFault),
    /// In a family.
    Family(family_script::FamilyFault),
}

impl From<OfProcess> for What {
    fn from(fault: OfProcess) -> Self {
        match fault {
            OfProcess::Fleet(fault) => Self::Fleet(fault),
            OfProcess::Peer { breaker } => Self::Peer { breaker },
            OfProcess::Service { breaker, mood } => Self::Service { breaker, mood },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MemoryFault {
    Unreadable,
    Malformed,
    Stale,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NetFault {
    /// No connection.
    Unreachable,
    /// Connected, without a response.
    Silent,
    /// 503.
    Unavailable,
    /// 422.
    Rejecting,
    /// 429 with Retry-After.
    Limiting,
    /// Half of the responses are lost.
    AnswerLost,
    /// Every request arrives twice.
    Twice,
    /// Responses are late.
    Late,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DiskFault {
    Full,
    Failing,
    Slow,
    Hanging,
    /// Writes fail in the middle, which leaves the old state, or at their end, which leaves the new one. A kill during a write leaves a
    /// part of the next state beside the old one.
    Torn,
    /// Writes succeed, and what is stored is damaged: a disk that lies or ages.
    Corrupt,
}

impl Script {
    /// Draws the script of a seed for this many hours. Each hour has its faults in the first 40 minutes; then
    /// everything works again, so that the invariants of a quiet system can be checked at its end.
    pub fn new(seed: u64, hours: u32) -> Self {
        let mut random = Random::new(seed, 2);
        // Draws of their own, so that the other steps of a seed do not depend on them.
        let mut of_damage = Random::new(seed, 9);
        let mut of_fleet = Random::new(seed, 15);
        let mut of_extras = Random::new(seed, 17);
        let mut of_options = Random::new(seed, 18);
        let (subject, mut steps) = (Subject::of(seed), Vec::new());
        for hour in (0..u64::from(hours)).map(|hour| Duration::from_secs(hour * 3_600)) {
            match subject {
                Subject::Process => {
                    draw_hour(&mut random, hour, &mut steps);
                    draw_damage(&mut of_damage, hour, &mut steps);
                    if has_extras(seed) {
                        extras::draw(&mut of_extras, hour, &mut |at, lasts, step| {
                            steps.push(Step { at, lasts, what: What::Extra(step) });
                        });
                    }
                    if has_fleet(seed) {
                        fleet_script::draw_of_process(&mut of_fleet, hour, &mut |at, lasts, fault| {
                            steps.push(Step { at, lasts, what: fault.into() });
                        });
                    }
                    let options = Options::of(seed);
                    if options.takes_commands {
                        draw_commands(&mut of_options, hour, &mut steps);
                    }
                    if options.fallback_close {
                        draw_close_alone(&mut of_options, hour, &mut steps);
                    }
                }
                Subject::Fleet => {
                    let mut add = |at, lasts, fault| steps.push(Step { at, lasts, what: What::Fleet(fault) });
                    fleet_script::draw(&mut random, seed, hour, &mut add);
                    FleetOptions::of(seed).draw(&mut of_options, seed, hour, &mut add);
                }
                Subject::Family => family_script::draw(&mut random, hour, &mut |at, lasts, fault| {
                    steps.push(Step { at, lasts, what: What::Family(fault) });
                }),
            }
        }
        if subject == Subject::Process {
            add_resets(&mut Random::new(seed, 13), &mut steps);
        }
        steps.sort_by_key(|step| step.at);
        Self { seed, end: Duration::from_secs(u64::from(hours) * 3_600), subject, steps }
    }

    /// Number of steps.
    pub fn len(&self) -> usize {
        self.steps.len()
    }

    /// Whether there are no steps.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// What happens to a process in an hour.
fn draw_hour(random: &mut Random, hour: Duration, steps: &mut Vec<Step>) {
    let count = 2 + random.below(6);
    for _ in 0..count {
        let at = hour + random.millis(30_000, 35 * 60_000);
        let lasts = random.millis(20_000, 5 * 60_000);
        let mut extend = |what, at, lasts| steps.push(Step { at, lasts, what });
        let what = draw(random);
        extend(what, at, lasts);
        // Commands and incidents must outlive the process, and a change must not be lost where it cannot be saved.
        let within = |random: &mut Random| at + random.millis(2_000, 40_000);
        match what {
            What::Operate { .. } | What::Service { .. } if random.chance(0.25) => {
                let at = within(random);
                extend(random.one_of(&[What::Kill, What::Restart]), at, Duration::ZERO);
            }
            What::Kill | What::Restart if random.chance(0.5) => {
                let command = random.one_of(&[Command::ForceOpen, Command::Disable, Command::SimulateMemory]);
                let at = at.saturating_sub(random.millis(1_000, 25_000));
                extend(What::Operate { breaker: random.below(BREAKERS.len()), command }, at, Duration::ZERO);
            }
            What::ReadOnlyFile if random.chance(0.7) => {
                let (breaker, command) = (random.below(BREAKERS.len()), random.one_of(&Command::CHANGES));
                let at = at + random.millis(2_000, 18_000);
                extend(What::Operate { breaker, command }, at, Duration::ZERO);
            }
            _ => {}
        }
        // A fault of the alert path shows only while there is an alert to send.
        if !matches!(what, What::Service { .. } | What::Memory { .. }) && random.chance(0.6) {
            let breaker = random.below(BREAKERS.len());
            let mood = random.one_of(&[Mood::Slow, Mood::Failing, Mood::Hanging]);
            let before = at.saturating_sub(random.millis(0, 60_000)).max(hour);
            extend(What::Service { breaker, mood }, before, lasts);
        }
    }
}

/// In a third of the hours the disk damages what it stores. Most times the process ends meanwhile, because the next save repairs it, and a
/// service is unhealthy, so that there is something to forget.
fn draw_damage(random: &mut Random, hour: Duration, steps: &mut Vec<Step>) {
    if !random.chance(0.33) {
        return;
    }
    let at = hour + random.millis(120_000, 35 * 60_000);
    let lasts = random.millis(20_000, 3 * 60_000);
    steps.push(Step { at, lasts, what: What::Disk(DiskFault::Corrupt) });
    if random.chance(0.85) {
        let what = random.one_of(&[What::Kill, What::Restart]);
        steps.push(Step { at: at + random.millis(1_000, 60_000), lasts: Duration::ZERO, what });
    }
    if random.chance(0.7) {
        let (breaker, mood) = (random.below(BREAKERS.len()), random.one_of(&[Mood::Slow, Mood::Failing]));
        let at = at.saturating_sub(random.millis(0, 100_000));
        steps.push(Step { at, lasts: lasts + random.millis(0, 60_000), what: What::Service { breaker, mood } });
    }
}

/// Some commands to all replicas of the fleet.
fn draw_commands(random: &mut Random, hour: Duration, steps: &mut Vec<Step>) {
    for _ in 0..=random.below(3) {
        let at = hour + random.millis(30_000, 38 * 60_000);
        let (breaker, command) = (random.below(BREAKERS.len()), random.one_of(&Command::TO_ALL));
        steps.push(Step { at, lasts: Duration::ZERO, what: What::Operate { breaker, command } });
    }
}

/// While the engine is out of reach a service recovers, and the process closes its alert alone. The peer is unwell for longer. Most times
/// the process ends before the engine is back. Other faults are over then, so that the check is not excused by them.
fn draw_close_alone(random: &mut Random, hour: Duration, steps: &mut Vec<Step>) {
    let (at, breaker) = (hour + Duration::from_secs(43 * 60 + 30), random.below(BREAKERS.len()));
    let mut add = |after: u64, lasts: u64, what| {
        steps.push(Step { at: at + Duration::from_secs(after), lasts: Duration::from_secs(lasts), what });
    };
    add(0, 700, What::Peer { breaker });
    add(10, 300, What::Fleet(FleetFault::Engine(EngineFault::Down)));
    add(20, 60, What::Service { breaker, mood: Mood::Failing });
    if random.chance(0.7) {
        add(random.one_of(&[250, 280, 305]), 0, random.one_of(&[What::Kill, What::Restart]));
    }
}

/// Adds resets while a service is unhealthy: each ends an incident, and the next one begins within the cooldown.
fn add_resets(random: &mut Random, steps: &mut Vec<Step>) {
    let mut resets = Vec::new();
    for step in steps.iter() {
        let What::Service { breaker, .. } = step.what else { continue };
        if random.chance(0.15) {
            let at = step.at + random.millis(5_000, 50_000);
            resets.push(Step { at, lasts: Duration::ZERO, what: What::Operate { breaker, command: Command::Reset } });
        }
    }
    steps.append(&mut resets);
}

fn draw(random: &mut Random) -> What {
    use NetFault::{AnswerLost, Late, Limiting, Rejecting, Silent, Twice, Unavailable, Unreachable};
    let breaker = random.below(BREAKERS.len());
    match random.below(20) {
        0..=4 => {
            let mood = random.one_of(&[Mood::Slow, Mood::Failing, Mood::Hanging, Mood::Shaky]);
            What::Service { breaker, mood }
        }
        5 | 6 => What::Memory { percent: random.one_of(&[85, 95, 99]) },
        7 => What::MemoryFault(random.one_of(&[MemoryFault::Unreadable, MemoryFault::Malformed, MemoryFault::Stale])),
        8..=10 => What::Alerts(random.one_of(&[
            Unreachable,
            Silent,
            Unavailable,
            Rejecting,
            Limiting,
            AnswerLost,
            Twice,
            Late,
        ])),
        11 | 12 => What::Disk(random.one_of(&[
            DiskFault::Full,
            DiskFault::Failing,
            DiskFault::Slow,
            DiskFault::Hanging,
            DiskFault::Torn,
        ])),
        13 => What::ReadOnlyFile,
        14 => What::Edit(random.one_of(&Edit::ALL)),
        15 | 16 => What::Operate { breaker, command: random.one_of(&Command::ALL) },
        17 => What::Read { breaker },
        18 => What::Kill,
        _ => What::Restart,
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} at {:?} for {:?}", self.what, self.at, self.lasts)
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, until {:?}", self.seed, self.end)?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}
