//! `tripline suggest`, through the binary.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::f64::consts::TAU;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{gzipped, log_fixture, run, run_with_input, tripline};
use tempfile::tempdir;

const CALLS: u64 = 3_000;
const EVERY_MS: f64 = 20.0;

/// A random number generator with a seed.
struct Random(u64);

impl Random {
    /// A number above 0 and below 1.
    fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * self.share().ln()).sqrt() * (TAU * self.share()).cos()
    }
}

/// The latency in milliseconds of the `nth` call of a healthy service.
fn healthy(kind: &str, nth: u64, random: &mut Random) -> f64 {
    let usual = 100.0 * (0.35 * random.normal()).exp();
    match kind {
        "log-normal" => usual,
        "heavy tail" => 60.0 * random.share().powf(-1.0 / 2.2),
        "pauses" => usual + if nth % 1_100 < 3 { 500.0 } else { 0.0 },
        "cold start" => usual * if nth < 40 { 3.0 } else { 1.0 },
        "swing" => usual * (1.0 + 0.5 * (TAU * nth as f64 / CALLS as f64).sin()),
        _ => usual * if random.share() < 0.03 { 8.0 } else { 1.0 },
    }
}

/// The latency with the fault of the second half.
fn faulty(fault: &str, latency: f64, random: &mut Random) -> f64 {
    match fault {
        "all hang" => 5_000.0,
        "eight times as slow" => latency * 8.0,
        "an eighth hangs" => {
            if random.share() < 0.125 {
                5_000.0
            } else {
                latency
            }
        }
        _ => latency,
    }
}

fn recording(kind: &str, fault: &str, seed: u64) -> String {
    let mut random = Random(seed);
    let mut calls: Vec<(f64, f64)> = (0..CALLS)
        .map(|nth| {
            let latency = healthy(kind, nth, &mut random);
            let latency = if nth < CALLS / 2 { latency } else { faulty(fault, latency, &mut random) };
            (nth as f64 * EVERY_MS + latency, latency)
        })
        .collect();
    calls.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut text = "at_ms,latency_ms\n".to_owned();
    for (at, latency) in calls {
        writeln!(text, "{at:.3},{latency:.3}").unwrap();
    }
    text
}

