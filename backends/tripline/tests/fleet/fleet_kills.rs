//! Kills a process at each step that a test can hold from outside: the alert service withholds its response until the process is gone.
//!
//! `tests/tests/sim/sim_fleet_kills.rs` kills at every step, on the in-memory engine.

use crate::alert_service::Fault;
use crate::redis_server::RedisServer;
use crate::replicas::Replicas;

/// Gives the alert service this fault, runs `act`, and kills the process that sends the alert. Then the fault ends. Returns the
/// number of the killed process.
fn kill_the_sender(replicas: &mut Replicas, fault: Fault, act: impl FnOnce(&Replicas)) -> usize {
    let before = replicas.claims();
    replicas.service.standing_trouble(fault);
    act(replicas);
    replicas.until(60, "a request is on the way", |it| it.service.hanging() > 0);
    let after = replicas.claims();
    let sender = (0..after.len()).find(|&number| after[number] > before[number]).unwrap();
    replicas.kill(sender);
    replicas.service.standing_trouble(Fault::None);
    sender
}

/// Ensures that a running process is unwell after `killed` is gone: trips another one if necessary. Returns its number.
fn keep_it_going(replicas: &Replicas, unwell: usize, killed: usize) -> usize {
    if unwell == killed {
        let other = (killed + 1) % 3;
        replicas.trip(other);
        return other;
    }
    unwell
}

fn paged(redis: &RedisServer) -> Replicas {
    let replicas = Replicas::start(redis, 3, 0);
    replicas.trip(0);
    replicas.until(30, "it pages", Replicas::is_open);
    replicas.until(20, "it is acknowledged", |it| it.stage(1) == "initial");
    replicas
}

fn is_one_alert(replicas: &Replicas) {
    assert_eq!(replicas.alerts().len(), 1, "{:?}", replicas.alerts());
}

#[test]
fn before_it_sends_the_page() {
    let Some(redis) = RedisServer::start_in_ci("killed before it sends the page") else { return };
    let mut replicas = Replicas::start(&redis, 3, 0);
    let killed = kill_the_sender(&mut replicas, Fault::Silent, |it| it.trip(0));
    let unwell = keep_it_going(&replicas, 0, killed);
    replicas.until(60, "another pages", Replicas::is_open);
    replicas.all_recover([unwell]);
    is_one_alert(&replicas);
}

#[test]
fn after_it_has_sent_the_page_and_before_it_acknowledges() {
    let Some(redis) = RedisServer::start_in_ci("killed before it acknowledges the page") else { return };
    let mut replicas = Replicas::start(&redis, 3, 0);
    let killed = kill_the_sender(&mut replicas, Fault::DoneAndSilent, |it| it.trip(0));
    let unwell = keep_it_going(&replicas, 0, killed);
    // Another replica sends it again when the lease ends; the alert service deduplicates it by its alias.
    replicas.until(60, "another acknowledges it", |it| it.stage(unwell) == "initial");
    replicas.all_recover([unwell]);
    is_one_alert(&replicas);
}

#[test]
fn after_it_has_acknowledged_the_page() {
    let Some(redis) = RedisServer::start_in_ci("killed after it acknowledged the page") else { return };
    let mut replicas = paged(&redis);
    let sender = replicas.claimant();
    replicas.kill(sender);
    let unwell = keep_it_going(&replicas, 0, sender);
    std::thread::park_timeout(std::time::Duration::from_secs(25));
    assert_eq!(replicas.alerts()[0].count, 1, "no second page");
    replicas.all_recover([unwell]);
    is_one_alert(&replicas);
}

#[test]
fn while_the_incident_settles() {
    let Some(redis) = RedisServer::start_in_ci("killed while the incident settles") else { return };
    let mut replicas = paged(&redis);
    replicas.recover(0);
    replicas.kill(0);
    replicas.until(60, "another closes it", |it| !it.is_open());
    is_one_alert(&replicas);
}

#[test]
fn before_it_sends_the_close() {
    let Some(redis) = RedisServer::start_in_ci("killed before it sends the close") else { return };
    let mut replicas = paged(&redis);
    kill_the_sender(&mut replicas, Fault::Silent, |it| it.recover(0));
    replicas.until(90, "another closes it", |it| !it.is_open());
    is_one_alert(&replicas);
}

#[test]
fn after_it_has_sent_the_close_and_before_it_acknowledges() {
    let Some(redis) = RedisServer::start_in_ci("killed before it acknowledges the close") else { return };
    let mut replicas = paged(&redis);
    kill_the_sender(&mut replicas, Fault::DoneAndSilent, |it| it.recover(0));
    assert!(!replicas.is_open());
    replicas.until(90, "another closes it, and once more", |it| it.closes() >= 3);
    assert!(!replicas.is_open());
    is_one_alert(&replicas);
}

#[test]
fn during_the_second_close() {
    let Some(redis) = RedisServer::start_in_ci("killed during the second close") else { return };
    let mut replicas = paged(&redis);
    replicas.all_recover([0]);
    replicas.until(20, "it is acknowledged", |it| (0..3).any(|number| it.stage(number) == "resolved"));
    let closes = replicas.closes();
    kill_the_sender(&mut replicas, Fault::Silent, |_| ());
    replicas.until(60, "another sends it", |it| it.closes() > closes + 1);
    assert!(!replicas.is_open());
    is_one_alert(&replicas);
}

#[test]
fn while_it_leaves() {
    let Some(redis) = RedisServer::start_in_ci("killed while it leaves") else { return };
    let mut replicas = paged(&redis);
    replicas.of(0).signal("TERM");
    replicas.kill(0);
    replicas.until(60, "the others close it", |it| !it.is_open());
    is_one_alert(&replicas);
}
