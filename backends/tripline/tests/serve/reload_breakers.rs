//! The running server whose file adds, changes, renames and removes breakers while 200 connections call them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use support::{Client, Launch, Server, eventually, get, post, post_json};

const CONNECTIONS: usize = 200;
const ROOT: &str = "memory_source = \"mock\"\nlatency_threshold = 5000\nstate_dir = \"state\"\n";

fn text(breakers: &str) -> String {
    format!("{ROOT}{breakers}\n[http]\nlisten = \"127.0.0.1:0\"\n")
}

fn replace(path: &Path, breakers: &str) {
    let next = path.with_extension("next");
    fs::write(&next, text(breakers)).unwrap();
    fs::rename(next, path).unwrap();
}

/// The names in the order of `GET /breakers`.
fn names(server: &Server) -> Vec<String> {
    let list = server.get("/breakers").json();
    list["breakers"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

fn wait_for_names(server: &Server, expected: &[&str]) {
    eventually(&format!("the breakers {expected:?}"), || (names(server) == expected).then_some(()));
}

fn window(server: &Server, breaker: &str) -> String {
    let start = format!("tripline_window_samples{{breaker=\"{breaker}\"}} ");
    let metrics = server.get("/metrics").body;
    metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or("none").to_owned()
}

/// Calls these breakers in turn until `done`, and records unexpected responses.
fn call(address: SocketAddr, paths: &[&str], done: &AtomicBool, calls: &AtomicU64, wrong: &Mutex<Vec<String>>) {
    let mut client = Client::connect(address).unwrap();
    for path in paths.iter().cycle() {
        if done.load(Ordering::Relaxed) {
            return;
        }
        let answer = client.exchange("GET", path, "", "");
        calls.fetch_add(1, Ordering::Relaxed);
        let problem = match &answer {
            Ok(answer) if answer.status == 200 => None,
            Ok(answer) if answer.status == 503 && answer.body.contains("\"reason\":") => None,
            // The file does not contain the breaker at this moment.
            Ok(answer) if answer.status == 404 && *path != "/test/kept" && *path != "/test" => None,
            other => Some(format!("{path}: {other:?}")),
        };
        if let Some(problem) = problem {
            wrong.lock().unwrap().push(problem);
            return;
        }
    }
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn breakers_come_change_and_go_under_load_and_only_a_breaker_rejects() {
    let mut server = Launch::new(&format!("{ROOT}[breakers.kept]\n[breakers.quiet]\n[breakers.gone]\n")).start();
    let path = server.folder().join("settings.toml");
    for _ in 0..7 {
        assert_eq!(get(server.address, "/test/quiet").status, 200);
    }
    let (done, calls, wrong) = (AtomicBool::new(false), AtomicU64::new(0), Mutex::new(Vec::new()));
    post_json(server.address, "/test/delay", r#"{"delay":"1s"}"#);
    thread::scope(|scope| {
        // Also stops if an assertion fails.
        let _stop = StopAtEnd(&done);
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let paths = ["/test/kept", "/test/gone", "/test/new", "/test", "/test/renamed"];
                call(server.address, &paths, &done, &calls, &wrong);
            });
        }
        eventually("calls", || (calls.load(Ordering::Relaxed) > 300).then_some(()));
        assert_eq!(post(server.address, "/breakers/gone/trigger-by-latency").status, 200);
        eventually("an alert", || server.log().contains("kind=\"circuit-open\"").then_some(()));

        // One is added, one changes, and the open one is removed.
        replace(&path, "[breakers.kept]\nwait_time = 7\n[breakers.new]\nlatency_threshold = 4000\n[breakers.quiet]\n");
        wait_for_names(&server, &["kept", "new", "quiet"]);
        assert_eq!(get(server.address, "/breakers/kept/wait").json()["wait"], 7);
        assert_eq!(get(server.address, "/breakers/new/latency").json()["latency"], 4000);
        assert_eq!(get(server.address, "/test/gone").status, 404);
        assert_eq!(get(server.address, "/test/new").status, 200);
        let state = server.folder().join("state/gone/state.json");
        eventually("the incident of the removed breaker ends", || {
            fs::read_to_string(&state).unwrap_or_default().contains("\"open\":null").then_some(())
        });

        // The new breaker works like any other.
        assert_eq!(post(server.address, "/breakers/new/force-open").status, 200);
        assert_eq!(get(server.address, "/test/new").status, 503);
        assert!(get(server.address, "/breakers/new/status").body.contains("\"supervisor\":\"running\""));

        // A rename, followed by an invalid file, which changes nothing.
        replace(&path, "[breakers.kept]\n[breakers.renamed]\nlatency_threshold = 4000\n[breakers.quiet]\n");
        wait_for_names(&server, &["kept", "renamed", "quiet"]);
        replace(&path, "[breakers.kept]\ninherit = \"nothing\"\n");
        eventually("the problem", || server.log().contains("the running configuration stays").then_some(()));
        assert_eq!(names(&server), ["kept", "renamed", "quiet"]);

        // A removed breaker that is added again guards again, and is not open.
        replace(&path, "[breakers.gone]\n[breakers.kept]\n[breakers.quiet]\n");
        wait_for_names(&server, &["gone", "kept", "quiet"]);
        assert_eq!(get(server.address, "/test/gone").status, 200);
        assert_eq!(post(server.address, "/breakers/gone/force-open").status, 200);
        assert_eq!(get(server.address, "/test").status, 503, "it is the first breaker now");

        for round in 0..10 {
            let names = [format!("round-{round}"), "kept".into(), "quiet".into()];
            replace(&path, &names.each_ref().map(|name| format!("[breakers.{name}]\n")).concat());
            wait_for_names(&server, &names.each_ref().map(String::as_str));
        }
        assert_eq!(window(&server, "quiet"), "7", "a window stays with its name");
    });
    assert_eq!(*wrong.lock().unwrap(), Vec::<String>::new());
    for words in
        ["breaker=\"gone\" was_open=true", "ended_by=\"operator\"", "guards from now on", "if this renames a breaker"]
    {
        server.log_with(words);
    }
    server.signal("TERM");
    assert!(server.ended().success());
}