fn json(folder: &Path, arguments: &[&str], input: &str) -> Value {
    let finished = run_with_input(folder, &[&["suggest", "--json"], arguments, &["-"]].concat(), input);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn what_is_suggested_holds_on_other_days_of_the_same_service_and_finds_its_faults() {
    holds_and_finds_faults(&["log-normal", "heavy tail", "two kinds of calls"]);
}

#[test]
fn so_it_does_where_the_service_is_slow_now_and_then() {
    holds_and_finds_faults(&["pauses", "cold start", "swing"]);
}

fn holds_and_finds_faults(kinds: &[&str]) {
    let folder = tempdir().unwrap();
    for kind in kinds {
        let finished = run_with_input(folder.path(), &["suggest", "-"], &recording(kind, "none", 1));
        // A fault that is not found is named, with the exit code of a failure.
        if finished.code == Some(1) {
            assert!(finished.stderr.contains("the proposal does not find: "), "{kind}: {finished:?}");
            assert!(finished.stdout.contains("# ! a fault is not found: "), "{kind}: {finished:?}");
            continue;
        }
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{kind}: {finished:?}");
        let doubts: Vec<&str> = finished.stdout.lines().filter(|line| line.starts_with("# !")).collect();
        assert_eq!(doubts.len(), 1, "{kind}: {}", finished.stdout);
        assert!(doubts[0].starts_with("# ! short: ") && doubts[0].ends_with("at least one whole cycle of your load"));
        assert!(finished.stdout.contains("# It looks healthy: no incident in "), "{kind}: {}", finished.stdout);
        // The whole output is a valid configuration.
        fs::write(folder.path().join("suggested.toml"), &finished.stdout).unwrap();
        let checked = run(folder.path(), &["check", "suggested.toml"]);
        assert_eq!(
            (checked.code, checked.stdout.as_str()),
            (Some(0), "suggested.toml: valid\n"),
            "{kind}: {checked:?}"
        );
        let trips = |input: &str| {
            let found = run_with_input(folder.path(), &["replay", "--config", "suggested.toml", "-"], input);
            let summary: Value = serde_json::from_str(&found.stdout).unwrap();
            summary["trips"].as_array().unwrap().iter().map(|trip| trip["at_ms"].as_f64().unwrap()).collect::<Vec<_>>()
        };
        for seed in 1..=6 {
            assert_eq!(trips(&recording(kind, "none", seed)), [0.0; 0], "{kind}, seed {seed}: {}", finished.stdout);
        }
        for fault in ["all hang", "eight times as slow", "an eighth hangs"] {
            let trips = trips(&recording(kind, fault, 7));
            let since = CALLS as f64 / 2.0 * EVERY_MS;
            let first = trips.first().copied().unwrap_or_else(|| panic!("{kind}, {fault}: {}", finished.stdout));
            assert!((since..since + 20_000.0).contains(&first), "{kind}, {fault}: {first} after {since}");
        }
    }
}

#[test]
fn what_it_says_of_cost_and_faults_is_what_a_replay_says() {
    let folder = tempdir().unwrap();
    let input = recording("log-normal", "none", 3);
    let found = json(folder.path(), &[], &input);
    assert_eq!((&found["healthy"], &found["calls"]), (&true.into(), &CALLS.into()), "{found}");
    let proposal = &found["proposal"];
    let setting = |key: &str| format!("{key}={}", proposal[key]);
    let names = ["latency_threshold", "latency_window_size", "trip_confidence", "percentile"].map(setting);
    let arguments: Vec<&str> = names.iter().flat_map(|setting| ["--set", setting]).collect();
    let replayed = |threshold: &str, input: &str| -> u64 {
        let all = [&["replay"], &arguments[..], &["--set", threshold, "-"]].concat();
        let summary: Value = serde_json::from_str(&run_with_input(folder.path(), &all, input).stdout).unwrap();
        summary["trips"].as_array().unwrap().len() as u64
    };
    let proposed = &found["sides"][0];
    assert_eq!((&proposed["setting"], &proposed["false_trips"]), (&"proposed".into(), &0.into()));
    let same = setting("latency_threshold");
    assert_eq!(replayed(&same, &input), proposed["trips"].as_u64().unwrap());
    // A quarter of headroom, and no more than needed: at half the threshold there would be a trip.
    let of_threshold =
        |factor: f64| format!("latency_threshold={}", proposal["latency_threshold"].as_f64().unwrap() * factor);
    assert_eq!((&proposal["headroom"], replayed(&of_threshold(0.81), &input)), (&true.into(), 0));
    assert!(replayed(&of_threshold(0.5), &input) > 0);
    // The threshold is above the worst segment.
    assert!(proposal["latency_threshold"].as_f64() > found["worst_calm_stretch_ms"].as_f64());
    let hang = &proposed["faults"][0];
    assert_eq!((&hang["fault"], &hang["tried"], &hang["tripped"]), (&"all calls hang".into(), &8.into(), &8.into()));
    let threshold_seconds = proposal["latency_threshold"].as_f64().unwrap() / 1_000.0;
    let seconds = hang["median_seconds"].as_f64().unwrap();
    // The evidence must last for 1.5 s.
    assert!((threshold_seconds + 1.5..threshold_seconds + 2.0).contains(&seconds), "{hang}");
    // A call starts every 20 ms.
    assert!((hang["median_calls"].as_f64().unwrap() - seconds / 0.02).abs() <= 2.0, "{hang}");
    assert_eq!(found["sides"][2]["setting"], "the defaults");
}

#[test]
fn an_incident_is_named_and_does_not_raise_the_threshold() {
    let folder = tempdir().unwrap();
    let calm = json(folder.path(), &[], &recording("log-normal", "none", 5));
    let mut random = Random(5);
    let mut text = "at_ms,latency_ms\n".to_owned();
    for nth in 0..CALLS {
        let slow = if (1_500..2_100).contains(&nth) { 15.0 } else { 1.0 };
        let latency = healthy("log-normal", nth, &mut random) * slow;
        writeln!(text, "{:.3},{latency:.3}", 10_000.0 + nth as f64 * EVERY_MS).unwrap();
    }
    let found = json(folder.path(), &[], &text);
    assert_eq!(found["healthy"], false);
    let doubt = found["doubts"][1].as_str().unwrap();
    assert!(doubt.starts_with("not healthy: 1 period looks like an incident"), "{doubt}");
    let [incident] = found["incidents"].as_array().unwrap().as_slice() else { panic!("{found}") };
    let (from, to) = (incident["from_at_ms"].as_f64().unwrap(), incident["to_at_ms"].as_f64().unwrap());
    assert!((30_000.0..=40_000.0).contains(&from) && (52_000.0..=62_000.0).contains(&to), "{incident}");
    let threshold = |found: &Value| found["proposal"]["latency_threshold"].as_f64().unwrap();
    assert!(threshold(&found) <= threshold(&calm) * 1.3, "{found} for {calm}");
    let proposed = &found["sides"][0];
    assert_eq!(proposed["false_trips"], 0);
    assert!(proposed["trips"].as_u64().unwrap() >= 1, "the incident is found: {found}");
}

#[test]
fn too_short_a_recording_is_no_basis() {
    let folder = tempdir().unwrap();
    let calls = |count: u64| {
        let mut text = "at_ms,latency_ms\n".to_owned();
        for nth in 0..count {
            writeln!(text, "{},{}", nth * 20, 50 + nth % 7).unwrap();
        }
        text
    };
    for (input, words) in [
        (String::new(), "there are no records in the input"),
        (calls(1), "too short: 1 call that counts, and a proposal needs at least 96"),
        (calls(95), "too short: 95 calls that count, and a proposal needs at least 96, three windows of 32"),
        ("at_ms,memory_percent\n1,50\n2,99\n".into(), "too short: 0 calls"),
    ] {
        for json in [&[][..], &["--json"]] {
            let finished = run_with_input(folder.path(), &[&["suggest"], json, &["-"]].concat(), &input);
            assert_eq!(finished.code, Some(1), "{finished:?}");
            assert!(finished.stderr.contains(words) && finished.stdout.contains(words), "{finished:?}");
            assert_eq!(finished.stderr.lines().count(), 1, "{finished:?}");
        }
    }
    let finished = run_with_input(folder.path(), &["suggest", "-"], &calls(1_000));
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(finished.stdout.contains("# ! short: only "), "{finished:?}");
}

#[test]
fn a_file_and_standard_input_give_the_same_bytes_again_and_again() {
    let folder = tempdir().unwrap();
    let input = recording("pauses", "none", 9);
    fs::write(folder.path().join("standard input"), &input).unwrap();
    let first = run(folder.path(), &["suggest", "standard input"]).stdout;
    assert!(first.contains("latency_threshold = "), "{first}");
    assert_eq!(run(folder.path(), &["suggest", "--no-progress", "standard input"]).stdout, first);
    assert_eq!(run_with_input(folder.path(), &["suggest", "-"], &input).stdout, first);
}

#[test]
fn the_percentile_and_the_rest_stay_as_configured() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("b.toml"), "percentile = 0.99\nlatency_threshold = 70\ntrip_confidence = 0.5\n")
        .unwrap();
    let found = json(folder.path(), &["--config", "b.toml"], &recording("log-normal", "none", 4));
    let proposal = &found["proposal"];
    assert_eq!((&proposal["percentile"], &proposal["trip_confidence"]), (&0.99.into(), &0.5.into()));
    // Two seconds of calls. With evidence required, no single slow call causes a trip.
    assert_eq!(proposal["latency_window_size"], 64);
    assert_eq!(found["sides"][1]["setting"], "b.toml");
    assert!(found["sides"][1]["false_trips"].as_u64().unwrap() > 0, "{found}");
    let arguments = ["suggest", "--config", "b.toml", "--set", "percentile=20", "-"];
    let bad = run_with_input(folder.path(), &arguments, "");
    assert_eq!(bad.code, Some(1));
    assert!(bad.stderr.contains("--set percentile=20: allowed: "), "{bad:?}");
    let bad = run_with_input(folder.path(), &["suggest", "-"], "at_ms,latency_ms\n1,fast\n");
    assert_eq!((bad.code, bad.stderr.starts_with("standard input: line 2: latency_ms")), (Some(1), true), "{bad:?}");
}

