//! `tripline replay`, through the binary.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};

use serde_json::{Value, json};
use support::{Finished, run, run_with_input, tripline, tripline_unread, wait};
use tempfile::{TempDir, tempdir};

/// The recorded calls of the README: one ends every 100 ms, and from the 41st on each takes 900 ms instead of 50.
fn readme_calls() -> String {
    let mut text = "at_ms,latency_ms\n".to_owned();
    for call in 1..=100 {
        writeln!(text, "{},{}", call * 100, if call > 40 { 900 } else { 50 }).unwrap();
    }
    text
}

/// The settings of [`readme_summary`]: the rule of the original, so that the calls can be counted by hand.
const COUNTED: [&str; 4] = ["--set", "latency_threshold=300", "--set", "trip_confidence=0"];

/// The result for these settings, counted by hand. Call 41 starts at 3,200 and is stalled from 3,500 on: one slow call among 36,
/// of which two must be slow. Call 42 is stalled from 3,600 on: two among 38, and the breaker opens. Calls 1 to 36 and 41 to 44
/// have started by then; the wait of 10 s does not end before the recording. Calls that end later belong to an earlier
/// generation, so the window keeps the 36 fast ones.
fn readme_summary() -> Value {
    json!({
        "calls": 100, "admitted": 40, "rejected": 60, "percentile_ms": 50,
        "trips": [{ "index": 41, "at_ms": 3_600, "reason": "latency",
            "why": "latency: 0 slow, 0 failed of 38 calls, 2 hanging; p95 50 ms, threshold 300 ms" }], "recoveries": [],
            "unusable": {}, "excluded": 0, "nul_bytes": 0, "origin_changes": 0,
    })
}

fn folder_with_calls() -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("calls.csv"), readme_calls()).unwrap();
    folder
}

/// Whether a line is the warning that [`COUNTED`] causes.
fn warns_of_no_evidence(line: &str) -> bool {
    line.contains("trip_confidence") && line.contains(" are enough to trip; set ")
}

#[track_caller]
fn summary(finished: &Finished) -> Value {
    let errors: Vec<&str> = finished.stderr.lines().filter(|line| !warns_of_no_evidence(line)).collect();
    assert_eq!((finished.code, errors.len()), (Some(0), 0), "{finished:?}");
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
fn the_summary_reports_what_would_have_happened() {
    let folder = folder_with_calls();
    let finished = run(folder.path(), &[&["replay"], &COUNTED[..], &["--summary", "calls.csv"]].concat());
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
    let finished = run(folder.path(), &[&["replay"], &COUNTED[..], &["--jsonl", "calls.csv"]].concat());
    assert_eq!((finished.code, finished.stderr.lines().all(warns_of_no_evidence)), (Some(0), true), "{finished:?}");
    let lines: Vec<Value> = finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 100);
    let start = r#"{"at_ms":100,"admitted":true,"state":"closed","percentile_ms":50,"trend":"too_few","reason":null,"why":null}"#;
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
    // Record 39 is the reading at 20 s. At 30 s memory is fine and the wait is over; five probes, one per second, close
    // the breaker.
    let why = "memory: 95 % in use, threshold 80 %";
    assert_eq!(found["trips"], json!([{ "index": 39, "at_ms": 20_000, "reason": "memory", "why": why }]));
    assert_eq!(found["calls"], 60);
    assert_eq!(found["recoveries"].as_array().map(Vec::len), Some(1), "{found}");
    let recovered = found["recoveries"][0]["at_ms"].as_u64().unwrap();
    assert!((34_000..=36_000).contains(&recovered), "{found}");
}

