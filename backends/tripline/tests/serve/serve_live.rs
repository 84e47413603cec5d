//! Configuration changes of the running server: under load, by an editor, and with faults.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use serde_json::{Value, json};
use support::{Client, Launch, QUICK, Server, eventually, get};
use tripline_backends::config::load;

const JSON: &str = "content-type: application/json\r\n";

/// A server with this file, at any path.
fn start_with(path: &Path) -> Server {
    Launch::without_file().argument("--config").argument(path.to_str().unwrap()).start()
}

/// Text of a file for [`start_with`].
fn text(ms: u32) -> String {
    format!("# kept\nlatency_threshold = {ms} # ms\nmemory_source = \"mock\"\n[http]\nlisten = \"127.0.0.1:0\"\n")
}

/// Replaces the file in one step, as most editors do.
fn replace(path: &Path, text: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, path).unwrap();
}

fn threshold(server: &Server) -> Value {
    server.get("/breaker/latency").json()["latency"].clone()
}

#[test]
fn killed_during_saves_the_file_is_always_whole_and_holds_what_was_answered() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breakers.toml");
    fs::write(&path, text(1)).unwrap();
    let mut last = 1;
    for round in 1..=15 {
        let mut server = start_with(&path);
        assert_eq!(threshold(&server), last, "what was saved before the kill is in force after it");
        let (sent, answered) = (AtomicU32::new(last), AtomicU32::new(last));
        thread::scope(|scope| {
            scope.spawn(|| {
                let Ok(mut client) = Client::connect(server.address) else { return };
                for ms in last + 1.. {
                    sent.store(ms, Ordering::SeqCst);
                    let body = format!(r#"{{"threshold":{ms}}}"#);
                    let Ok(answer) = client.exchange("POST", "/breaker/latency", JSON, &body) else { return };
                    assert_eq!((answer.status, &answer.json()["saved"]), (200, &json!(true)), "{answer:?}");
                    answered.store(ms, Ordering::SeqCst);
                }
            });
            // At a different moment in each round, while the next change is in progress.
            eventually("some changes", || (answered.load(Ordering::SeqCst) >= last + round % 5).then_some(()));
            server.signal("KILL");
        });
        server.ended();
        let written = fs::read_to_string(&path).unwrap();
        let (config, _) = load(&path).unwrap_or_else(|errors| panic!("{errors}\n{written}"));
        let found = config.breaker.policy.latency_threshold.as_millis();
        let expected = answered.load(Ordering::SeqCst)..=sent.load(Ordering::SeqCst);
        assert!(expected.contains(&found), "{found} is not in {expected:?}");
        assert_eq!(written, text(found));
        last = found;
    }
}

#[test]
fn under_load_no_change_is_lost_and_nothing_but_the_breaker_rejects() {
    let mut server = Server::start(QUICK);
    let path = server.folder().join("settings.toml");
    let done = AtomicBool::new(false);
    let fields = [
        ("/breaker/latency", "threshold", "latency", 1_000),
        ("/breaker/latency-window-size", "size", "latency_window_size", 100),
        ("/breaker/wait", "wait_time", "wait", 1),
        ("/breaker/memory", "threshold", "memory", 20),
    ];
    let calls = AtomicU32::new(0);
    // Leaves CPU time for the changes on two processors.
    assert_eq!(server.post("/test/delay", r#"{"delay":"100ms"}"#).status, 200);
    thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                let mut client = server.client();
                while !done.load(Ordering::Relaxed) {
                    let answer = client.exchange("GET", "/test", "", "").unwrap();
                    assert!([200, 503].contains(&answer.status), "{answer:?}");
                    if answer.status == 503 {
                        assert_eq!(answer.json()["breaker"], "default", "{answer:?}");
                    }
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let reader = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                load(&path).unwrap_or_else(|errors| panic!("a torn file: {errors}"));
            }
        });
        let writers = fields.map(|(path, field, read, least)| {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.client();
                for x in least..least + 30 {
                    let answer = client.exchange("POST", path, JSON, &json!({ field: x }).to_string()).unwrap();
                    assert_eq!(answer.status, 200, "{answer:?}");
                    assert_eq!((&answer.json()[read], &answer.json()["saved"]), (&json!(x), &json!(true)));
                }
            })
        });
        for writer in writers {
            writer.join().unwrap();
        }
        eventually("the endpoint was called", || (calls.load(Ordering::Relaxed) >= 200).then_some(()));
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    for (path, _, read, least) in fields {
        assert_eq!(server.get(path).json()[read], least + 29, "{path}");
    }
    let (config, _) = load(&path).unwrap();
    assert_eq!(config.breaker.policy.latency_threshold.as_millis(), 1_029);
    assert_eq!(config.breaker.policy.latency_window_size.get(), 129);
    server.signal("TERM");
    assert!(server.ended().success());
}

