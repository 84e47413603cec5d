//! `tripline observe` on real files.

use std::cell::Cell;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::support::{Launch, QUICK, Server, eventually, gzipped, run};

/// No jitter, and tolerant of slow machines: half of the calls must be slow.
fn config() -> String {
    QUICK.replace("memory_source = \"mock\"\n", "").replace("wait_backoff = 1\n", "wait_backoff = 1\nwait_jitter = 0\n")
}

/// A line of a call that ended at `end_ms` since 1970.
fn line(end_ms: u128, latency_ms: u128) -> String {
    format!(
        "10.0.0.1 - - [{}.{:03}] \"GET /a HTTP/1.1\" 200 5 rt={}.{:03}\n",
        end_ms / 1_000,
        end_ms % 1_000,
        latency_ms / 1_000,
        latency_ms % 1_000
    )
}

pub(crate) fn append(path: &Path, text: &str) {
    File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

pub(crate) fn now_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()
}

/// A recording of one minute with ten slow seconds, in parts of 20 seconds.
fn parts(begin_ms: u128) -> [String; 3] {
    let mut parts = [String::new(), String::new(), String::new()];
    for n in 0..1_200_u128 {
        let latency = if (500..700).contains(&n) { 600 } else { 20 };
        let _ = write!(parts[usize::try_from(n / 400).unwrap()], "{}", line(begin_ms + n * 50, latency));
    }
    parts
}

fn would_reject(server: &Server) -> u64 {
    server.status()["would_reject"].as_u64().unwrap()
}

/// Writes the log with its rotated files, and all of it into one file.
pub(super) fn write_rotated(folder: &Path, parts: &[String; 3]) {
    let [oldest, old, newest] = parts;
    fs::write(folder.join("access.log.2.gz"), gzipped(oldest)).unwrap();
    fs::write(folder.join("access.log.1"), old).unwrap();
    fs::write(folder.join("access.log"), newest).unwrap();
    fs::write(folder.join("whole.log"), parts.concat()).unwrap();
}

#[test]
fn a_finished_log_and_its_rotated_files_decide_as_their_replay_and_raise_no_alert() {
    let launch = Launch::observe(&config());
    let folder = launch.file().parent().unwrap().to_owned();
    write_rotated(&folder, &parts(now_ms() - 120_000));
    let replayed = run(&folder, &["replay", "--config", "settings.toml", "whole.log"]);
    let replayed: Value = serde_json::from_str(&replayed.stdout).unwrap_or_else(|_| panic!("{replayed:?}"));
    assert!(replayed["rejected"].as_u64() > Some(0), "{replayed}");

    let server = launch.start();
    assert_eq!(Some(would_reject(&server)), replayed["rejected"].as_u64());
    assert!(server.metric("tripline_refused_calls_total{breaker=\"default\",reason=\"latency\"}") < 0.5);
    let trips = server.metric("tripline_trips_total{breaker=\"default\",reason=\"latency\"}");
    assert_eq!(Some(trips as usize), replayed["trips"].as_array().map(Vec::len));
    let status = server.status();
    assert_eq!(status["mode"], "observe");
    let lines = eventually("the log's figures", || server.status()["followed_log"]["lines"].as_u64());
    assert_eq!(lines, 1_200);
    assert!(server.metric("tripline_observing{breaker=\"default\"}") > 0.5);
    assert!(!server.log().contains("state changed"), "the past is no news: {}", server.log());
}

#[test]
fn a_log_that_is_written_now_trips_recovers_rotates_and_is_cut_off() {
    let launch = Launch::observe(&config());
    let log = launch.file().parent().unwrap().join("access.log");
    let mut server = launch.start();
    assert_eq!(server.status()["state"], "closed", "the log may be missing");
    let written = Cell::new(0);
    let write = |lines: u64, latency: u128| {
        append(&log, &(0..lines).map(|_| line(now_ms(), latency)).collect::<String>());
        written.set(written.get() + lines);
    };

    let state = |server: &Server, wanted: &str, latency: u128| {
        eventually(wanted, || {
            write(10, latency);
            (server.status()["state"] == wanted).then_some(())
        });
    };
    state(&server, "open", 700);
    server.log_with("state changed");
    eventually("a call would have been rejected", || {
        write(1, 700);
        (would_reject(&server) > 0).then_some(())
    });
    state(&server, "closed", 5);

    let lines = |server: &Server| server.status()["followed_log"]["lines"].as_u64().unwrap_or(0);
    let before = written.get();
    eventually("every line is read", || (lines(&server) == before).then_some(()));
    fs::rename(&log, log.with_extension("log.1")).unwrap();
    append(&log.with_extension("log.1"), &line(now_ms(), 5));
    append(&log, &line(now_ms(), 5));
    append(&log, "not a call\n");
    // An incomplete line is not read.
    let half = line(now_ms(), 5);
    append(&log, &half[..30]);
    eventually("both files are read", || (lines(&server) >= before + 3).then_some(()));
    append(&log, &half[30..]);
    eventually("the line is whole", || (lines(&server) >= before + 4).then_some(()));
    let unusable = server.status()["followed_log"]["unusable"].clone();
    let (reason, count) = unusable.as_object().and_then(|reasons| reasons.iter().next()).unwrap();
    assert_eq!(count, 1, "{unusable}");
    File::create(&log).unwrap();
    eventually("it was truncated", || server.log().contains("was truncated").then_some(()));
    append(&log, &line(now_ms(), 5));
    let series = format!("tripline_log_unusable_lines_total{{breaker=\"default\",reason=\"{reason}\"}}");
    assert!((server.metric(&series) - 1.0).abs() < 0.5);

    server.signal("HUP");
    server.signal("TERM");
    assert_eq!(server.ended().code(), Some(0), "{}", server.log());
}

#[test]
fn what_cannot_be_followed_is_an_error_that_names_it() {
    type Make = fn(&Path);
    let cases: [(&str, Make); 3] = [
        ("a directory", |path| fs::create_dir(path).unwrap()),
        ("a pipe", |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success())),
        ("line 1: ", |path| fs::write(path, "this is no log\n").unwrap()),
    ];
    for (expected, make) in cases {
        let launch = Launch::observe(&config());
        make(&launch.file().parent().unwrap().join("access.log"));
        let finished = launch.fail();
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("access.log") && finished.stderr.contains(expected), "{finished:?}");
    }
}

#[test]
fn a_log_that_becomes_unreadable_is_reported_and_read_again() {
    let launch = Launch::observe(&config());
    let log = launch.file().parent().unwrap().join("access.log");
    let server = launch.start();
    fs::create_dir(&log).unwrap();
    let problem = eventually("the problem is shown", || {
        server.status()["followed_log"]["problem"]
            .as_str()
            .filter(|text| text.contains("a directory"))
            .map(str::to_owned)
    });
    assert!(problem.contains("allowed: a regular file"), "{problem}");
    fs::remove_dir(&log).unwrap();
    for _ in 0..30 {
        append(&log, &line(now_ms(), 5));
    }
    eventually("it is read", || (server.status()["followed_log"]["lines"] == 30).then_some(()));
    assert_eq!(server.status()["followed_log"]["problem"], Value::Null);
    let delay = eventually("calls were played", || {
        (server.status()["samples"].as_u64() > Some(0))
            .then(|| server.status()["followed_log"]["delay_seconds"].as_f64())
    });
    assert!(delay.is_some_and(|delay| (2.0..10.0).contains(&delay)), "{delay:?}");
}
