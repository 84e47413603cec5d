//! `replay`, `suggest` and `check` with a configuration of several breakers.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Finished, run};

const FILE: &str = "[templates.fast]\nlatency_threshold = 50\nminimum_samples = 5\n\n\
                    [breakers.default]\nlatency_threshold = 500\n[breakers.quick]\ninherit = \"fast\"\n";

fn replay(folder: &Path, arguments: &[&str]) -> Finished {
    run(folder, &[&["replay"], arguments, &["calls.jsonl"]].concat())
}

fn trips(finished: &Finished) -> u64 {
    let summary: Value = serde_json::from_str(finished.stdout.lines().last().unwrap()).unwrap();
    summary["trips"].as_array().map_or_else(|| summary["trips"].as_u64().unwrap(), |trips| trips.len() as u64)
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("many.toml"), FILE).unwrap();
    let mut calls = String::new();
    for call in 0..200 {
        writeln!(calls, "{{\"at_ms\": {}, \"latency_ms\": 100}}", call * 200).unwrap();
    }
    fs::write(folder.path().join("calls.jsonl"), calls).unwrap();
    folder
}

#[test]
fn a_replay_uses_the_breaker_that_is_named() {
    let folder = folder();
    let named = |name: &str| replay(folder.path(), &["--config", "many.toml", "--breaker", name]);
    assert_eq!(trips(&named("default")), 0);
    assert!(trips(&named("quick")) > 0);
    // --set overrides the breaker's own settings.
    let set = ["--config", "many.toml", "--breaker", "quick", "--set", "latency_threshold=900"];
    assert_eq!(trips(&replay(folder.path(), &set)), 0);
    let finished = replay(folder.path(), &["--config", "many.toml", "--breaker", "quick", "--set", "wait_time=0"]);
    assert!(finished.stderr.contains("--set wait_time=0: allowed: 1 to 3600 (seconds)"), "{finished:?}");
}

#[test]
fn of_several_one_must_be_named() {
    let folder = folder();
    for (arguments, expected) in [
        (&["--config", "many.toml"][..], "many.toml: has several breakers; --breaker NAME picks one of default, quick"),
        (
            &["--config", "many.toml", "--breaker", "x"],
            "--breaker x: many.toml has no such breaker; allowed: default, quick",
        ),
        (&["--breaker", "x"], "--breaker x: needs --config FILE, which has the breakers"),
    ] {
        let finished = replay(folder.path(), arguments);
        assert!(finished.code == Some(1) && finished.stderr.contains(expected), "{finished:?}");
    }
    // A single breaker need not be named.
    fs::write(folder.path().join("many.toml"), "[breakers.quick]\nlatency_threshold = 50\nminimum_samples = 5\n")
        .unwrap();
    assert!(trips(&replay(folder.path(), &["--config", "many.toml"])) > 0);
    let finished = run(folder.path(), &["suggest", "--breaker", "x", "calls.jsonl"]);
    assert!(finished.stderr.contains("needs --config FILE"), "{finished:?}");
}

#[test]
fn check_reports_all_problems_of_breakers_and_resolves_what_is_valid() {
    let folder = folder();
    let finished = run(folder.path(), &["check", "--resolved", "many.toml"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("[breakers.quick]\n"), "{finished:?}");
    let line = finished.stdout.lines().find(|line| line.starts_with("latency_threshold = 50 ")).unwrap();
    assert!(line.ends_with("# line 2, templates.fast.latency_threshold"), "{line}");
    fs::write(folder.path().join("bad.toml"), "[breakers.a]\ninherit = \"b\"\n[breakers.A]\nwait = 3\n").unwrap();
    let finished = run(folder.path(), &["check", "bad.toml"]);
    assert_eq!(
        (finished.code, finished.stderr.lines().filter(|line| line.contains("bad.toml:")).count()),
        (Some(1), 3),
        "{finished:?}"
    );
}
