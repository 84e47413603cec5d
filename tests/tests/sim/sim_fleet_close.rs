//! Replicas that also close alone what they paged alone (`fallback_close`).

use tripline_tests::fleet_world::FleetWorld;
use tripline_tests::fleet_world::pager::Seen::{self, Closed, Paged};
use tripline_tests::sim_support::{s, staging};

fn fleet(seed: u64) -> FleetWorld {
    let mut fleet = FleetWorld::new(seed, staging(s(0), s(0)));
    fleet.fallback_close = true;
    fleet.start(3);
    fleet.advance(s(20));
    fleet
}

fn count(fleet: &FleetWorld, what: Seen) -> usize {
    fleet.pager.seen().iter().filter(|seen| **seen == what).count()
}

/// Replica 1 is unwell throughout, replica 0 for a while in which the engine is down.
fn closed_alone(seed: u64, is_paged_before: bool) -> FleetWorld {
    let mut fleet = fleet(seed);
    if is_paged_before {
        fleet.trip(1);
        fleet.advance(s(10));
        assert_eq!(fleet.pager.seen(), [Paged]);
    }
    fleet.engine.set_down(true);
    if !is_paged_before {
        fleet.trip(1);
    }
    fleet.trip(0);
    fleet.advance(s(60));
    assert_eq!(count(&fleet, Paged), 1);
    fleet.heal(0);
    fleet.advance(s(5));
    assert!(!fleet.pager.is_open(), "they share one alert, and it closes its own");
    fleet
}

#[test]
fn where_another_replica_is_still_unwell_the_fleet_pages_again() {
    for is_paged_before in [true, false] {
        let mut fleet = closed_alone(1, is_paged_before);
        fleet.engine.set_down(false);
        fleet.advance(s(40));
        assert!(fleet.pager.is_open(), "{:?}", fleet.pager.seen());
        assert_eq!(count(&fleet, Paged), 2, "{:?}", fleet.pager.seen());
        fleet.heal(1);
        fleet.advance(s(60));
        assert!(!fleet.pager.is_open(), "{:?}", fleet.pager.seen());
        assert_eq!((count(&fleet, Paged), count(&fleet, Closed)), (2, 2), "{:?}", fleet.pager.seen());
    }
}

#[test]
fn where_all_are_well_nothing_is_paged_again() {
    for is_paged_before in [true, false] {
        let mut fleet = closed_alone(2, is_paged_before);
        fleet.heal(1);
        fleet.advance(s(10));
        fleet.engine.set_down(false);
        fleet.advance(s(120));
        assert!(!fleet.pager.is_open(), "{:?}", fleet.pager.seen());
        assert_eq!(count(&fleet, Paged), 1, "{:?}", fleet.pager.seen());
    }
}

#[test]
fn a_close_that_takes_effect_after_the_engine_is_back_is_followed_by_a_page() {
    let mut fleet = fleet(3);
    fleet.trip(1);
    fleet.advance(s(10));
    fleet.engine.set_down(true);
    fleet.trip(0);
    fleet.advance(s(60));
    // Requests take up to 80 s.
    fleet.pager.set_slow(s(160));
    fleet.heal(0);
    fleet.advance(s(1));
    fleet.engine.set_down(false);
    fleet.pager.set_slow(s(1));
    fleet.advance(s(10));
    assert!(fleet.pager.is_open(), "the close is on its way: {:?}", fleet.pager.seen());
    fleet.advance(s(150));
    assert_eq!(count(&fleet, Closed), 1, "{:?}", fleet.pager.seen());
    assert!(fleet.pager.is_open(), "{:?}", fleet.pager.seen());
}

#[test]
fn an_alert_that_was_paged_again_alone_is_taken_over() {
    let mut fleet = closed_alone(4, true);
    fleet.trip(2);
    fleet.advance(s(60));
    assert!(fleet.pager.is_open());
    fleet.engine.set_down(false);
    fleet.advance(s(60));
    assert!(fleet.pager.is_open());
    assert_eq!(count(&fleet, Paged), 2, "{:?}", fleet.pager.seen());
    fleet.heal(1);
    fleet.heal(2);
    fleet.advance(s(60));
    assert!(!fleet.pager.is_open(), "{:?}", fleet.pager.seen());
}
