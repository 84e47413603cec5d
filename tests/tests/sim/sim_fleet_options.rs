//! What is off by default: a budget of probes, and commands to all replicas.

use std::time::Duration;

use tripline_core::fleet::Action;
use tripline_core::{Outcome, StateKind};
use tripline_tests::sim_support::{FAST, ms, report, s, staging};

use tripline_tests::fleet_world::FleetWorld;

/// Of so many replicas all are open, and each has calls all the time. Gives the largest number that was half-open at once, and how
/// long it took until all were closed.
fn recover(fleet: &mut FleetWorld, replicas: usize, most: Duration) -> (usize, Duration) {
    let (mut largest, begin) = (0, fleet.world.now());
    loop {
        let mut half_open = 0;
        for replica in &fleet.replicas {
            half_open += usize::from(replica.breaker.state() == StateKind::HalfOpen);
        }
        largest = largest.max(half_open);
        let closed = fleet.replicas.iter().filter(|it| it.breaker.state() == StateKind::Closed).count();
        let took = fleet.world.now().since(begin);
        if closed == replicas {
            return (largest, took);
        }
        assert!(took < most, "{closed} of {replicas} are closed after {took:?}");
        // One call each: a half-open breaker needs several until it closes.
        for replica in &fleet.replicas {
            report(&replica.breaker, FAST, Outcome::Ok);
        }
        fleet.advance(ms(100));
    }
}

fn tripped(seed: u64, replicas: usize, probe_millionths: u32) -> FleetWorld {
    let mut fleet = FleetWorld::new(seed, staging(s(0), s(0)));
    fleet.probe_millionths = probe_millionths;
    fleet.start(replicas);
    fleet.advance(s(20));
    (0..replicas).for_each(|number| fleet.trip(number));
    fleet
}

#[test]
fn without_a_budget_all_probe_when_their_wait_is_over() {
    let (largest, took) = recover(&mut tripped(1, 40, 0), 40, s(30));
    assert!(largest > 20 && took < s(12), "{largest}, {took:?}");
}

#[test]
fn with_a_budget_no_more_than_its_share_probe_at_once_and_all_recover() {
    for (share, most) in [(50_000, 2), (10_000, 1), (200_000, 8)] {
        let (largest, took) = recover(&mut tripped(2, 40, share), 40, s(300));
        assert!((1..=most).contains(&largest), "{largest} probed at once, {most} may; {took:?}");
    }
}

#[test]
fn an_engine_that_goes_out_of_reach_holds_no_probe_beyond_the_next_beat() {
    let fleet = tripped(8, 40, 25_000);
    fleet.advance(s(6));
    fleet.engine.set_down(true);
    // The wait of all is over after 10 s, and each has noticed within one beat.
    fleet.advance(ms(5_600));
    let admitted = fleet.replicas.iter().filter(|replica| report(&replica.breaker, FAST, Outcome::Ok)).count();
    assert_eq!(admitted, 40);
}

#[test]
fn without_the_engine_the_local_rule_decides_whatever_the_budget() {
    let mut fleet = tripped(3, 40, 25_000);
    fleet.advance(s(2));
    fleet.engine.set_down(true);
    let (largest, took) = recover(&mut fleet, 40, s(60));
    assert!(largest > 20, "{largest}, {took:?}");
}

#[test]
fn an_engine_that_hangs_while_probes_are_held_lets_them_go() {
    let mut fleet = tripped(4, 40, 25_000);
    fleet.advance(s(2));
    fleet.engine.set_hanging(true);
    let (_, took) = recover(&mut fleet, 40, s(60));
    assert!(took < s(30), "{took:?}");
}

#[test]
fn a_replica_without_calls_does_not_keep_its_leave_to_probe() {
    let fleet = tripped(5, 10, 100_000);
    // One may probe at once. The first nine have no calls for two minutes.
    let last = fleet.replicas[9].breaker.clone();
    for _ in 0..3_000 {
        report(&last, FAST, Outcome::Ok);
        fleet.advance(ms(100));
        if last.state() == StateKind::Closed {
            return;
        }
    }
    panic!("it never got leave to probe");
}

