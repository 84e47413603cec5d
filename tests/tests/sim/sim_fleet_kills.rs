//! A replica is killed at every step of an incident, one step in each run: the promises hold all the same.

use std::collections::BTreeSet;
use std::time::Duration;

use tripline_tests::sim_support::{ms, s, staging};

use tripline_tests::fleet_world::FleetWorld;
use tripline_tests::fleet_world::kill_plan::KillPlan;
use tripline_tests::fleet_world::pager::Seen;

/// An alert must be open when an unwell replica is left after gather, a lease, an attempt and the wait of a healthy replica; and it
/// must be closed so long after the last is well: hold, settle, two leases and an attempt.
const MAX_SILENT: Duration = s(5 + 20 + 10 + 6);
const MAX_OPEN: Duration = s(30 + 10 + 40 + 10);

/// Every step that the issue names. `before`: the replica ends before it takes effect.
const STEPS: [&str; 26] = [
    "before beat",
    "after beat",
    "before sync",
    "after sync",
    "after claim initial",
    "before send initial",
    "after send initial",
    "before acknowledge initial",
    "after acknowledge initial",
    "after claim note",
    "before send note",
    "after send note",
    "after claim escalated",
    "before send escalated",
    "after send escalated",
    "before acknowledge escalated",
    "after claim resolved",
    "before send resolved",
    "after send resolved",
    "before acknowledge resolved",
    "after acknowledge resolved",
    "after claim resolved_again",
    "before send resolved_again",
    "after send resolved_again",
    "before leave",
    "after leave",
];

struct Run {
    fleet: FleetWorld,
    plan: KillPlan,
    is_dead: [bool; 4],
    unwell: [bool; 4],
    label: String,
}

impl Run {
    fn new(kill_at: Option<usize>, lateness: Duration) -> Self {
        let mut fleet = FleetWorld::new(11, staging(s(40), s(0)));
        fleet.start(4);
        fleet.advance(s(12));
        if !lateness.is_zero() {
            fleet.pager.set_all_late(lateness);
        }
        let plan = KillPlan::of(&fleet, kill_at);
        Self { fleet, plan, is_dead: [false; 4], unwell: [false; 4], label: format!("{kill_at:?}, {lateness:?}") }
    }

    fn advance(&mut self, span: Duration) {
        for _ in 0..span.as_millis() / 500 {
            self.fleet.advance(ms(500));
            self.fleet.pager.settle_late();
            if let Some(number) = self.plan.take_killed(&self.fleet).filter(|&number| !self.is_dead[number]) {
                self.fleet.kill(number);
                self.is_dead[number] = true;
            }
            assert!(self.fleet.pager.open_alerts() <= 1, "{}: two alerts are open", self.label);
        }
    }

    fn trip(&mut self, number: usize) {
        if !self.is_dead[number] {
            self.fleet.trip(number);
            self.unwell[number] = true;
        }
    }

    fn heal(&mut self, number: usize) {
        if !self.is_dead[number] {
            self.fleet.heal(number);
        }
        self.unwell[number] = false;
    }

    fn one_is_unwell(&self) -> bool {
        (0..4).any(|number| self.unwell[number] && !self.is_dead[number])
    }

    fn is_open(&self) -> bool {
        self.fleet.pager.is_open()
    }

    /// Three trip, it pages, notes and escalates; they recover one by one, it is closed twice, and one leaves.
    fn play(&mut self) {
        self.trip(0);
        self.advance(s(10));
        self.trip(1);
        self.trip(2);
        self.advance(MAX_SILENT);
        assert!(self.one_is_unwell() && self.is_open(), "{}: no page", self.label);
        self.advance(s(30));
        self.heal(0);
        self.heal(1);
        self.advance(s(60));
        assert!(self.is_open() || self.is_dead[2], "{}: closed too early", self.label);
        self.heal(2);
        self.advance(MAX_OPEN);
        assert!(!self.is_open(), "{}: open since all are well", self.label);
        // Those that stop leave.
        if !self.is_dead[3] {
            self.fleet.replicas[3].stop.stop(s(1));
        }
        self.advance(s(15));
        let alive = (0..3).filter(|&number| !self.is_dead[number]);
        for number in alive {
            let members = self.fleet.replicas[number].fleet.status().members as usize;
            assert!(members == 3 || self.is_dead[3] && members == 4, "{}: {members} members", self.label);
        }
        let paged = self.fleet.pager.seen().iter().filter(|seen| **seen == Seen::Paged).count();
        assert_eq!(paged, 1, "{}: {:?}", self.label, self.fleet.pager.log());
    }
}

/// A run without a kill has the steps; then there is one run for each.
fn kill_at_every_step(lateness: Duration) {
    let mut whole = Run::new(None, lateness);
    whole.play();
    let steps = whole.plan.steps();
    let names: BTreeSet<&str> = steps.iter().map(String::as_str).collect();
    for step in STEPS {
        assert!(names.contains(step), "no run is killed {step}: {names:?}");
    }
    // Beats and reports come again and again: `.ci/fleet` looks at each.
    let all = std::env::var("TRIPLINE_FLEET_HOURS").is_ok();
    let is_common = |step: &str| step.ends_with("beat") || step.ends_with("sync");
    let picked = steps.iter().enumerate().filter(|(number, step)| all || !is_common(step) || number % 23 == 0);
    for (number, step) in picked {
        let mut run = Run::new(Some(number), lateness);
        run.label = format!("killed {step} (step {number}), {lateness:?}");
        run.play();
    }
}

#[test]
fn a_kill_at_any_step_leaves_one_page_and_one_close() {
    kill_at_every_step(Duration::ZERO);
}

#[test]
fn a_kill_at_any_step_leaves_one_close_also_where_what_was_on_its_way_arrives_late() {
    kill_at_every_step(s(15));
}
