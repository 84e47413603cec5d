//! A fleet over hours of virtual time with seeded faults, with its invariants:
//!
//! - No two alerts are open at once.
//! - No alert is open 60 s after all replicas have been healthy, the engine reachable and nothing failing.
//! - There is an alert whenever a replica has been unwell for longer than gather, lease and fallback.

use std::collections::BTreeMap;
use std::time::Duration;

use tripline_core::Instant;
use tripline_runtime::FleetPart;
use tripline_tests::sim_support::{s, staging};

use tripline_tests::fleet_world::FleetWorld;
use tripline_tests::fleet_world::pager::Seen;

/// After the last fault and the last unwell replica, an alert may stay open for so long.
const MAX_OPEN: Duration = s(60);
/// gather 5 s, grace 11 s, lease 20 s, fallback 15 s + 30 s, and one attempt of 10 s.
const MAX_SILENT: Duration = s(5 + 11 + 20 + 45 + 10);
/// Calm begins when a crashed replica is forgotten, and a second close was sent.
const HOLD: Duration = s(30);

/// What goes wrong at the moment, with the time that it ends.
struct Faults {
    ends: Instant,
    down: bool,
    /// From here on nothing has failed.
    calm_since: Instant,
}

struct Run {
    fleet: FleetWorld,
    random: fastrand::Rng,
    faults: Faults,
    lives: Vec<u32>,
    dead: Vec<bool>,
    kills: u32,
    seed: u64,
}

impl Run {
    fn new(seed: u64, replicas: usize) -> Self {
        let mut fleet = FleetWorld::new(seed, staging(s(120), s(0)));
        fleet.start(replicas);
        fleet.advance(s(60));
        let faults = Faults { ends: fleet.world.now(), down: false, calm_since: fleet.world.now() };
        let random = fastrand::Rng::with_seed(seed);
        Self { random, faults, lives: vec![0; replicas], dead: vec![false; replicas], kills: 0, fleet, seed }
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.random.u32(..one_in) == 0
    }

    fn seconds(&mut self, most: u64) -> Duration {
        s(1 + self.random.u64(..most))
    }

    /// One second of faults, trips, recoveries, kills and restarts.
    fn step(&mut self) {
        let now = self.fleet.world.now();
        if now >= self.faults.ends {
            if self.faults.down {
                self.end_faults(now);
            } else if self.chance(600) {
                self.begin_fault(now);
            }
        }
        let count = self.lives.len();
        for _ in 0..count.div_ceil(200) {
            let number = self.random.usize(..count);
            self.change(number);
        }
        if self.chance(900) {
            // Everything recovers.
            (0..count).filter(|&number| !self.dead[number]).collect::<Vec<_>>().into_iter().for_each(|n| self.heal(n));
        }
        self.fleet.advance(s(1));
        self.fleet.pager.settle_late();
        self.check();
    }

    fn change(&mut self, number: usize) {
        let is_unwell = self.fleet.replicas[number].unwell_since.is_some();
        match self.random.u32(..2_000) {
            0..20 if !self.dead[number] => {
                // A common cause: many trip within a short time.
                let count = self.lives.len();
                for _ in 0..=self.random.usize(..=count / 20) {
                    let other = self.random.usize(..count);
                    if !self.dead[other] {
                        self.fleet.trip(other);
                    }
                }
            }
            20..1_000 if is_unwell && !self.dead[number] => self.heal(number),
            1_000..1_030 if !self.dead[number] => {
                self.fleet.kill(number);
                self.kills += 1;
                self.dead[number] = true;
                self.fleet.replicas[number].unwell_since = None;
                // It counts as unwell for as long as its recovery would have taken.
                self.faults.calm_since = self.fleet.world.now() + HOLD;
            }
            1_030..1_500 if self.dead[number] => {
                self.lives[number] += 1;
                self.fleet.restart(number, self.lives[number]);
                self.dead[number] = false;
            }
            _ => {}
        }
    }

    fn heal(&mut self, number: usize) {
        if self.fleet.replicas[number].unwell_since.is_some() {
            self.fleet.heal(number);
            self.faults.calm_since = self.faults.calm_since.max(self.fleet.world.now());
        }
    }

