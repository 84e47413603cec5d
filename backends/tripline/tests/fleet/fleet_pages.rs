//! One page, one escalation and one close, also if a claimant dies or hangs.

use crate::redis_server::RedisServer;
use crate::replicas::Replicas;

#[test]
fn five_processes_page_once_escalate_once_and_close_once() {
    let Some(redis) = RedisServer::start_in_ci("five processes") else { return };
    let replicas = Replicas::start(&redis, 5, 25);
    for number in [3, 1, 4] {
        replicas.trip(number);
    }
    replicas.until(30, "it pages", Replicas::is_open);
    let alerts = replicas.alerts();
    assert_eq!((alerts.len(), alerts[0].count), (1, 1));
    let message = alerts[0].created["message"].as_str().unwrap();
    assert!(message.ends_with("3 of 5 replicas open, first: web-3"), "{message}");
    replicas.recover(3);
    replicas.until(40, "it escalates", |it| it.alerts()[0].priority == "P1");
    let status = replicas.of(0).status();
    assert_eq!(status["fleet"], "2 of 5 replicas open, first: web-3");
    replicas.recover(1);
    assert!(replicas.is_open(), "one is still open");
    replicas.all_recover([4]);
    let alerts = replicas.alerts();
    assert_eq!((alerts.len(), alerts[0].count), (1, 1));
    let claims: f64 = replicas.alive().map(|server| server.metric("tripline_fleet_claims_total")).sum();
    assert!(claims >= 3.0, "{claims}");
}

#[test]
fn two_processes_page_once_and_close_once() {
    let Some(redis) = RedisServer::start("two processes") else { return };
    let replicas = Replicas::start(&redis, 2, 0);
    replicas.trip(1);
    replicas.trip(0);
    replicas.until(30, "it pages", Replicas::is_open);
    let row = |it: &Replicas| it.of(0).get("/breakers").json()["breakers"][0]["fleet"].clone();
    replicas.until(20, "the list shows it", |it| row(it) == "2 of 2 replicas open, first: web-1");
    replicas.recover(1);
    assert!(replicas.is_open(), "one is still open");
    replicas.all_recover([0]);
    let alerts = replicas.alerts();
    assert_eq!((alerts.len(), alerts[0].count), (1, 1));
}

#[test]
fn an_unwell_process_that_is_paused_holds_the_incident_and_then_it_is_closed() {
    let Some(redis) = RedisServer::start_in_ci("a process that is paused") else { return };
    let replicas = Replicas::start(&redis, 3, 0);
    replicas.trip(0);
    replicas.until(30, "it pages", Replicas::is_open);
    replicas.of(0).signal("STOP");
    replicas.until(60, "the others close it", |it| !it.is_open());
    replicas.of(0).signal("CONT");
    replicas.until(60, "it is back and still open", Replicas::is_open);
    replicas.all_recover([0]);
}

#[test]
fn a_process_that_stops_leaves_and_does_not_count_as_silent() {
    let Some(redis) = RedisServer::start("a process that stops") else { return };
    let mut replicas = Replicas::start(&redis, 3, 0);
    replicas.of(2).signal("TERM");
    let mut stopped = replicas.servers[2].take().unwrap();
    assert!(stopped.ended().success());
    replicas.until(20, "two are left", |it| it.all_count(2));
}

#[test]
fn unwell_processes_that_vanish_hold_the_incident_and_then_it_is_closed() {
    let Some(redis) = RedisServer::start_in_ci("unwell processes that vanish") else { return };
    let mut replicas = Replicas::start(&redis, 4, 0);
    replicas.trip(0);
    replicas.trip(1);
    replicas.until(30, "it pages", Replicas::is_open);
    let from = std::time::Instant::now();
    replicas.kill(0);
    replicas.kill(1);
    replicas.until(60, "the others close it", |it| !it.is_open());
    assert!(from.elapsed() > std::time::Duration::from_secs(15), "not before it could have recovered");
    assert_eq!(replicas.alerts().len(), 1);
}

#[test]
fn a_claimant_that_is_paused_with_a_page_on_its_way_is_replaced() {
    let Some(redis) = RedisServer::start_in_ci("a claimant that is paused") else { return };
    let replicas = Replicas::start(&redis, 3, 0);
    replicas.service.standing_trouble(crate::alert_service::Fault::Silent);
    replicas.trip(0);
    replicas.trip(1);
    replicas.until(30, "a request is on the way", |it| it.service.hanging() > 0);
    let claimant = replicas.claimant();
    replicas.of(claimant).signal("STOP");
    replicas.service.standing_trouble(crate::alert_service::Fault::None);
    let before = replicas.service.alerts().len();
    assert_eq!(before, 0);
    std::thread::park_timeout(std::time::Duration::from_secs(30));
    assert!(replicas.is_open(), "another has paged");
    replicas.of(claimant).signal("CONT");
    // Its lease has expired: it must not page again after the close.
    replicas.all_recover([0, 1]);
    std::thread::park_timeout(std::time::Duration::from_secs(25));
    assert!(!replicas.is_open());
    assert_eq!(replicas.alerts().len(), 1);
}
