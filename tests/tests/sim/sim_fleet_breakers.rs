//! Families in a fleet, and breakers that a process adds and removes while it runs.

use std::sync::Arc;

use tripline_core::fleet::Action;
use tripline_core::{Outcome, StateKind};
use tripline_runtime::Breaker;
use tripline_tests::sim_support::{SLOW, quick, quick_but, report_many, s, staging};

use tripline_tests::fleet_world::FleetWorld;
use tripline_tests::fleet_world::pager::{Pager, Seen};

use Seen::{Closed, ClosedNone, Escalated, Paged};

#[test]
fn a_family_takes_part_as_one_breaker() {
    let mut fleet = FleetWorld::new(1, staging(s(60), s(0)));
    fleet.is_family = true;
    fleet.start(3);
    fleet.advance(s(20));
    fleet.trip(0);
    fleet.trip(2);
    fleet.advance(s(10));
    assert_eq!(fleet.pager.seen(), [Paged]);
    assert_eq!(fleet.pager.texts(), ["2 of 3 replicas open, first: web-0"]);
    assert_eq!(fleet.pager.families(), ["1 of 1 keys open; worst: acme"]);
    fleet.advance(s(60));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated], "an open member is an open breaker");
    fleet.heal(0);
    fleet.advance(s(60));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated], "one is still open");
    let seen = fleet.replicas[1].fleet.breaker("default").unwrap();
    assert_eq!((seen.open, seen.unwell), (1, 1));
    fleet.heal(2);
    fleet.advance(s(60));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated, Closed, ClosedNone]);
}

#[test]
fn a_command_to_all_replicas_operates_every_member_of_a_family() {
    let mut fleet = FleetWorld::new(2, staging(s(60), s(0)));
    (fleet.is_family, fleet.takes_commands) = (true, true);
    fleet.start(3);
    fleet.advance(s(10));
    for (action, state) in [(Action::Disable, StateKind::Disabled), (Action::Enable, StateKind::Closed)] {
        command(&fleet, action, "default");
        assert!(fleet.replicas.iter().all(|replica| replica.breaker.state() == state), "{action:?}");
    }
}

#[test]
fn a_breaker_that_is_added_takes_part_and_one_that_is_removed_resolves_its_share() {
    let mut fleet = FleetWorld::new(3, staging(s(0), s(0)));
    fleet.takes_commands = true;
    fleet.start(3);
    fleet.advance(s(20));
    let pager = Arc::new(Pager::new(fleet.world.clock(), 3));
    let added = fleet.add_breaker("late", &pager);
    assert_eq!(names(&fleet, 0), ["default", "late"]);
    trip(&fleet, &added[0]);
    trip(&fleet, &added[1]);
    fleet.advance(s(10));
    assert_eq!((pager.seen(), fleet.pager.seen()), (vec![Paged], vec![]));
    assert_eq!(pager.texts(), ["2 of 3 replicas open, first: web-0"]);

    // A reload of the configuration removes it from one replica after the other.
    retire(&fleet, 0, &added[0]);
    fleet.advance(s(60));
    assert_eq!(pager.seen(), [Paged], "one is still open");
    retire(&fleet, 1, &added[1]);
    assert_eq!(names(&fleet, 1), ["default", "late"], "its incident is not over");
    fleet.advance(s(60));
    assert_eq!(pager.seen(), [Paged, Closed, ClosedNone]);
    assert_eq!(names(&fleet, 1), ["default"]);
    assert!(fleet.replicas[1].fleet.breaker("late").is_none());
    assert_eq!(names(&fleet, 2), ["default", "late"]);
    command(&fleet, Action::Enable, "late");
    assert_eq!(added[1].state(), StateKind::Disabled, "it executes no commands");

    // Another reload adds it again.
    added[1].set_policy(&quick()).unwrap();
    fleet.replicas[1].fleet.set_retired("late", false);
    assert_eq!(names(&fleet, 1), ["default", "late"]);
    trip(&fleet, &added[1]);
    fleet.advance(s(10));
    assert_eq!(pager.seen().last(), Some(&Paged));
}

fn names(fleet: &FleetWorld, number: usize) -> Vec<String> {
    fleet.replicas[number].fleet.status().breakers.iter().map(|breaker| breaker.name.to_string()).collect()
}

fn trip(fleet: &FleetWorld, breaker: &Breaker) {
    report_many(breaker, 5, SLOW, Outcome::Ok);
    fleet.world.run_until_idle();
}

/// As a process does to a breaker that is no longer in the configuration.
fn retire(fleet: &FleetWorld, number: usize, breaker: &Breaker) {
    breaker.set_policy(&quick_but(|policy| policy.enabled = false)).unwrap();
    breaker.reset();
    fleet.replicas[number].fleet.set_retired(breaker.name().as_str(), true);
    fleet.world.run_until_idle();
}

fn command(fleet: &FleetWorld, action: Action, breaker: &'static str) {
    let through = fleet.replicas[2].fleet.clone();
    fleet.run(async move { through.command(action, &breaker.parse().unwrap()).await }).unwrap();
    fleet.advance(s(7));
}
