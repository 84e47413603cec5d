//! `tripline replay`, through the binary.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};
use support::{Finished, run, run_with_input, tripline, wait};
use tempfile::{TempDir, tempdir};

/// The recorded calls of the README: one ends every 100 ms, and from the 41st on each takes 900 ms instead of 50.
fn readme_calls() -> String {
    let mut text = "at_ms,latency_ms\n".to_owned();
    for call in 1..=100 {
        writeln!(text, "{},{}", call * 100, if call > 40 { 900 } else { 50 }).unwrap();
    }
    text
}

/// What comes of them at a threshold of 300 ms, counted by hand. Call 41 starts at 3,200 and hangs from 3,500 on: one slow
/// call among 36, of which two must be slow. Call 42 hangs from 3,600 on: two among 38, and the breaker opens. Until then
/// calls 1 to 36 and 41 to 44 have started; the wait of 10 s does not pass any more. Calls that end later belong to an
/// earlier generation, so the window keeps the 36 fast ones.
fn readme_summary() -> Value {
    json!({
        "calls": 100, "admitted": 40, "rejected": 60, "percentile_ms": 50,
        "trips": [{ "index": 41, "at_ms": 3_600, "reason": "latency" }], "recoveries": [],
    })
}

fn folder_with_calls() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("calls.csv"), readme_calls()).unwrap();
    folder
}

#[track_caller]
fn summary(finished: &Finished) -> Value {
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    assert_eq!(finished.stdout.lines().count(), 1, "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap()
}

#[track_caller]
fn assert_failed(finished: &Finished, words: &[&str]) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    for word in words {
        assert!(finished.stderr.contains(word), "no {word:?} in {finished:?}");
    }
}

#[test]
fn the_summary_tells_what_would_have_happened() {
    let folder = folder_with_calls();
    let finished = run(folder.path(), &["replay", "--set", "latency_threshold=300", "--summary", "calls.csv"]);
    assert_eq!(summary(&finished), readme_summary());
}

#[test]
fn the_same_input_gives_the_same_bytes_from_a_file_and_from_standard_input() {
    let folder = folder_with_calls();
    for mode in ["--summary", "--jsonl"] {
        let arguments = |file| ["replay", "--set", "latency_threshold=300", mode, file];
        let first = run(folder.path(), &arguments("calls.csv"));
        assert_eq!((first.code, first.stderr.as_str()), (Some(0), ""), "{first:?}");
        assert!(!first.stdout.is_empty());
        assert_eq!(run(folder.path(), &arguments("calls.csv")).stdout, first.stdout);
        assert_eq!(run_with_input(folder.path(), &arguments("-"), &readme_calls()).stdout, first.stdout);
    }
}

#[test]
fn the_summary_is_what_is_printed_unless_lines_are_asked_for() {
    let folder = folder_with_calls();
    let default = run(folder.path(), &["replay", "calls.csv"]);
    assert_eq!(summary(&default), summary(&run(folder.path(), &["replay", "--summary", "calls.csv"])));
    assert_eq!(run(folder.path(), &["replay", "--summary", "--jsonl", "calls.csv"]).code, Some(2));
    assert_eq!(run(folder.path(), &["replay"]).code, Some(2));
}

#[test]
fn json_lines_have_one_line_for_each_record() {
    let folder = folder_with_calls();
    let finished = run(folder.path(), &["replay", "--set", "latency_threshold=300", "--jsonl", "calls.csv"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""));
    let lines: Vec<Value> = finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 100);
    let start = r#"{"at_ms":100,"admitted":true,"state":"closed","percentile_ms":50,"trend":"too_few","reason":null}"#;
    assert_eq!(finished.stdout.lines().next(), Some(start));
    for (i, line) in lines.iter().enumerate() {
        let call = i + 1;
        assert_eq!(line["at_ms"], call * 100);
        assert_eq!(line["admitted"], call <= 36 || (41..=44).contains(&call), "call {call}");
        // Call 36 ends at 3,600, just before the breaker opens.
        let open = call > 36;
        assert_eq!(line["state"], if open { "open" } else { "closed" }, "call {call}");
        assert_eq!(line["reason"], if open { json!("latency") } else { json!(null) }, "call {call}");
    }
}

