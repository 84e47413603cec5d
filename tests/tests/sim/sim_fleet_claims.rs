//! Who sends for the fleet, for how long, and what a claimant repeats to an engine that lost it.

use tripline_tests::sim_support::{ms, s, staging};

use tripline_tests::fleet_world::FleetWorld;
use tripline_tests::fleet_world::pager::Seen;

use Seen::{Closed, Paged};

fn fleet(seed: u64, replicas: usize) -> FleetWorld {
    FleetWorld::running(seed, staging(s(60), s(0)), replicas)
}

#[test]
fn a_claimant_begins_no_attempt_that_its_lease_may_not_outlast() {
    let mut fleet = fleet(1, 1);
    fleet.pager.set_slow(s(10_000));
    fleet.trip(0);
    while fleet.pager.attempts() == 0 {
        fleet.advance(ms(100));
    }
    fleet.advance(s(19));
    assert_eq!(fleet.pager.attempts(), 1, "the first attempt took half of the lease");
    fleet.advance(s(100));
    assert!(fleet.pager.attempts() > 1, "it claims the page again");
}

#[test]
fn healthy_replicas_leave_the_first_page_to_an_unwell_one_for_a_while() {
    let mut fleet = fleet(2, 10);
    fleet.trip(0);
    fleet.advance(s(4));
    fleet.engine.set_cut_off(&fleet.replicas[0].name, true);
    // The page is due after 5 s.
    fleet.advance(s(6));
    assert_eq!(fleet.pager.seen(), []);
    fleet.advance(s(9));
    assert_eq!(fleet.pager.seen(), [Paged]);
    assert_eq!(fleet.replicas[0].fleet.status().claims, 0);
}

#[test]
fn an_engine_that_forgets_before_the_acknowledgement_pages_no_second_time() {
    for seed in 0..10 {
        let mut fleet = fleet(seed, 10);
        fleet.forget_before_acknowledgements();
        fleet.trip(0);
        fleet.advance(s(50));
        assert_eq!(fleet.pager.seen(), [Paged], "seed {seed}");
        fleet.heal(0);
        fleet.advance(s(20));
        assert_eq!(fleet.pager.seen(), [Paged, Closed], "seed {seed}");
    }
}

#[test]
fn an_engine_that_hangs_is_out_of_reach() {
    let mut fleet = fleet(3, 2);
    fleet.engine.set_hanging(true);
    fleet.trip(0);
    fleet.advance(s(60));
    assert_eq!(fleet.pager.seen().first(), Some(&Paged));
    assert!(fleet.replicas[1].fleet.status().is_alone);
}

#[test]
fn an_alert_that_was_not_delivered_alone_is_not_sent_after_the_engine_is_back() {
    let mut fleet = fleet(4, 3);
    fleet.engine.set_down(true);
    fleet.pager.set_down(true);
    fleet.trip(0);
    fleet.advance(s(60));
    assert!(fleet.pager.attempts() > 0, "it pages alone");
    fleet.engine.set_down(false);
    fleet.advance(s(10));
    fleet.heal(0);
    fleet.advance(s(30));
    fleet.pager.set_down(false);
    fleet.advance(s(200));
    assert!(!fleet.pager.is_open() && !fleet.pager.seen().contains(&Paged), "{:?}", fleet.pager.seen());
}

#[test]
fn an_incident_costs_each_replica_one_report_with_each_beat() {
    let mut fleet = fleet(5, 10);
    fleet.trip(0);
    fleet.advance(s(20));
    let before = fleet.engine.calls();
    fleet.advance(s(30));
    let calls = fleet.engine.calls() - before;
    assert!((90..=140).contains(&calls), "10 replicas, 6 beats and 6 reports each: {calls}");
}