#[test]
fn settings_come_from_the_file_and_from_the_command_line_over_it() {
    let folder = folder_with_calls();
    let slow = summary(&run(folder.path(), &[&["replay"], &COUNTED[..], &["calls.csv"]].concat()));
    assert_eq!(slow, readme_summary());
    let patient = summary(&run(folder.path(), &["replay", "--set", "latency_threshold=5000", "calls.csv"]));
    assert_eq!((&patient["trips"], &patient["admitted"]), (&json!([]), &json!(100)));
    for section in ["", "[circuit_breaker]\n"] {
        fs::write(folder.path().join("b.toml"), format!("{section}latency_threshold = 5000\ntrip_confidence = 0\n"))
            .unwrap();
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
    let arguments = [&["replay"], &COUNTED[..], &["--set", "wait_time=1"]].concat();
    let found = summary(&run(folder.path(), &[&arguments[..], &["calls.csv"]].concat()));
    // A slow probe reopens it, which is not a trip.
    assert_eq!(found["trips"], readme_summary()["trips"]);
    assert!(found["admitted"].as_u64() > readme_summary()["admitted"].as_u64(), "{found}");
    let lines = run(folder.path(), &[&arguments[..], &["--jsonl", "calls.csv"]].concat()).stdout;
    assert!(lines.contains(r#""state":"open","percentile_ms":50,"trend":"steady","reason":"probe_slow""#), "{lines}");
}

#[test]
fn a_bad_setting_is_an_error_that_names_it() {
    let folder = folder_with_calls();
    let with = |setting: &str| run(folder.path(), &["replay", "--set", setting, "calls.csv"]);
    assert_failed(&with("latency_treshold=300"), &["--set", "latency_treshold"]);
    assert_failed(&with("latency_threshold"), &["--set", "latency_threshold", "KEY=VALUE"]);
    assert_failed(&with("=300"), &["--set =300"]);
    assert_failed(&with("opsgenie.api_key=hidden"), &["--set opsgenie.api_key: ", "allowed: "]);
    assert!(!with("opsgenie.api_key=hidden").stderr.contains("hidden"));
    for setting in ["latency_threshold=-1", "latency_threshold=", "percentile=20", "wait_time=soon", "wait_time=1\nx=2"]
    {
        let key = setting.split('=').next().unwrap();
        assert_failed(&with(setting), &[&format!("--set {key}="), "allowed: "]);
    }
}

#[test]
fn all_bad_settings_are_reported_together_as_they_were_given() {
    let folder = folder_with_calls();
    fs::write(folder.path().join("b.toml"), "\n[circuit_breaker]\nwait_time = 5\nmax_wait_time = 6\n").unwrap();
    let bad = ["wait_time=0", "latency_treshold=300", "minimum_samples", "percentile=20", "zzz=1", "enabled=true"];
    let set = bad.iter().flat_map(|setting| ["--set", setting]);
    for config in [&["replay"][..], &["replay", "--config", "b.toml"]] {
        let arguments: Vec<_> = config.iter().copied().chain(set.clone()).chain(["calls.csv"]).collect();
        let finished = run(folder.path(), &arguments);
        assert_eq!(finished.code, Some(1));
        assert_eq!(
            finished.stderr.lines().collect::<Vec<_>>(),
            [
                "--set wait_time=0: allowed: 1 to 3600 (seconds)",
                "--set latency_treshold=300: there is no such key; did you mean latency_threshold?",
                "--set minimum_samples: allowed: KEY=VALUE",
                "--set percentile=20: allowed: a ratio 0 < x <= 1, or 50 to 100 (percent)",
                "--set zzz=1: there is no such key",
            ]
        );
    }
    let beside = run(folder.path(), &["replay", "--config", "b.toml", "--set", "wait_time=20", "calls.csv"]);
    assert_failed(&beside, &["with --set: circuit_breaker.max_wait_time = 6: allowed: 20 (wait_time) to "]);
    let last = run(folder.path(), &["replay", "--set", "wait_time=0", "--set", "wait_time=9", "calls.csv"]);
    assert_eq!(last.code, Some(0), "the last one counts: {last:?}");
}

#[test]
fn a_setting_that_hardly_means_what_it_says_is_reported_as_it_was_given() {
    let folder = folder_with_calls();
    let finished =
        run(folder.path(), &["replay", "--set", "minimum_samples=1", "--set", "trip_confidence=0", "calls.csv"]);
    assert_eq!(finished.code, Some(0));
    assert!(finished.stderr.starts_with("--set minimum_samples=1: one slow call"), "{finished:?}");
}

#[test]
fn a_column_that_looks_misspelt_is_reported_once_and_the_replay_goes_on() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("typo.csv"), "at_ms,latency_ms,outcom,host\n1,1,error,a\n2,1,ok,b\n").unwrap();
    let finished = run(folder.path(), &["replay", "typo.csv"]);
    assert_eq!(finished.code, Some(0));
    let told = "typo.csv: line 1: outcom: unknown field, ignored; did you mean outcome?\n";
    assert_eq!(finished.stderr, told);
    assert!(finished.stdout.starts_with("{\"calls\":2,"), "{finished:?}");
    let finished = run_with_input(folder.path(), &["replay", "-"], "at_ms,latncy_ms\n1,1\n");
    assert_failed(
        &finished,
        &["standard input: line 1: latncy_ms: ", "did you mean latency_ms?", "no column latency_ms"],
    );
}

#[test]
fn the_long_help_describes_input_and_output() {
    let folder = tempdir().unwrap();
    let finished = run(folder.path(), &["replay", "--help"]);
    assert_eq!(finished.code, Some(0));
    let mut words: Vec<&str> =
        "at_ms latency_ms outcome memory_percent index admitted state trend".split(' ').collect();
    words.extend(["ok (also", "error or ignored", "neither breakers.toml nor", "3 x sample_interval_ms"]);
    for word in words {
        assert!(finished.stdout.contains(word), "no {word:?} in {}", finished.stdout);
    }
    // The examples of the help are valid.
    let from = |first: &str, count| -> String {
        let lines = finished.stdout.lines().map(str::trim).skip_while(|line| !line.starts_with(first)).take(count);
        lines.collect::<Vec<_>>().join("\n")
    };
    let (json, csv) = (from("{\"at_ms\"", 2), from("at_ms,", 3));
    let results = [json, csv].map(|input| run_with_input(folder.path(), &["replay", "--jsonl", "-"], &input));
    assert_eq!(results[0].stdout.lines().count(), 2, "{results:?}");
    assert_eq!((&results[0].stdout, results[0].stderr.as_str()), (&results[1].stdout, ""), "{results:?}");
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
    fs::write(folder.path().join("b.toml"), "latency_threshold = 300\ntrip_confidence = 0\nlatency_treshold = 1\n")
        .unwrap();
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
        let mut finished = run_with_input(folder.path(), &["replay", "-"], input);
        assert_eq!(
            std::mem::take(&mut finished.stderr),
            "standard input: there are no records in the input\n",
            "{input:?}"
        );
        let found = summary(&finished);
        let none = json!({
            "calls": 0, "admitted": 0, "rejected": 0, "percentile_ms": null, "trips": [], "recoveries": [],
            "unusable": {}, "excluded": 0, "nul_bytes": 0, "origin_changes": 0,
        });
        assert_eq!(found, none, "{input:?}");
    }
}

