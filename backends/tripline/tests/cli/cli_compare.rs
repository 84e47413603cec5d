//! `tripline replay --compare`, through the binary.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Finished, gzipped, log_fixture, run, run_with_input};
use tempfile::{TempDir, tempdir};

/// A call with the fields of the input.
struct Call {
    at_ms: u64,
    latency_ms: u64,
    outcome: &'static str,
}

/// A call every 50 ms, with one slow and one failing phase, some ignored calls, and occasional memory readings.
fn calls() -> Vec<Call> {
    let mut state = 42_u64;
    let mut calls: Vec<Call> = (0..4_000_u64)
        .map(|nth| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let noise = state >> 40;
            let slow = (800..1_100).contains(&nth) || nth.is_multiple_of(97);
            let latency_ms = 20 + noise % 100 + if slow { 300 + noise % 900 } else { 0 };
            let failing = (2_000..2_300).contains(&nth) && !noise.is_multiple_of(3);
            let outcome = if failing { "error" } else { ["ok", "ok", "ok", "ignored"][(noise / 1_000 % 4) as usize] };
            Call { at_ms: 10_000 + nth * 50 + latency_ms, latency_ms, outcome }
        })
        .collect();
    calls.sort_by_key(|call| call.at_ms);
    calls
}

fn text(calls: &[Call]) -> String {
    let mut text = "at_ms,latency_ms,outcome\n".to_owned();
    for call in calls {
        writeln!(text, "{},{},{}", call.at_ms, call.latency_ms, call.outcome).unwrap();
    }
    text
}

const SETTINGS: [(&str, &str); 3] = [
    ("a.toml", "latency_threshold = 300\nwait_time = 2\n"),
    ("b.toml", "latency_threshold = 500\ntrip_confidence = 0.9\nfailure_rate_threshold = 0.5\nwait_time = 1\n"),
    ("c.toml", "[circuit_breaker]\nlatency_threshold = 90\nhalf_open_max_calls = 0\nwait_time = 3\n"),
];

fn folder() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("calls.csv"), text(&calls())).unwrap();
    for (name, text) in SETTINGS {
        fs::write(folder.path().join(name), text).unwrap();
    }
    folder
}