#[test]
fn any_recording_is_answered() {
    let folder = tempdir().unwrap();
    let many = |line: &dyn Fn(u64) -> String| {
        let lines: Vec<String> = (0..500).map(line).collect();
        format!("at_ms,latency_ms,outcome\n{}\n", lines.join("\n"))
    };
    for (what, input, proposed) in [
        ("all the same", many(&|nth| format!("{},100,ok", nth * 20)), true),
        ("no time at all", many(&|nth| format!("{nth},0,ok")), false),
        ("all at once", many(&|_| "5,5,ok".to_owned()), true),
        ("all failed", many(&|nth| format!("{nth},5,error")), false),
        ("all ignored", many(&|nth| format!("{nth},5,ignored")), false),
        ("as long as can be", many(&|nth| format!("{nth},4000000000000,ok")), true),
        (
            "every other slow",
            many(&|nth| format!("{},{},ok", nth * 20, if nth.is_multiple_of(2) { 10 } else { 9_000 })),
            true,
        ),
        ("rare", many(&|nth| format!("{},{},ok", nth * 60_000, 10 + nth % 3)), true),
    ] {
        let finished = run_with_input(folder.path(), &["suggest", "-"], &input);
        assert_eq!(finished.stdout.contains("\nlatency_threshold = "), proposed, "{what}: {finished:?}");
        let is_missed = finished.stdout.contains("# ! a fault is not found: ");
        assert_eq!(finished.code, Some(i32::from(!proposed || is_missed)), "{what}: {finished:?}");
        assert!(!finished.stdout.contains("NaN") && !finished.stdout.contains("inf"), "{what}: {finished:?}");
        fs::write(folder.path().join("s.toml"), &finished.stdout).unwrap();
        assert_eq!(run(folder.path(), &["check", "s.toml"]).code, Some(0), "{what}: {finished:?}");
        if what == "rare" {
            assert!(finished.stdout.contains("\nlatency_max_age = "), "{finished:?}");
        }
    }
}