#[test]
fn calls_longer_than_the_lookahead_are_counted_on_standard_error() {
    let folder = folder_with_calls();
    let finished =
        run(folder.path(), &["replay", "--set", "latency_threshold=300", "--max-latency", "0.5", "calls.csv"]);
    assert_eq!(finished.code, Some(0));
    assert!(finished.stderr.starts_with("60 calls took longer than --max-latency 0.5; they count"), "{finished:?}");
    let one = run_with_input(
        folder.path(),
        &["replay", "--set", "latency_threshold=300", "--max-latency", "1", "-"],
        "at_ms,latency_ms\n1,1001\n",
    );
    assert!(one.stderr.starts_with("1 call took longer than --max-latency 1; it counts"), "{one:?}");
    for seconds in ["0", "1e-12", "4294.967296", "-1", "NaN", "inf", "1e300"] {
        let finished = run(folder.path(), &["replay", &format!("--max-latency={seconds}"), "calls.csv"]);
        assert_failed(&finished, &["--max-latency", "allowed: seconds, more than 0 and at most 4294.967295"]);
    }
    assert_eq!(run(folder.path(), &["replay", "--max-latency=long", "calls.csv"]).code, Some(2));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
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
    assert_eq!((wait(&mut child).code(), stderr.as_str()), (Some(0), ""));
    for mode in ["--summary", "--jsonl"] {
        let mut child = tripline_unread(folder.path()).args(["replay", mode, "many.csv"]).spawn().unwrap();
        let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        assert_eq!((wait(&mut child).code(), stderr.as_str()), (Some(0), ""));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn an_output_that_cannot_be_written_is_named_and_not_the_input() {
    let folder = folder_with_calls();
    for mode in ["--summary", "--jsonl"] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let child = tripline(folder.path()).args(["replay", mode, "calls.csv"]).stdout(full).spawn().unwrap();
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.starts_with("standard output: ") && !stderr.contains("calls.csv"), "{stderr}");
    }
}

#[test]
fn what_says_nothing_here_is_reported() {
    let folder = tempdir().unwrap();
    let input = "at_ms,latency_ms\n1000,5\n2000,5\n";
    let told = |arguments: &[&str]| {
        let finished = run_with_input(folder.path(), &[&["replay"], arguments, &["-"]].concat(), input);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.stderr
    };
    assert_eq!(told(&["--max-latency", "2", "--set", "latency_threshold=2000"]), "");
    for last in [&[][..], &["--report", "out.html"]] {
        let below = told(&[&["--max-latency", "1", "--set", "latency_threshold=2000"], last].concat());
        assert!(below.starts_with("--max-latency 1 is below latency_threshold = 2000 (ms) of "), "{below}");
        assert!(below.contains(": no call can be slow\n"), "{below}");
    }
    for option in [["--latency-unit", "s"], ["--latency-field", "2"]] {
        let words = told(&option);
        assert!(words.contains("mean nothing here; JSON and CSV have milliseconds"), "{words}");
    }
}
