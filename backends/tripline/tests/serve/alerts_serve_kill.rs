//! SIGKILL at each step of an incident, a restart, and the final contents of the alert service.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::alert_e2e;
use crate::alert_service;
use crate::support;

use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use alert_e2e::{ALIAS, SECOND, Scene, nothing_waits, recover, sum, trip};
use alert_service::{Fault, Manner};
use serde_json::Value;
use support::{Server, eventually};

/// The point of the incident at which the process was killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Killed {
    Before,
    During,
    After,
}

/// Runs an incident from beginning to end. The request of this number gets `fault`, and while it hangs, the process is
/// killed. `None` if there are fewer requests.
fn kill_at_request(scene: &Scene, number: usize, fault: Fault) -> Option<Killed> {
    for _ in 0..number {
        scene.service.trouble(Fault::None);
    }
    scene.service.trouble(fault);
    let hangs = || scene.service.hanging() > 0;
    let server = scene.start();
    if scene.manner == Manner::OpsGenie {
        eventually("the key is checked", || (!scene.service.requests().is_empty()).then_some(()));
        if number == 0 {
            eventually("the check hangs", || hangs().then_some(()));
            return Some(Killed::Before);
        }
    }
    trip(&server);
    let open = open_at_the_end(scene);
    eventually("an alert is open, or a request hangs", || {
        (hangs() || (scene.service.open() == open && is_quiet(&server))).then_some(())
    });
    if hangs() {
        return Some(Killed::During);
    }
    recover(&server);
    // If it is killed before the end, the incident goes on.
    eventually("it is closed, or a request hangs", || {
        (hangs() || (scene.service.open().is_empty() && is_quiet(&server))).then_some(())
    });
    hangs().then_some(Killed::After)
    // The server is killed here.
}

fn is_quiet(server: &Server) -> bool {
    sum(server, "tripline_alerts_waiting") == 0.0
}

/// The open alerts when an incident has reached its second stage.
fn open_at_the_end(scene: &Scene) -> Vec<(String, String)> {
    expected(scene).iter().map(|&(alias, priority)| (alias.to_owned(), priority.to_owned())).collect()
}

fn expected(scene: &Scene) -> &'static [(&'static str, &'static str)] {
    match scene.manner {
        Manner::OpsGenie => &[(ALIAS, "P1")],
        Manner::Jsm => &[(ALIAS, "P3"), (SECOND, "P1")],
    }
}

/// Kills at this request, restarts and compares. False if there is no such request.
fn survives(manner: Manner, number: usize, fault: &Fault) -> bool {
    let scene = Scene::of(manner).escalates_after(1);
    let Some(killed) = kill_at_request(&scene, number, fault.clone()) else { return false };
    eventually("the request is gone", || (scene.service.hanging() == 0).then_some(()));
    let server = scene.start();
    match killed {
        Killed::Before => {
            nothing_waits(&server);
            assert_eq!(scene.service.changes(), [""; 0]);
        }
        Killed::During => {
            assert_eq!(server.state(), "half_open", "{number} {fault:?}");
            scene.settles_at(&server, expected(&scene));
            recover(&server);
            scene.settles_at(&server, &[]);
        }
        Killed::After => {
            scene.settles_at(&server, &[]);
            assert_eq!(server.state(), "closed", "{number} {fault:?}");
        }
    }
    if killed != Killed::Before {
        let alerts = scene.service.alerts();
        assert_eq!(alerts.len(), expected(&scene).len(), "{number} {fault:?}: {alerts:#?}");
        assert!(alerts.iter().all(|alert| alert.count <= 2), "{number} {fault:?}: {alerts:#?}");
    }
    true
}

/// Kills at every request of an incident, eight processes at a time: they mostly wait.
fn survives_everywhere(manner: Manner, fault: &Fault, at_least: usize) {
    const MOST: usize = 14;
    let next = AtomicUsize::new(0);
    let survived: usize = thread::scope(|scope| {
        let work = || {
            let numbers =
                std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::SeqCst)).filter(|&number| number < MOST));
            numbers.map_while(|number| survives(manner, number, fault).then_some(())).count()
        };
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert!((at_least..MOST).contains(&survived), "an incident has {survived} requests");
}

#[test]
fn a_kill_at_any_request_that_was_not_taken_leaves_what_should_be_open() {
    survives_everywhere(Manner::OpsGenie, &Fault::Silent, 9);
}