#[test]
fn a_swapped_config_map_comes_into_force_and_the_window_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    let swap = |name: &str, ms: u32| {
        fs::create_dir(top.join(name)).unwrap();
        fs::write(top.join(name).join("breakers.toml"), text(ms)).unwrap();
        symlink(name, top.join("..data_tmp")).unwrap();
        fs::rename(top.join("..data_tmp"), top.join("..data")).unwrap();
    };
    swap("..2026_01", 300);
    symlink("..data/breakers.toml", top.join("breakers.toml")).unwrap();
    let server = start_with(&top.join("breakers.toml"));
    assert_eq!(get(server.address, "/test").status, 200);
    for (name, ms) in [("..2026_02", 200), ("..2026_03", 400)] {
        swap(name, ms);
        eventually("the map is read", || (threshold(&server) == ms).then_some(()));
    }
    assert_eq!(server.status()["samples"], 1);
    assert!(server.metric("tripline_config_reloads_total") >= 2.0);
}

#[test]
fn a_bad_edit_is_reported_in_status_metrics_and_log_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breakers.toml");
    fs::write(&path, text(300)).unwrap();
    let server = start_with(&path);
    let bad = text(300).replace("= 300", "= -5").replace("\"mock\"", "\"mokc\"");
    replace(&path, &bad);
    let told = eventually("the problem is told", || server.status()["config_error"].as_str().map(str::to_owned));
    for part in ["breakers.toml:2: latency_threshold = -5", "breakers.toml:3: memory_source = \"mokc\"", "allowed"] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert_eq!(threshold(&server), 300);
    assert!(server.metric("tripline_config_reload_errors_total") >= 1.0);
    assert!(server.metric("tripline_config_in_force") < 0.5);
    let log =
        eventually("it is logged", || Some(server.log()).filter(|log| log.contains("the running configuration stays")));
    assert_eq!(log.matches("latency_threshold = -5").count(), 1, "{log}");

    // The file can be neither changed nor replaced.
    let answer = server.post("/breaker/latency", r#"{"threshold":250}"#);
    assert_eq!(answer.status, 409, "{answer:?}");
    assert!(answer.json()["error"].as_str().unwrap().contains(":2: latency_threshold"), "{answer:?}");
    assert_eq!((threshold(&server), fs::read_to_string(&path).unwrap()), (json!(300), bad));

    replace(&path, &text(200));
    eventually("it is mended", || (threshold(&server) == 200).then_some(()));
    eventually("all is well", || server.status()["config_error"].is_null().then_some(()));
    assert!(server.metric("tripline_config_in_force") > 0.5);
}

#[test]
fn a_read_only_file_is_retuned_live_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breakers.toml");
    fs::write(&path, text(300)).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let server = start_with(&path);
    let answer = server.post("/breaker/latency", r#"{"threshold":250}"#).json();
    assert_eq!((&answer["latency"], &answer["saved"]), (&json!(250), &json!(false)));
    assert!(answer["reason"].as_str().unwrap().contains("read-only"), "{answer}");
    assert_eq!(threshold(&server), 250);
    let told = server.status()["config_error"].as_str().unwrap().to_owned();
    assert!(told.contains("not saved") && told.contains("latency_threshold"), "{told}");
    assert_eq!(fs::read_to_string(&path).unwrap(), text(300));
    drop(server);
    assert_eq!(threshold(&start_with(&path)), 300);
}

#[test]
fn without_a_file_settings_change_live_and_no_file_appears() {
    let server = Launch::without_file().argument("--listen").argument("127.0.0.1:0").start();
    let answer = server.post("/breaker/latency", r#"{"threshold":250}"#).json();
    assert_eq!((&answer["latency"], &answer["saved"]), (&json!(250), &json!(false)));
    assert!(answer["reason"].as_str().unwrap().contains("no configuration file"), "{answer}");
    assert_eq!(threshold(&server), 250);
    assert_eq!(fs::read_dir(server.folder()).unwrap().count(), 0);
}

#[test]
fn what_cannot_change_while_running_is_reported_to_need_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breakers.toml");
    fs::write(&path, text(300)).unwrap();
    let server = start_with(&path);
    replace(&path, &format!("name = \"other\"\n{}", text(200)));
    eventually("the file is read", || (threshold(&server) == 200).then_some(()));
    let line = eventually("it is logged", || {
        server.log().lines().find(|line| line.contains("takes effect after a restart")).map(str::to_owned)
    });
    assert!(line.contains("key=\"name\""), "{line}");
    assert_eq!(server.status()["name"], "default");
}