fn lines(finished: &Finished) -> Vec<Value> {
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The figures of one setting, counted from the output of single replays.
#[derive(Debug, PartialEq)]
struct Naive {
    rejected: u64,
    rejected_fine: u64,
    rejected_bad: u64,
    admitted_bad: u64,
    trips: u64,
    first_trip_ms: f64,
    recoveries: u64,
    open_ms: f64,
    longest_ms: f64,
}

fn naive(folder: &Path, config: &str, threshold_ms: u64, calls: &[Call]) -> Naive {
    let jsonl = lines(&run(folder, &["replay", "--config", config, "--jsonl", "calls.csv"]));
    let summary = lines(&run(folder, &["replay", "--config", config, "calls.csv"])).remove(0);
    assert_eq!(jsonl.len(), calls.len());
    let times = |list: &str| -> Vec<f64> {
        summary[list].as_array().unwrap().iter().map(|entry| entry["at_ms"].as_f64().unwrap()).collect()
    };
    let (trips, mut closed) = (times("trips"), times("recoveries"));
    let recoveries = closed.len() as u64;
    closed.push(calls.last().unwrap().at_ms as f64);
    let outages: Vec<f64> = trips.iter().zip(&closed).map(|(trip, closed)| closed - trip).collect();
    let count = |is_it: &dyn Fn(bool, &Call) -> bool| {
        jsonl.iter().zip(calls).filter(|(line, call)| is_it(line["admitted"].as_bool().unwrap(), call)).count() as u64
    };
    let bad = |call: &Call| call.outcome == "error" || (call.outcome == "ok" && call.latency_ms > threshold_ms);
    Naive {
        rejected: count(&|admitted, _| !admitted),
        rejected_fine: count(&|admitted, call| !admitted && call.outcome == "ok" && call.latency_ms <= threshold_ms),
        rejected_bad: count(&|admitted, call| !admitted && bad(call)),
        admitted_bad: count(&|admitted, call| admitted && bad(call)),
        trips: trips.len() as u64,
        first_trip_ms: trips[0],
        recoveries,
        open_ms: outages.iter().sum(),
        longest_ms: outages.iter().copied().fold(0.0, f64::max),
    }
}

fn told(line: &Value) -> Naive {
    let count = |key: &str| line[key].as_u64().unwrap();
    let seconds = |key: &str| (line[key].as_f64().unwrap() * 1e6).round() / 1e3;
    Naive {
        rejected: count("rejected"),
        rejected_fine: count("rejected_fine"),
        rejected_bad: count("rejected_slow_or_failed"),
        admitted_bad: count("admitted_slow_or_failed"),
        trips: count("trips"),
        first_trip_ms: line["first_trip_at_ms"].as_f64().unwrap(),
        recoveries: count("recoveries"),
        open_ms: seconds("open_seconds"),
        longest_ms: seconds("longest_outage_seconds"),
    }
}

#[test]
fn the_figures_are_those_of_single_replays_counted_in_another_way() {
    let folder = folder();
    let all = lines(&run(folder.path(), &["replay", "--compare", "a.toml", "b.toml", "c.toml", "calls.csv", "--json"]));
    // The recording is the last file, but --json may follow it.
    let calls = calls();
    assert_eq!(all.len(), 3);
    for ((line, (name, _)), threshold_ms) in all.iter().zip(SETTINGS).zip([300, 500, 90]) {
        assert_eq!(line["setting"], name);
        assert_eq!(line["calls"], 4_000);
        let mut expected = naive(folder.path(), name, threshold_ms, &calls);
        let found = told(line);
        assert!((found.open_ms - expected.open_ms).abs() < 0.01, "{name}: {found:?} for {expected:?}");
        expected.open_ms = found.open_ms;
        assert_eq!(found, expected, "{name}");
        assert!(
            found.trips > 0 && found.rejected_fine > 0 && found.rejected_bad > 0 && found.recoveries > 0,
            "{found:?}"
        );
        let reasons = line["reasons"].as_object().unwrap().values().map(|count| count.as_u64().unwrap());
        assert_eq!(reasons.sum::<u64>(), found.trips);
    }
}

#[test]
fn the_recording_may_be_named_anywhere_and_come_from_standard_input() {
    let folder = folder();
    let first = run(folder.path(), &["replay", "--json", "--compare", "a.toml", "b.toml", "calls.csv"]).stdout;
    assert_eq!(first.lines().count(), 2);
    for arguments in [
        &["replay", "calls.csv", "--summary", "--compare", "a.toml", "b.toml"][..],
        &["replay", "--compare", "a.toml", "--compare", "b.toml", "--json", "calls.csv"],
        &["replay", "--compare", "a.toml", "b.toml", "--json", "--", "calls.csv"],
    ] {
        assert_eq!(run(folder.path(), arguments).stdout, first, "{arguments:?}");
    }
    let arguments = ["replay", "--json", "--compare", "a.toml", "b.toml", "-"];
    assert_eq!(run_with_input(folder.path(), &arguments, &text(&calls())).stdout, first);
}

#[test]
fn settings_of_the_command_line_apply_to_all() {
    let folder = folder();
    let set = ["--set", "latency_threshold=30000", "--set", "failure_rate_threshold=0.99"];
    let all = lines(&run(
        folder.path(),
        &[&["replay", "--json"], &set[..], &["--compare", "a.toml", "c.toml", "calls.csv"]].concat(),
    ));
    assert_eq!(all.iter().map(|line| line["trips"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 0]);
    assert_eq!(all[0]["first_trip_at_ms"], Value::Null);
}

#[test]
fn the_table_is_aligned_and_names_what_differs() {
    let folder = folder();
    let finished = run(folder.path(), &["replay", "--compare", "a.toml", "b.toml", "calls.csv"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let table: Vec<&str> = finished.stdout.lines().take_while(|line| !line.starts_with("first trip with")).collect();
    let width = table[0].chars().count();
    assert!(table.iter().all(|line| line.chars().count() == width), "{}", finished.stdout);
    assert!(table[0].trim_start().starts_with("a.toml") && table[0].ends_with("b.toml"));
    for words in
        ["latency_threshold", "trip_confidence", "trips", "by latency", "would have been fine", "longest outage"]
    {
        assert!(table.iter().any(|line| line.trim_start().starts_with(words)), "no {words:?} in {}", finished.stdout);
    }
    assert!(!table.iter().any(|line| line.starts_with("percentile")), "the same everywhere: {}", finished.stdout);
    assert!(finished.stdout.contains("had\nit been made"), "{}", finished.stdout);
}

#[test]
fn the_problems_of_all_files_are_reported_together() {
    let folder = folder();
    fs::write(folder.path().join("bad.toml"), "wait_time = 0\npercentile = 20\n").unwrap();
    let arguments = ["replay", "--compare", "bad.toml", "a.toml", "missing.toml", "calls.csv"];
    let finished = run(folder.path(), &arguments);
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""));
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(lines[0], "bad.toml:1: wait_time = 0: allowed: 1 to 3600 (seconds)");
    assert!(lines[1].starts_with("bad.toml:2: percentile") && lines[2].starts_with("missing.toml: "), "{lines:?}");
    let finished = run(folder.path(), &["replay", "--set", "nonsense=1", "--compare", "a.toml", "b.toml", "calls.csv"]);
    assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
}

#[test]
fn what_does_not_go_together_is_rejected() {
    let folder = folder();
    let code = |arguments: &[&str]| run(folder.path(), arguments).code;
    assert_eq!(code(&["replay", "--compare", "a.toml"]), Some(1), "no recording");
    assert_eq!(code(&["replay", "--compare"]), Some(2));
    for arguments in [
        &["replay", "--compare", "a.toml", "b.toml"][..],
        &["replay", "--compare", "a.toml", "--json", "b.toml"],
        &["replay", "--compare", "b.toml"],
    ] {
        let finished = run(folder.path(), arguments);
        let is_told =
            finished.stderr.contains("the recording is missing") && finished.stderr.contains("- for standard input");
        assert!(finished.code == Some(1) && is_told, "{finished:?}");
    }
    let two = run(folder.path(), &["replay", "--compare", "a.toml", "b.toml"]);
    assert!(two.stderr.starts_with("b.toml is a configuration; "), "{two:?}");
    assert_eq!(code(&["replay", "--config", "a.toml", "--compare", "a.toml", "b.toml", "calls.csv"]), Some(2));
    assert_eq!(code(&["replay", "--jsonl", "--compare", "a.toml", "b.toml", "calls.csv"]), Some(2));
}

#[test]
fn any_recording_has_figures() {
    let folder = folder();
    for (input, calls) in [
        ("", 0),
        ("at_ms,latency_ms\n", 0),
        ("at_ms,latency_ms\n5,5\n", 1),
        ("at_ms,memory_percent\n5,50\n6,99\n7,99\n", 0),
        ("at_ms,latency_ms\n-4000000000000,0\n4000000000000,4000000000000\n", 2),
    ] {
        for format in [&["--json"][..], &[]] {
            let arguments = [&["replay", "--compare", "a.toml", "b.toml"], format, &["--", "-"]].concat();
            let finished = run_with_input(folder.path(), &arguments, input);
            assert_eq!(finished.code, Some(0), "{input:?}: {finished:?}");
            if format.is_empty() {
                continue;
            }
            let line: Value = serde_json::from_str(finished.stdout.lines().next().unwrap()).unwrap();
            assert_eq!(line["calls"], calls, "{input:?}");
        }
    }
}

#[test]
fn a_compressed_access_log_gives_what_its_calls_as_csv_give() {
    let folder = tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    // As the first call ends, the one of 1.5 s stalls. A warning reports that so few calls are enough for a trip.
    write("a.toml", b"latency_threshold = 100\nminimum_samples = 2\ntrip_confidence = 0\n");
    write("b.toml", b"latency_threshold = 5000\n");
    write("calls.csv", log_fixture("nginx.csv").as_bytes());
    write("access.log.gz", &gzipped(&log_fixture("nginx.log")));
    let of = |recording: &str| run(folder.path(), &["replay", "--json", "--compare", "a.toml", "b.toml", recording]);
    let (log, calls) = (of("access.log.gz"), of("calls.csv"));
    let as_calls = log.stdout.replace("{\"no_call\":1}", "{}");
    assert_eq!((log.code, &as_calls), (Some(0), &calls.stdout), "{log:?}");
    let trips = |line: &str| serde_json::from_str::<Value>(line).unwrap()["trips"].clone();
    assert_eq!(calls.stdout.lines().map(trips).collect::<Vec<_>>(), [1, 0], "{calls:?}");
    let told: Vec<&str> = log.stderr.lines().filter(|line| !line.starts_with("a.toml:2: minimum_samples")).collect();
    assert!(
        told[0].starts_with("access.log.gz: read as an access log of nginx: request times are seconds"),
        "{told:?}"
    );
    assert!(told[1].starts_with("access.log.gz: 1 of 7 lines were not used, the first is line 5: "), "{told:?}");
    assert_eq!(told.len(), 2, "{told:?}");
    // An explicit format is not guessed, and is an error if it is wrong.
    let said = ["replay", "--format", "envoy", "--compare", "a.toml", "b.toml", "access.log.gz"];
    assert_eq!(run(folder.path(), &said).code, Some(1));
}
