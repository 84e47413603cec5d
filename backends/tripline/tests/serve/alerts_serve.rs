//! The binary pages people: an incident from beginning to end, as received by the alert service.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::alert_e2e;
use crate::alert_service;
use crate::support;

use std::fs;
use std::thread;

use alert_e2e::{ALIAS, SECOND, Scene, nothing_waits, recover, sum, trip};
use alert_service::{AlertService, Fault, KEY, Manner, Reply, Server as Receiver, Tls};
use serde_json::Value;
use support::{Client, Launch, QUICK, Server, eventually};

#[test]
fn an_incident_is_opened_raised_with_a_note_and_closed() {
    let scene = Scene::of(Manner::OpsGenie).escalates_after(1);
    let server = scene.start();
    trip(&server);
    scene.open_is(&[(ALIAS, "P3")]);
    scene.open_is(&[(ALIAS, "P1")]);
    eventually("the note", || (scene.service.alerts()[0].notes.len() == 1).then_some(()));
    recover(&server);
    scene.settles_at(&server, &[]);
    let alerts = scene.service.alerts();
    assert_eq!((alerts.len(), alerts[0].count, alerts[0].notes.len()), (1, 1, 2), "{alerts:?}");
    assert_eq!(alerts[0].created["details"]["Trip Reason"], "memory");
    let actions: Vec<String> = scene.service.changes().iter().map(|line| action(line)).collect();
    assert_eq!(actions, ["alerts", "priority", "notes", "close"]);
    for stage in ["initial", "escalated", "resolved"] {
        for sink in ["log", "opsgenie"] {
            let labels = format!(r#"{{breaker="default",sink="{sink}",kind="circuit-open",stage="{stage}"}}"#);
            assert_eq!(server.metric(&format!("tripline_alerts_sent_total{labels}")) as u32, 1, "{labels}");
        }
    }
    assert_eq!(sum(&server, "tripline_alerts_failed_total") as u32, 0);
    assert_eq!(sum(&server, "tripline_alert_state_failures_total") as u32, 0);
    let log = server.log_with("incident is over breaker=");
    for told in ["incident breaker=", "incident stays breaker=", "incident is over breaker="] {
        assert_eq!(log.matches(&format!("tripline::alert: {told}")).count(), 1, "{told}: {log}");
    }
}

/// The subject of a line of the service's log.
fn action(line: &str) -> String {
    line.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned()
}

#[test]
fn a_service_without_priority_updates_gets_a_second_alert_and_both_are_closed() {
    let scene = Scene::of(Manner::Jsm).escalates_after(1);
    let server = scene.start();
    trip(&server);
    scene.open_is(&[(ALIAS, "P3")]);
    scene.open_is(&[(ALIAS, "P3"), (SECOND, "P1")]);
    recover(&server);
    scene.settles_at(&server, &[]);
    let counts: Vec<u32> = scene.service.alerts().iter().map(|alert| alert.count).collect();
    assert_eq!(counts, [1, 1]);
}

#[test]
fn an_incident_that_is_not_staged_is_one_alert() {
    let scene = Scene::of(Manner::OpsGenie);
    let server = scene.start();
    trip(&server);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    recover(&server);
    scene.settles_at(&server, &[]);
    assert_eq!(scene.service.changes().len(), 2, "{:?}", scene.service.changes());
}

#[test]
fn a_certificate_that_the_environment_names_is_trusted_and_no_other() {
    let tls = Tls::new();
    let scene = Scene::new(AlertService::with_tls(&tls), Manner::OpsGenie);
    let file = scene.folder.path().join("trusted.pem");
    fs::write(&file, &tls.pem).unwrap();
    let server = scene.launch().variable("SSL_CERT_FILE", file.to_str().unwrap()).start();
    trip(&server);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    drop(server);
    // It continues with an incident that it cannot report.
    let stranger = scene.launch().variable("SSL_CERT_FILE", "/dev/null").start();
    recover(&stranger);
    eventually("an attempt fails", || (sum(&stranger, "tripline_alert_retries_total") >= 1.0).then_some(()));
    stranger.log_with("certificate");
    let at_start = "environment: no TLS connection: SSL_CERT_FILE = /dev/null gives no certificate to trust: ";
    stranger.log_with(at_start);
    scene.open_is(&[(ALIAS, "P2")]);
}

#[test]
fn a_burst_of_slow_calls_is_one_alert() {
    const CALLS: usize = 900;
    let mut scene = Scene::of(Manner::OpsGenie);
    // All are admitted before the first one ends, and then all of them are slow.
    scene.breaker =
        QUICK.replace("wait_time = 1", "wait_time = 3600").replace("latency_threshold = 250", "latency_threshold = 1")
            + "stall_detection = false\n";
    let server = scene.start();
    assert_eq!(server.post("/test/delay", r#"{"delay":"8s"}"#).status, 200);
    let mut clients: Vec<Client> = (0..CALLS).map(|_| server.client()).collect();
    for client in &mut clients {
        client.send("GET", "/test", "", "").unwrap();
    }
    let slow =
        clients.iter_mut().filter_map(|client| client.receive().ok()).filter(|answer| answer.status == 200).count();
    assert_eq!(slow, CALLS, "every call was let in");
    // Ten times as many calls are rejected. The connections of the first ones may be closed meanwhile: they idle.
    drop(clients);
    for _ in 0..CALLS {
        let mut client = server.client();
        let refused = (0..10).filter(|_| client.exchange("GET", "/test", "", "").unwrap().status == 503).count();
        assert_eq!(refused, 10);
    }
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    assert_eq!(
        (scene.service.alerts()[0].count, scene.service.changes().len()),
        (1, 1),
        "{:?}",
        scene.service.changes()
    );
}

#[test]
fn a_service_that_hangs_at_the_start_delays_no_request() {
    let scene = Scene::of(Manner::OpsGenie);
    scene.service.standing_trouble(Fault::Silent);
    let server = scene.start();
    eventually("the service is asked, and hangs", || (scene.service.hanging() == 1).then_some(()));
    // All of this happens while it hangs, and no second request is sent.
    assert_eq!(server.get("/test").status, 200);
    trip(&server);
    assert_eq!(server.rejected().status, 503);
    assert_eq!(server.get("/breaker/status").status, 200);
    assert!(scene.service.hanging() >= 1, "the first request was waited for");
    eventually("the alert hangs too", || (scene.service.changes().len() == 1).then_some(()));
    scene.service.standing_trouble(Fault::None);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
}

#[test]
fn whatever_the_service_does_at_the_start_the_server_serves_and_the_alert_arrives_later() {
    let throttled = Reply::new(429, r#"{"message": "Too fast"}"#).header("X-RateLimit-Period-In-Sec", "1");
    let faults =
        [Fault::Reply(throttled), Fault::Reply(Reply::new(503, "")), Fault::Closed, Fault::Garbage, Fault::CutInBody];
    thread::scope(|scope| {
        for fault in faults {
            scope.spawn(move || arrives_after(&fault));
        }
    });
}

#[track_caller]
fn arrives_after(fault: &Fault) {
    let scene = Scene::of(Manner::OpsGenie);
    scene.service.standing_trouble(fault.clone());
    let server = scene.start();
    assert_eq!(server.get("/test").status, 200, "{fault:?}");
    trip(&server);
    eventually("an attempt fails", || (sum(&server, "tripline_alert_retries_total") >= 1.0).then_some(()));
    assert_eq!(server.rejected().status, 503, "{fault:?}");
    scene.service.standing_trouble(Fault::None);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    assert_eq!(scene.service.alerts().len(), 1, "{fault:?}");
}

#[test]
fn a_service_that_is_not_there_delays_no_request() {
    // No program listens on port 1, and none is assigned it.
    let config = format!("{QUICK}\n[opsgenie]\nenabled = true\napi_url = \"http://127.0.0.1:1\"\n");
    let mut server = Launch::new(&config).variable("OPSGENIE_API_KEY", KEY).start();
    assert_eq!(server.get("/test").status, 200);
    trip(&server);
    eventually("an attempt fails", || (sum(&server, "tripline_alert_retries_total") >= 1.0).then_some(()));
    assert_eq!(sum(&server, "tripline_alerts_waiting") as u32, 1);
    assert!(!server.get("/metrics").body.contains("tripline_alert_state_fail"), "nothing is kept");
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
    server.log_with("stopped before all alerts were delivered");
}

#[test]
fn what_alerts_lack_is_reported_at_the_start() {
    let config = format!("{QUICK}\n[opsgenie]\nenabled = true\nteam = \"payments\"\n");
    let server = Launch::new(&config).start();
    let log = eventually("the start", || Some(server.log()).filter(|log| log.contains("listening")));
    for key in ["api_key", "environment", "bookmaker_id", "hostname"] {
        assert!(
            log.lines().any(|line| line.contains("WARN") && line.contains(&format!("opsgenie.{key}"))),
            "{key}: {log}"
        );
    }
}

#[test]
fn a_webhook_gets_every_stage_once() {
    let receiver = Receiver::start(|_| Reply::new(204, ""), None);
    let more = format!("[webhook]\nenabled = true\nurl = \"{}/a-secret-path\"\n", receiver.url());
    let scene = Scene::of(Manner::OpsGenie).escalates_after(1).more(&more);
    let server = scene.start();
    trip(&server);
    let stages = || -> Vec<String> {
        receiver.requests().iter().map(|request| request.json()["stage"].as_str().unwrap().to_owned()).collect()
    };
    eventually("the second stage", || (stages().len() == 2).then_some(()));
    recover(&server);
    eventually("the end", || (stages().len() == 3).then_some(()));
    nothing_waits(&server);
    assert_eq!(stages(), ["initial", "escalated", "resolved"]);
    assert!(receiver.requests().iter().all(|request| request.target == "/a-secret-path"));
    assert!(!server.log().contains("a-secret-path"), "{}", server.log());
}

// ----- durable state

#[test]
fn a_folder_that_cannot_be_made_or_is_in_use_is_an_error_at_the_start() {
    let scene = Scene::of(Manner::OpsGenie);
    fs::write(scene.folder.path().join("state"), "a file").unwrap();
    let finished = scene.launch().fail();
    assert_eq!(finished.code, Some(1), "{finished:?}");
    let state = scene.folder.path().join("state/default").display().to_string();
    for word in ["state_dir", &state, "must be a folder that this user may write to"] {
        assert!(finished.stderr.contains(word), "no {word:?} in {finished:?}");
    }
    assert!(!finished.stdout.contains("listening") && !finished.stderr.contains("panicked"), "{finished:?}");
    fs::remove_file(scene.folder.path().join("state")).unwrap();
    let _first = scene.start();
    let second = scene.launch().fail();
    assert_eq!(second.code, Some(1), "{second:?}");
    assert!(second.stderr.contains("in use by another process"), "{second:?}");
}

#[test]
fn a_state_that_cannot_be_saved_keeps_no_alert_back() {
    let scene = Scene::of(Manner::OpsGenie);
    let server = scene.start();
    let folder = scene.state_file().parent().unwrap().to_owned();
    fs::remove_dir_all(&folder).unwrap();
    trip(&server);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    let failing = r#"tripline_alert_state_failing{breaker="default"}"#;
    assert_eq!(server.metric(failing) as u32, 1);
    assert!(sum(&server, "tripline_alert_state_failures_total") >= 1.0);
    fs::create_dir(&folder).unwrap();
    eventually("it is saved again", || (server.metric(failing) == 0.0).then_some(()));
    scene.is_written_down();
    let log = server.log_with("cannot be saved");
    let told = log.lines().filter(|line| line.contains("ERROR") && line.contains("cannot be saved")).count();
    assert_eq!(told, 1, "{log}");
}

#[test]
fn a_state_that_is_none_is_set_aside_with_an_error_and_alerts_go_on() {
    let scene = Scene::of(Manner::OpsGenie);
    let server = scene.start();
    trip(&server);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    drop(server);
    let whole = fs::read_to_string(scene.state_file()).unwrap();
    let bad = [whole[..whole.len() / 2].to_owned(), whole.replace("circuit-open", "circuit-shut"), "null".to_owned()];
    for (index, text) in bad.iter().enumerate() {
        fs::write(scene.state_file(), text).unwrap();
        let server = scene.start();
        let aside = scene.state_file().with_file_name(format!("state.json.set-aside-{}", index + 1));
        assert_eq!(&fs::read_to_string(&aside).unwrap(), text);
        let log = eventually("the error", || Some(server.log()).filter(|log| log.contains("set aside as")));
        assert!(log.lines().any(|line| line.contains("ERROR") && line.contains(&aside.display().to_string())), "{log}");
        assert_eq!((server.get("/test").status, server.state().as_str()), (200, "closed"));
        // The alias makes both one alert.
        trip(&server);
        nothing_waits(&server);
        scene.settles_at(&server, &[(ALIAS, "P2")]);
    }
    assert_eq!((scene.service.alerts().len(), scene.service.alerts()[0].count), (1, 4));
    let server = scene.start();
    recover(&server);
    scene.settles_at(&server, &[]);
}

#[test]
fn a_stop_and_a_start_are_no_news() {
    let scene = Scene::of(Manner::OpsGenie);
    let mut server = scene.start();
    trip(&server);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
    let server = scene.start();
    assert_eq!(server.state(), "half_open");
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    recover(&server);
    scene.settles_at(&server, &[]);
    assert_eq!(scene.service.changes().len(), 2, "{:?}", scene.service.changes());
}

#[test]
fn the_key_is_seen_by_the_service_alone() {
    let more = "[log]\nlevel = \"trace\"\n";
    let scene = Scene::of(Manner::OpsGenie).escalates_after(1).more(more);
    let quoting = format!("{{\"message\": \"GenieKey {KEY}\"}}");
    for status in [401, 503, 429] {
        scene.service.trouble(Fault::Reply(Reply::new(status, &quoting)));
    }
    let mut shown = String::new();
    let look = |server: &Server, shown: &mut String| {
        for path in ["/breaker/status", "/metrics", "/health", "/nothing"] {
            *shown += &server.get(path).body;
        }
        *shown += &server.stdout();
        *shown += &server.log();
        for entry in walk(scene.folder.path()) {
            *shown += &String::from_utf8_lossy(&fs::read(entry).unwrap());
        }
    };
    let server = scene.start();
    trip(&server);
    scene.service.reject_next(&format!("not with {KEY}"));
    scene.open_is(&[(ALIAS, "P1")]);
    look(&server, &mut shown);
    drop(server);
    let mut server = scene.start();
    recover(&server);
    scene.settles_at(&server, &[]);
    look(&server, &mut shown);
    server.signal("TERM");
    server.ended();
    shown += &server.log();
    assert!(
        scene
            .service
            .requests()
            .iter()
            .any(|request| request.header("authorization") == Some(&format!("GenieKey {KEY}")))
    );
    for told in ["tripline_alerts_sent_total", "last_incident", "alert not delivered", "GenieKey ***"] {
        assert!(shown.contains(told), "{told}");
    }
    assert!(!shown.contains(KEY), "{}", around(&shown));
}

/// The text around the key.
fn around(shown: &str) -> String {
    shown.lines().filter(|line| line.contains(KEY)).collect::<Vec<_>>().join("\n")
}

/// All files under a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn the_state_holds_the_incident_while_it_is_on_and_nothing_of_it_afterwards() {
    let scene = Scene::of(Manner::OpsGenie);
    let server = scene.start();
    trip(&server);
    scene.settles_at(&server, &[(ALIAS, "P2")]);
    let kept = |place: &str| -> Value {
        let text: Value = serde_json::from_slice(&fs::read(scene.state_file()).unwrap()).unwrap();
        text.pointer(place).cloned().unwrap_or_default()
    };
    eventually("it is kept", || kept("/state/staging/open").is_object().then_some(()));
    recover(&server);
    scene.settles_at(&server, &[]);
    eventually("it is over", || {
        (kept("/state/staging/open").is_null() && kept("/state/lanes") == Value::Array(vec![])).then_some(())
    });
    assert_eq!(kept("/state/staging/last_incident"), 1);
}