#[test]
fn json_lines_and_memory_readings_are_read_too() {
    let mut input = String::new();
    for call in 1..=60 {
        let memory = if (20..30).contains(&call) { 95 } else { 50 };
        writeln!(input, r#"{{"at_ms":{},"latency_ms":40,"outcome":"ok"}}"#, call * 1_000).unwrap();
        writeln!(input, r#"{{"at_ms":{},"memory_percent":{memory}}}"#, call * 1_000).unwrap();
    }
    let folder = tempdir().unwrap();
    let found = summary(&run_with_input(folder.path(), &["replay", "-"], &input));
    // Record 39 is the reading at 20 s. At 30 s memory is fine and the wait is over; five probes, one a second, close it.
    assert_eq!(found["trips"], json!([{ "index": 39, "at_ms": 20_000, "reason": "memory" }]));
    assert_eq!(found["calls"], 60);
    assert_eq!(found["recoveries"].as_array().map(Vec::len), Some(1), "{found}");
    let recovered = found["recoveries"][0]["at_ms"].as_u64().unwrap();
    assert!((34_000..=36_000).contains(&recovered), "{found}");
}

#[test]
fn settings_come_from_the_file_and_from_the_command_line_over_it() {
    let folder = folder_with_calls();
    let slow = summary(&run(folder.path(), &["replay", "--set", "latency_threshold=300", "calls.csv"]));
    assert_eq!(slow, readme_summary());
    let patient = summary(&run(folder.path(), &["replay", "--set", "latency_threshold=5000", "calls.csv"]));
    assert_eq!((&patient["trips"], &patient["admitted"]), (&json!([]), &json!(100)));
    for section in ["", "[circuit_breaker]\n"] {
        fs::write(folder.path().join("b.toml"), format!("{section}latency_threshold = 5000\n")).unwrap();
        let with = |set: &[&str]| {
            let arguments = [&["replay", "--config", "b.toml"], set, &["calls.csv"]].concat();
            summary(&run(folder.path(), &arguments))
        };
        assert_eq!(with(&[]), patient);
        assert_eq!(with(&["--set", "latency_threshold=300"]), slow);
        assert_eq!(with(&["--set", "wait_time=20", "--set", "latency_threshold=300"]), slow);
        assert_eq!(with(&["--set", "memory_source=mock"]), patient, "a word needs no quotes");
    }
}

#[test]
fn a_breaker_with_a_shorter_wait_probes_again() {
    let folder = folder_with_calls();
    let arguments = ["replay", "--set", "latency_threshold=300", "--set", "wait_time=1", "calls.csv"];
    let found = summary(&run(folder.path(), &arguments));
    let trips = found["trips"].as_array().unwrap();
    assert!(trips.len() > 1, "{found}");
    assert!(trips[1..].iter().all(|trip| trip["reason"] == "probe_slow"), "{found}");
    // The first to ask after 4,600 starts right then and is too slow at 4,900.
    assert_eq!(trips[1]["at_ms"], 4_900, "{found}");
}

#[test]
fn a_bad_setting_is_an_error_that_names_it() {
    let folder = folder_with_calls();
    let with = |setting: &str| run(folder.path(), &["replay", "--set", setting, "calls.csv"]);
    assert_failed(&with("latency_treshold=300"), &["--set", "latency_treshold"]);
    assert_failed(&with("latency_threshold"), &["--set", "latency_threshold", "KEY=VALUE"]);
    assert_failed(&with("=300"), &["--set"]);
    for setting in ["latency_threshold=-1", "latency_threshold=", "percentile=20", "wait_time=soon", "wait_time=1\nx=2"]
    {
        let key = setting.split('=').next().unwrap();
        assert_failed(&with(setting), &["--set", key, "allowed: "]);
    }
}

#[test]
fn a_bad_line_is_an_error_that_names_file_and_line() {
    let folder = tempdir().unwrap();
    for (name, text, line, word) in [
        ("word.csv", "at_ms,latency_ms\n100,50\n200,fast\n", 3, "latency_ms"),
        ("negative.csv", "at_ms,latency_ms\n100,-1\n", 2, "latency_ms"),
        ("nan.csv", "at_ms,latency_ms\n100,NaN\n", 2, "latency_ms"),
        ("infinite.csv", "at_ms,latency_ms\n100,inf\n", 2, "latency_ms"),
        ("backwards.csv", "at_ms,latency_ms\n100,50\n99,50\n", 3, "earlier"),
        ("columns.csv", "at_ms,latency_ms\n100,50,7\n", 2, "2"),
        ("header.csv", "time,latency_ms\n100,50\n", 1, "at_ms"),
        ("broken.jsonl", "{\"at_ms\":1,\"latency_ms\":1}\n{\"at_ms\":2,\n", 2, "allowed"),
        ("outcome.jsonl", "{\"at_ms\":1,\"latency_ms\":1,\"outcome\":\"fine\"}\n", 1, "outcome"),
        ("empty.jsonl", "{\"at_ms\":1}\n", 1, "latency_ms"),
    ] {
        fs::write(folder.path().join(name), text).unwrap();
        for mode in ["--summary", "--jsonl"] {
            assert_failed(&run(folder.path(), &["replay", mode, name]), &[name, &format!("line {line}: "), word]);
        }
    }
}

#[test]
fn files_that_cannot_be_read_are_errors_that_name_them() {
    let folder = folder_with_calls();
    assert_failed(&run(folder.path(), &["replay", "missing.csv"]), &["missing.csv"]);
    assert_failed(&run(folder.path(), &["replay", "."]), &[".: "]);
    assert_failed(&run(folder.path(), &["replay", "--config", "missing.toml", "calls.csv"]), &["missing.toml"]);
    fs::write(folder.path().join("bad.toml"), "\nwait_time = 0\n").unwrap();
    let problem = "bad.toml:2: wait_time = 0: allowed: 1 to 3600 (seconds)";
    assert_failed(&run(folder.path(), &["replay", "--config", "bad.toml", "calls.csv"]), &[problem]);
    let set = ["replay", "--config", "bad.toml", "--set", "percentile=0.9", "calls.csv"];
    assert_failed(&run(folder.path(), &set), &[problem]);
}

#[test]
fn warnings_about_the_configuration_do_not_mix_with_the_output() {
    let folder = folder_with_calls();
    fs::write(folder.path().join("b.toml"), "latency_threshold = 300\nlatency_treshold = 1\n").unwrap();
    for set in [&[][..], &["--set", "percentile=0.95"]] {
        let arguments = [&["replay", "--config", "b.toml"], set, &["calls.csv"]].concat();
        let finished = run(folder.path(), &arguments);
        assert_eq!(finished.code, Some(0));
        assert_eq!(finished.stderr.matches("did you mean latency_threshold?").count(), 1, "{finished:?}");
        assert_eq!(serde_json::from_str::<Value>(&finished.stdout).unwrap()["trips"][0]["at_ms"], 3_600);
    }
}

#[test]
fn an_input_without_calls_is_a_summary_of_none() {
    let folder = tempdir().unwrap();
    for input in ["", "\n\n", "at_ms,latency_ms\n"] {
        let found = summary(&run_with_input(folder.path(), &["replay", "-"], input));
        let none = json!({
            "calls": 0, "admitted": 0, "rejected": 0, "percentile_ms": null, "trips": [], "recoveries": [],
        });
        assert_eq!(found, none, "{input:?}");
    }
}

#[test]
fn calls_longer_than_the_lookahead_are_counted_on_standard_error() {
    let folder = folder_with_calls();
    let finished = run(folder.path(), &["replay", "--max-latency", "0.5", "calls.csv"]);
    assert_eq!(finished.code, Some(0));
    assert!(finished.stderr.starts_with("60 calls"), "{finished:?}");
    for seconds in ["-1", "NaN", "inf", "1e300"] {
        let finished = run(folder.path(), &["replay", &format!("--max-latency={seconds}"), "calls.csv"]);
        assert_failed(&finished, &["--max-latency", "allowed"]);
    }
    assert_eq!(run(folder.path(), &["replay", "--max-latency=long", "calls.csv"]).code, Some(2));
}

#[test]
fn a_reader_that_goes_away_is_no_panic() {
    let mut text = "at_ms,latency_ms\n".to_owned();
    for call in 1..=20_000 {
        writeln!(text, "{},50", call * 100).unwrap();
    }
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("many.csv"), text).unwrap();
    let mut child = tripline(folder.path()).args(["replay", "--jsonl", "many.csv"]).spawn().unwrap();
    let mut line = String::new();
    {
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
    }
    assert!(line.starts_with("{\"at_ms\":100,"), "{line}");
    let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
    let code = wait(&mut child).code();
    assert!(matches!(code, Some(0 | 1)), "{code:?} {stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
}