#[test]
fn a_kill_at_any_request_that_was_done_and_not_answered_leaves_what_should_be_open() {
    survives_everywhere(Manner::OpsGenie, &Fault::DoneAndSilent, 9);
}

#[test]
fn so_it_is_where_each_stage_is_an_alert_of_its_own() {
    thread::scope(|scope| {
        for fault in [Fault::Silent, Fault::DoneAndSilent] {
            scope.spawn(move || survives_everywhere(Manner::Jsm, &fault, 5));
        }
    });
}

/// Kills after so many requests since the trip, and compares.
fn survives_after(requests: usize) {
    let scene = Scene::of(Manner::OpsGenie);
    let server = scene.start();
    server.trigger("memory_overload");
    eventually("it opens", || (server.state() == "open").then_some(()));
    (0..requests).for_each(|_| assert_eq!(server.get("/health").status, 200));
    drop(server);
    let is_known = fs::read(scene.state_file()).is_ok_and(|text| {
        let state: Value = serde_json::from_slice(&text).unwrap();
        state["state"]["staging"]["open"].is_object()
    });
    let server = scene.start();
    scene.settles_at(&server, if is_known { &[(ALIAS, "P2")] } else { &[] });
    recover(&server);
    scene.settles_at(&server, &[]);
    assert_eq!(scene.service.alerts().len(), usize::from(is_known), "after {requests} requests");
}

#[test]
fn a_kill_just_after_the_trip_leaves_what_the_state_knows_of() {
    thread::scope(|scope| {
        for requests in 0..8 {
            scope.spawn(move || survives_after(requests));
        }
    });
}

#[test]
fn a_kill_while_the_service_is_down_loses_nothing_and_sends_nothing_twice() {
    let scene = Scene::of(Manner::OpsGenie).escalates_after(1);
    scene.service.standing_trouble(Fault::Closed);
    let tried = |server: &Server| {
        eventually("an attempt fails", || (sum(server, "tripline_alert_retries_total") >= 1.0).then_some(()));
    };
    let server = scene.start();
    trip(&server);
    tried(&server);
    drop(server);
    // The service is down during the whole second life.
    let server = scene.start();
    tried(&server);
    drop(server);
    let server = scene.start();
    scene.service.standing_trouble(Fault::None);
    scene.settles_at(&server, &[(ALIAS, "P1")]);
    let alerts = scene.service.alerts();
    assert_eq!((alerts.len(), alerts[0].count), (1, 1));
    recover(&server);
    scene.settles_at(&server, &[]);
}

#[test]
fn incidents_that_begin_and_end_during_an_outage_are_not_reported() {
    let scene = Scene::of(Manner::OpsGenie);
    scene.service.standing_trouble(Fault::Closed);
    let server = scene.start();
    trip(&server);
    eventually("an attempt fails", || (sum(&server, "tripline_alert_retries_total") >= 1.0).then_some(()));
    recover(&server);
    eventually("it is over", || server.log().contains("incident is over").then_some(()));
    drop(server);
    let server = scene.start();
    scene.service.standing_trouble(Fault::None);
    scene.settles_at(&server, &[]);
    assert_eq!(scene.service.alerts(), []);
    assert_eq!(server.state(), "closed");
}

#[test]
fn a_kill_after_the_end_was_written_down_closes_after_the_restart() {
    let scene = Scene::of(Manner::OpsGenie);
    let server = scene.start();
    trip(&server);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    scene.service.standing_trouble(Fault::Closed);
    recover(&server);
    let labels = r#"{breaker="default",sink="opsgenie",kind="circuit-open",stage="resolved"}"#;
    let retries = format!("tripline_alert_retries_total{labels}");
    eventually("a close fails", || (server.metric(&retries) >= 1.0).then_some(()));
    drop(server);
    scene.open_is(&[(ALIAS, "P2")]);
    scene.service.standing_trouble(Fault::None);
    let server = scene.start();
    scene.settles_at(&server, &[]);
    // A new incident is a new alert with its own number.
    trip(&server);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    assert_eq!(scene.service.alerts().len(), 2);
    let text: Value = serde_json::from_slice(&fs::read(scene.state_file()).unwrap()).unwrap();
    assert_eq!(text.pointer("/state/staging/last_incident"), Some(&Value::from(2)));
}