#[test]
fn an_access_log_is_read_as_often_as_needed_plain_or_compressed() {
    let folder = tempdir().unwrap();
    let example = log_fixture("nginx.log");
    let example = example.lines().next().unwrap();
    let (mut log, mut csv) = (String::new(), "at_ms,latency_ms\n".to_owned());
    for nth in 0..500_u64 {
        let (at_ms, latency_ms) = (nth * 20, 40 + nth * 7 % 50);
        let time = format!("13:55:{:02}.{:03}", 36 + at_ms / 1_000, at_ms % 1_000);
        let line = example.replace("13:55:36", &time).replace("0.050", &format!("0.{latency_ms:03}"));
        writeln!(log, "{line}").unwrap();
        writeln!(csv, "{},{latency_ms}", 1_791_640_536_000 + at_ms).unwrap();
    }
    for (name, bytes) in [("calls.csv", csv.into_bytes()), ("access.log.gz", gzipped(&log))] {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    fs::write(folder.path().join("access.log"), &log).unwrap();
    let expected = run(folder.path(), &["suggest", "--json", "calls.csv"]);
    let found: Value = serde_json::from_str(&expected.stdout).unwrap();
    assert_eq!(found["calls"], 500);
    let told = "read as an access log of nginx: request times are seconds, the time of a line is when the call ended\n";
    for name in ["access.log", "access.log.gz", "-"] {
        let packed = fs::File::open(folder.path().join("access.log.gz")).unwrap();
        let output = tripline(folder.path()).args(["suggest", "--json", name]).stdin(packed).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), expected.stdout, "{name}");
        let name = if name == "-" { "standard input" } else { name };
        assert_eq!(String::from_utf8(output.stderr).unwrap(), format!("{name}: {told}"));
    }
    let said = run(folder.path(), &["suggest", "--json", "--format", "nginx", "--latency-unit", "ms", "access.log"]);
    assert!(said.stdout != expected.stdout, "in milliseconds all are shorter: {said:?}");
}