    fn begin_fault(&mut self, now: Instant) {
        self.faults.down = true;
        self.faults.ends = now + self.seconds(120);
        let (engine, pager) = (self.fleet.engine.clone(), self.fleet.pager.clone());
        match self.random.u32(..7) {
            0 => engine.set_down(true),
            1 => engine.set_hanging(true),
            2 => {
                engine.forget();
                engine.set_down(self.random.bool());
            }
            3 => engine.set_lost(0.3),
            4 => engine.set_delay(s(4)),
            5 => {
                pager.set_slow(s(12));
                pager.set_late(s(15));
            }
            _ => {
                for _ in 0..self.lives.len() / 3 {
                    let number = self.random.usize(..self.lives.len());
                    engine.set_cut_off(&self.fleet.replicas[number].name, true);
                }
            }
        }
    }

    fn end_faults(&mut self, now: Instant) {
        let (engine, pager) = (&self.fleet.engine, &self.fleet.pager);
        engine.set_down(false);
        engine.set_hanging(false);
        engine.set_lost(0.0);
        engine.set_delay(Duration::ZERO);
        pager.set_slow(s(2));
        pager.set_late(Duration::ZERO);
        for replica in &self.fleet.replicas {
            engine.set_cut_off(&replica.name, false);
        }
        self.faults.down = false;
        // Half a minute, until the last late request has arrived and all replicas have said what they know.
        self.faults.calm_since = self.faults.calm_since.max(now + s(30));
    }

    fn check(&self) {
        let now = self.fleet.world.now();
        let seed = self.seed;
        let open = self.fleet.pager.open_alerts();
        assert!(open <= 1, "seed {seed}, {now:?}: {open} alerts are open");
        let unwell = self.fleet.replicas.iter().filter_map(|replica| replica.unwell_since).min();
        let is_calm = !self.faults.down && unwell.is_none();
        if is_calm && now > self.faults.calm_since + MAX_OPEN {
            assert_eq!(
                open,
                0,
                "seed {seed}, {now:?}: open since all are healthy; {:?}",
                self.fleet.pager.log().iter().rev().take(5).collect::<Vec<_>>()
            );
        }
        if let Some(since) = unwell.filter(|&since| now > since + MAX_SILENT) {
            let last = || self.fleet.pager.log().into_iter().rev().take(5).collect::<Vec<_>>();
            let is_open = open == 1 || self.faults.down;
            assert!(is_open, "seed {seed}, {now:?}: unwell since {since:?}, and no alert; {:?}", last());
        }
    }
}

fn run(seed: u64, replicas: usize, length: Duration) {
    let mut run = Run::new(seed, replicas);
    let end = run.fleet.world.now() + length;
    while run.fleet.world.now() < end {
        run.step();
    }
    // What the fleet sent a second time, under the same key and alias.
    let (mut alone, mut stages, mut repeated) = (0, BTreeMap::new(), 0);
    for delivery in run.fleet.pager.take_deliveries() {
        match delivery.part {
            Some(FleetPart::All { epoch, has_doubled, is_repeated, open, .. }) => {
                let key = (epoch, delivery.kind, delivery.stage, is_repeated, has_doubled.then_some(open));
                let sent = stages.entry(key).or_insert(0);
                *sent += 1;
                repeated += u32::from(*sent > 1);
            }
            _ => alone += 1,
        }
    }
    let pages = run.fleet.pager.seen().into_iter().filter(|seen| *seen == Seen::Paged).count();
    println!(
        "seed {seed}: {replicas} replicas for {length:?}, {} killed: {pages} alerts opened, {} stages sent by the fleet and {repeated} of \
         them again, {alone} sent alone",
        run.kills,
        stages.len(),
    );
}

#[test]
fn thirty_replicas_hold_the_promises_for_a_day() {
    for seed in 0..12 {
        run(seed, 30, s(2 * 3_600));
    }
}

#[test]
fn a_thousand_replicas_hold_the_promises() {
    // `.ci/fleet` runs hours.
    let hours = std::env::var("TRIPLINE_FLEET_HOURS").ok().and_then(|hours| hours.parse::<f64>().ok()).unwrap_or(0.15);
    run(1, 1_000, s(3_600).mul_f64(hours));
}