#[test]
fn a_runner_that_is_killed_holds_no_probe_for_long() {
    let mut fleet = tripped(6, 5, 200_000);
    fleet.advance(s(2));
    (0..5).for_each(|number| fleet.kill(number));
    let (_, took) = recover(&mut fleet, 5, s(30));
    assert!(took < s(20), "{took:?}");
}

fn states(fleet: &FleetWorld) -> Vec<StateKind> {
    fleet.replicas.iter().map(|replica| replica.breaker.state()).collect()
}

/// Has replica 0 command all.
fn command(fleet: &FleetWorld, action: Action) -> u64 {
    let (of, name) = (fleet.replicas[0].fleet.clone(), fleet.replicas[0].breaker.name().clone());
    fleet.run(async move { of.command(action, &name).await }).unwrap()
}

fn done(fleet: &FleetWorld, number: u64) -> (u32, u32) {
    let of = fleet.replicas[0].fleet.clone();
    let progress = fleet.run(async move { of.command_progress(number).await }).unwrap();
    (progress.done, progress.members)
}

fn commanded(replicas: usize) -> FleetWorld {
    let mut fleet = FleetWorld::new(7, staging(s(0), s(0)));
    fleet.takes_commands = true;
    fleet.start(replicas);
    fleet.advance(s(20));
    fleet
}

#[test]
fn all_replicas_carry_out_what_is_commanded_through_one() {
    let fleet = &mut commanded(100);
    let number = command(fleet, Action::Disable);
    fleet.advance(s(7));
    assert!(states(fleet).iter().all(|state| *state == StateKind::Disabled));
    assert_eq!(done(fleet, number), (100, 100));
    // What is done to one replica alone stays.
    fleet.replicas[5].breaker.enable();
    fleet.advance(s(60));
    assert_eq!(fleet.replicas[5].breaker.state(), StateKind::Closed);
    command(fleet, Action::Enable);
    fleet.advance(s(7));
    assert!(states(fleet).iter().all(|state| *state == StateKind::Closed));
    (0..50).for_each(|number| fleet.trip(number));
    command(fleet, Action::Reset);
    fleet.advance(s(7));
    assert!(states(fleet).iter().all(|state| *state == StateKind::Closed));
}

#[test]
fn commands_in_a_row_are_carried_out_in_order() {
    let fleet = &mut commanded(10);
    for action in [Action::Disable, Action::Enable, Action::Disable, Action::Enable, Action::Reset, Action::Disable] {
        command(fleet, action);
    }
    fleet.advance(s(7));
    assert!(states(fleet).iter().all(|state| *state == StateKind::Disabled));
}

#[test]
fn a_replica_that_is_cut_off_for_a_minute_misses_a_command_and_it_shows() {
    let fleet = &mut commanded(10);
    let name = fleet.replicas[3].name.clone();
    fleet.engine.set_cut_off(&name, true);
    let number = command(fleet, Action::Disable);
    fleet.advance(s(62));
    fleet.engine.set_cut_off(&name, false);
    fleet.advance(s(20));
    assert_eq!(fleet.replicas[3].breaker.state(), StateKind::Closed);
    assert_eq!(done(fleet, number), (9, 10));
}

#[test]
fn an_engine_that_forgets_and_whose_commands_were_done_repeats_none() {
    let fleet = &mut commanded(10);
    command(fleet, Action::Disable);
    fleet.advance(s(7));
    fleet.engine.forget();
    (0..10).for_each(|number| fleet.replicas[number].breaker.enable());
    fleet.advance(s(20));
    assert!(states(fleet).iter().all(|state| *state == StateKind::Closed));
    // And the next one is carried out.
    let number = command(fleet, Action::Disable);
    fleet.advance(s(7));
    assert_eq!(done(fleet, number), (10, 10));
}

#[test]
fn commands_are_off_by_default() {
    let mut fleet = FleetWorld::new(8, staging(s(0), s(0)));
    fleet.start(2);
    fleet.advance(s(6));
    let (of, name) = (fleet.replicas[0].fleet.clone(), fleet.replicas[0].breaker.name().clone());
    let answer = fleet.run(async move { of.command(Action::Disable, &name).await });
    assert!(answer.unwrap_err().to_string().contains("fleet.commands = true"));
}
