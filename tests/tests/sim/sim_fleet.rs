//! A fleet pages once, escalates once and closes once, whatever fails.

use tripline_core::fleet::PageAt;
use tripline_tests::sim_support::{ms, no_cooldown, s, staging};

use tripline_tests::fleet_world::FleetWorld;
use tripline_tests::fleet_world::pager::Seen;

use Seen::{Closed, ClosedNone, Escalated, Folded, Noted, Paged};

fn fleet(seed: u64, replicas: usize) -> FleetWorld {
    FleetWorld::running(seed, staging(s(60), s(0)), replicas)
}

#[test]
fn thirty_seven_of_a_hundred_page_once_escalate_once_and_are_closed_once() {
    let mut fleet = fleet(1, 100);
    for number in 0..37 {
        fleet.trip(number);
        fleet.advance(ms(100));
    }
    fleet.advance(s(4));
    assert_eq!(fleet.pager.seen(), [Paged]);
    assert_eq!(fleet.pager.texts(), ["37 of 100 replicas open, first: web-0"]);
    fleet.advance(s(60));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated]);
    for number in 0..36 {
        fleet.heal(number);
    }
    fleet.advance(s(300));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated], "one is still open");
    fleet.heal(36);
    fleet.advance(s(20));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated, Closed]);
    fleet.advance(s(600));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated, Closed, ClosedNone], "the close is sent a second time");
}

#[test]
fn a_note_says_when_the_number_of_open_replicas_has_doubled() {
    let mut fleet = fleet(2, 50);
    fleet.trip(0);
    fleet.advance(s(10));
    assert_eq!(fleet.pager.seen(), [Paged]);
    fleet.trip(1);
    fleet.advance(s(20));
    assert_eq!(fleet.pager.seen(), [Paged, Noted]);
    fleet.trip(2);
    fleet.advance(s(20));
    assert_eq!(fleet.pager.seen(), [Paged, Noted], "three are not twice two");
    fleet.advance(s(60));
    (3..20).for_each(|number| fleet.trip(number));
    fleet.advance(s(40));
    assert_eq!(fleet.pager.seen()[..4], [Paged, Noted, Escalated, Noted]);
    assert!(fleet.pager.seen().len() <= 5, "one note at a time, not one for each doubling");
    assert!(fleet.pager.texts().contains(&"20 of 50 replicas open, first: web-0".to_owned()));
}

#[test]
fn what_recovers_before_enough_replicas_are_unwell_pages_no_one() {
    let mut fleet = FleetWorld::new(3, no_cooldown());
    fleet.page_at = PageAt::Millionths(50_000);
    fleet.start(100);
    fleet.advance(s(20));
    (0..4).for_each(|number| fleet.trip(number));
    fleet.advance(s(600));
    assert_eq!(fleet.pager.seen(), []);
    fleet.trip(4);
    fleet.advance(s(3));
    assert_eq!(fleet.pager.seen(), [Paged]);
}

#[test]
fn an_engine_out_of_reach_has_each_replica_page_alone_under_one_alias_and_the_fleet_closes_it() {
    let mut fleet = fleet(4, 20);
    fleet.engine.set_down(true);
    fleet.trip(0);
    fleet.trip(1);
    fleet.advance(s(14));
    assert_eq!(fleet.pager.seen(), [], "the engine may be back soon");
    fleet.advance(s(42));
    assert_eq!(fleet.pager.seen(), [Paged, Folded]);
    assert!(fleet.pager.texts().iter().all(|text| text.contains("engine unreachable")));
    fleet.heal(0);
    fleet.heal(1);
    fleet.advance(s(300));
    assert_eq!(fleet.pager.seen(), [Paged, Folded], "no replica closes alone");
    fleet.engine.set_down(false);
    fleet.advance(s(60));
    assert_eq!(fleet.pager.seen(), [Paged, Folded, Closed, ClosedNone]);
}

#[test]
fn an_engine_that_forgets_pages_no_second_time() {
    for seed in 0..20 {
        let mut fleet = fleet(seed, 20);
        fleet.trip(0);
        fleet.trip(1);
        fleet.advance(s(10));
        assert_eq!(fleet.pager.seen(), [Paged]);
        fleet.engine.forget();
        fleet.trip(2);
        fleet.advance(s(55));
        let seen = fleet.pager.seen();
        assert!(!seen[1..].contains(&Paged) && !seen.contains(&Folded), "seed {seed}: {seen:?}");
        assert_eq!(seen.iter().filter(|seen| **seen == Escalated).count(), 1, "seed {seed}: {seen:?}");
        (0..3).for_each(|number| fleet.heal(number));
        fleet.advance(s(60));
        assert!(!fleet.pager.is_open(), "seed {seed}");
    }
}

