//! Two primaries at once, and a failover to a replica of the engine that is behind.

use tripline_tests::sim_support::{s, staging};

use tripline_tests::fleet_world::FleetWorld;
use tripline_tests::fleet_world::pager::Seen::{Closed, Folded, Paged};

fn fleet(seed: u64, replicas: usize) -> FleetWorld {
    FleetWorld::running(seed, staging(s(0), s(0)), replicas)
}

#[test]
fn two_primaries_open_one_alert_and_after_the_merge_it_is_closed_once_all_are_well() {
    for (seed, keeps_second) in (0..20).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut fleet = fleet(seed, 6);
        let names: Vec<String> = fleet.replicas.iter().map(|replica| replica.name.clone()).collect();
        fleet.engine.split(&[&names[0], &names[1], &names[2]]);
        if seed % 2 == 0 {
            fleet.engine.forget_second();
        }
        fleet.trip(0);
        fleet.trip(5);
        fleet.advance(s(30));
        let seen = fleet.pager.seen();
        assert_eq!(seen, [Paged, Folded], "seed {seed}: both page under one alias");
        fleet.engine.unite(keeps_second);
        fleet.advance(s(60));
        assert_eq!(fleet.pager.open_alerts(), 1, "seed {seed}: {:?}", fleet.pager.seen());
        fleet.heal(0);
        fleet.advance(s(60));
        assert!(fleet.pager.is_open(), "seed {seed}: one is still unwell; {:?}", fleet.pager.log());
        fleet.heal(5);
        fleet.advance(s(60));
        assert!(!fleet.pager.is_open(), "seed {seed}: {:?}", fleet.pager.log());
        assert_eq!(fleet.pager.seen().iter().filter(|seen| **seen == Paged).count(), 1, "seed {seed}");
    }
}

#[test]
fn what_one_of_two_primaries_closed_is_opened_again_while_a_replica_is_unwell() {
    for (seed, keeps_second) in (0..20).flat_map(|seed| [(seed, false), (seed, true)]) {
        let mut fleet = fleet(seed, 4);
        let names: Vec<String> = fleet.replicas.iter().map(|replica| replica.name.clone()).collect();
        fleet.engine.split(&[&names[0], &names[1]]);
        fleet.trip(0);
        fleet.trip(3);
        fleet.advance(s(30));
        fleet.heal(0);
        fleet.advance(s(30));
        assert_eq!(fleet.pager.seen()[..3], [Paged, Folded, Closed], "the second primary knows of one replica only");
        fleet.engine.unite(keeps_second);
        fleet.advance(s(60));
        assert!(fleet.pager.is_open(), "seed {seed}, {keeps_second}: one is unwell; {:?}", fleet.pager.log());
        fleet.heal(3);
        fleet.advance(s(90));
        assert!(!fleet.pager.is_open(), "seed {seed}: {:?}", fleet.pager.log());
    }
}

#[test]
fn a_failover_that_loses_the_newest_writes_pages_no_second_time() {
    for seed in 0..20 {
        for lost in [1, 4, 8, 20] {
            let mut fleet = fleet(seed, 6);
            fleet.trip(0);
            fleet.trip(1);
            let mut saved = fleet.engine.save();
            for second in 0..30 {
                fleet.advance(s(1));
                if second == 30 - lost {
                    saved = fleet.engine.save();
                }
            }
            assert_eq!(fleet.pager.seen(), [Paged]);
            fleet.engine.restore(&saved);
            fleet.advance(s(60));
            assert_eq!(fleet.pager.seen(), [Paged], "seed {seed}, {lost} s lost");
            fleet.heal(0);
            fleet.heal(1);
            fleet.advance(s(30));
            assert_eq!(fleet.pager.seen()[..2], [Paged, Closed], "seed {seed}, {lost} s lost");
        }
    }
}

#[test]
fn a_failover_to_a_time_before_the_incident_pages_no_second_time() {
    for seed in 0..20 {
        let mut fleet = fleet(seed, 6);
        let saved = fleet.engine.save();
        fleet.trip(0);
        fleet.advance(s(15));
        assert_eq!(fleet.pager.seen(), [Paged]);
        fleet.engine.restore(&saved);
        fleet.advance(s(60));
        assert_eq!(fleet.pager.seen(), [Paged], "seed {seed}");
        fleet.heal(0);
        fleet.advance(s(30));
        assert_eq!(fleet.pager.seen(), [Paged, Closed], "seed {seed}");
    }
}