#[test]
fn a_claimant_that_is_killed_is_replaced_when_its_lease_ends() {
    let mut fleet = fleet(5, 10);
    fleet.pager.set_slow(s(8));
    fleet.trip(0);
    while fleet.pager.attempts() == 0 {
        fleet.advance(ms(20));
    }
    // It has claimed, and its request is on the way.
    assert_eq!(fleet.pager.seen(), []);
    fleet.kill(0);
    fleet.advance(s(40));
    assert_eq!(fleet.pager.seen(), [Paged]);
}

#[test]
fn a_replica_whose_pager_fails_leaves_the_stage_to_another() {
    let mut fleet = fleet(6, 10);
    fleet.pager.set_down(true);
    fleet.trip(0);
    fleet.advance(s(12));
    assert!(fleet.pager.attempts() >= 3);
    let claims = |fleet: &FleetWorld| fleet.replicas.iter().filter(|it| it.fleet.status().claims > 0).count();
    fleet.advance(s(30));
    assert!(claims(&fleet) >= 2);
    fleet.pager.set_down(false);
    fleet.advance(s(90));
    assert_eq!(fleet.pager.seen()[..1], [Paged]);
}

#[test]
fn a_replica_that_stops_leaves_and_its_incident_ends() {
    let mut fleet = fleet(7, 3);
    fleet.trip(0);
    fleet.advance(s(10));
    assert_eq!(fleet.replicas[1].fleet.status().members, 3);
    fleet.replicas[0].stop.stop(s(1));
    fleet.advance(s(30));
    assert_eq!(fleet.pager.seen(), [Paged, Closed]);
    assert_eq!(fleet.replicas[1].fleet.status().members, 2);
}

#[test]
fn unwell_replicas_that_vanish_hold_the_incident_as_long_as_recovery_would_take() {
    let mut fleet = fleet(8, 5);
    fleet.trip(0);
    fleet.advance(s(10));
    fleet.kill(0);
    fleet.advance(s(29));
    assert_eq!(fleet.pager.seen(), [Paged]);
    fleet.advance(s(20));
    assert_eq!(fleet.pager.seen(), [Paged, Closed]);
}

#[test]
fn clocks_of_replicas_that_are_off_by_hours_have_no_effect() {
    let mut fleet = FleetWorld::new(9, staging(s(60), s(0)));
    fleet.skew = s(9 * 3_600);
    fleet.start(10);
    fleet.advance(s(20));
    fleet.trip(0);
    fleet.trip(1);
    fleet.advance(s(10));
    assert_eq!(fleet.pager.seen(), [Paged]);
    let seen = fleet.replicas[2].fleet.breaker("default").unwrap();
    assert_eq!((seen.open, seen.unwell, seen.first.as_deref()), (2, 2, Some("web-0")));
    assert!(seen.age.unwrap() <= s(10));
    fleet.advance(s(60));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated]);
    fleet.heal(0);
    fleet.heal(1);
    fleet.advance(s(60));
    assert_eq!(fleet.pager.seen(), [Paged, Escalated, Closed, ClosedNone]);
}

#[test]
fn an_engine_whose_clock_jumps_by_hours_pages_once_and_closes_once() {
    for seed in 0..20 {
        // Before the page, and after it; forth and back.
        for (jumps_at, ahead, then) in [(2, 0, 9_000), (2, 9_000, 0), (15, 0, 9_000), (15, 9_000, 0)] {
            let mut fleet = FleetWorld::new(seed, staging(s(0), s(0)));
            fleet.engine.set_clock_ahead(s(ahead));
            fleet.start(10);
            fleet.advance(s(20));
            fleet.trip(0);
            fleet.trip(1);
            fleet.advance(s(jumps_at));
            fleet.engine.set_clock_ahead(s(then));
            fleet.advance(s(40));
            // One replica may have been counted before the other said it again: a note.
            let seen =
                |fleet: &FleetWorld| fleet.pager.seen().into_iter().filter(|it| *it != Noted).collect::<Vec<_>>();
            assert_eq!(seen(&fleet), [Paged], "seed {seed}, {jumps_at}, {ahead} to {then}");
            fleet.heal(0);
            fleet.heal(1);
            fleet.advance(s(60));
            assert_eq!(seen(&fleet)[..2], [Paged, Closed], "seed {seed}, {jumps_at}, {ahead} to {then}");
            assert!(!fleet.pager.is_open());
        }
    }
}
