//! The warnings of `tripline suggest` on unsuitable recordings, and on incidents in them, through the binary.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;
use support::{run, run_with_input};
use tempfile::tempdir;

/// A call every 10 ms, with a latency of 50 to 80 ms unless `slow` returns another one; in the order of the ends.
fn recording(calls: u64, slow: impl Fn(u64) -> Option<u64>) -> String {
    let mut ends: Vec<(u64, u64)> = (0..calls)
        .map(|nth| (nth * 10, slow(nth).unwrap_or(50 + nth * 7 % 31)))
        .map(|(start, latency)| (start + latency, latency))
        .collect();
    ends.sort_unstable();
    let mut text = "at_ms,latency_ms\n".to_owned();
    for (at, latency) in ends {
        writeln!(text, "{at},{latency}").unwrap();
    }
    text
}

#[test]
fn a_trip_while_calls_hang_that_end_only_later_is_not_called_false() {
    let folder = tempdir().unwrap();
    for (what, every) in [("half", 2), ("an eighth", 8)] {
        // From minute 1 on this number of calls takes 10 s, for half a minute.
        let input =
            recording(12_000, |nth| ((6_000..9_000).contains(&nth) && nth.is_multiple_of(every)).then_some(10_000));
        let finished = run_with_input(folder.path(), &["suggest", "--json", "-"], &input);
        let found: Value = serde_json::from_str(&finished.stdout).unwrap();
        let [incident] = found["incidents"].as_array().unwrap().as_slice() else { panic!("{what}: {found}") };
        let from = incident["from_at_ms"].as_f64().unwrap();
        assert!((55_000.0..=60_500.0).contains(&from), "{what}: {incident}");
        assert_eq!(found["healthy"], false);
        let proposed = &found["sides"][0];
        assert_eq!(proposed["false_trips"], 0, "{what}: {found}");
        assert!(proposed["trips"].as_u64().unwrap() > 0, "{what}: {found}");
        let proposal = &found["proposal"];
        assert!(proposal["latency_threshold"].as_f64().unwrap() < 150.0, "{what}: {proposal}");
        assert_eq!(proposal["trip_confidence"], 0.995, "{what}: {proposal}");
    }
}

#[test]
fn what_is_printed_keeps_every_key_that_is_not_as_by_default() {
    let folder = tempdir().unwrap();
    let input = recording(1_000, |_| None);
    let printed = |arguments: &[&str]| {
        let finished = run_with_input(folder.path(), &[&["suggest"], arguments, &["-"]].concat(), &input);
        assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
        fs::write(folder.path().join("x.toml"), &finished.stdout).unwrap();
        assert_eq!(run(folder.path(), &["check", "x.toml"]).code, Some(0), "{finished:?}");
        finished.stdout
    };
    let recommended = printed(&[]);
    assert!(!recommended.contains("# As "), "the defaults are the recommendation: {recommended}");
    let changed = printed(&["--set", "wait_time=7"]);
    for words in ["# As recommended with --set.\n", "\nwait_time = 7\n"] {
        assert!(changed.contains(words), "{words}: {changed}");
    }
    fs::write(folder.path().join("b.toml"), "name = \"shop\"\nfailure_rate_threshold = 0.4\n").unwrap();
    let own = printed(&["--config", "b.toml"]);
    for words in ["# As in b.toml.\n", "\nname = \"shop\"\n", "\nfailure_rate_threshold = 0.4\n"] {
        assert!(own.contains(words), "{words}: {own}");
    }
    assert!(!own.contains("recovery_time"), "{own}");
}

/// nginx lines at these seconds of an hour, with these request times.
fn log(lines: impl Iterator<Item = (u64, String)>) -> String {
    let mut text = String::new();
    for (second, latency) in lines {
        let (minute, second) = (second / 60 % 60, second % 60);
        let time = format!("10/Oct/2026:13:{minute:02}:{second:02} +0000");
        writeln!(text, "10.0.0.1 - - [{time}] \"GET / HTTP/1.1\" 200 5 \"-\" \"-\" {latency}").unwrap();
    }
    text
}

#[test]
fn whole_seconds_are_reported_and_zeros_are_no_basis_for_a_threshold() {
    let folder = tempdir().unwrap();
    let words = "# ! the request times are whole seconds, and no threshold can be derived from them";
    let arguments = ["suggest", "--format", "apache", "--latency-unit", "s", "-"];
    for (latency, code) in [(0, 1), (1, 1), (3, 0)] {
        let input = log((0..1_000).map(|nth| (nth / 20, latency.to_string())));
        let finished = run_with_input(folder.path(), &arguments, &input);
        assert_eq!(finished.code, Some(code), "{latency}: {finished:?}");
        assert!(finished.stdout.contains(words), "{finished:?}");
        assert_eq!(finished.stdout.contains("latency_threshold ="), code == 0, "{finished:?}");
        assert_eq!(finished.stderr.contains("whole seconds"), code == 1, "{finished:?}");
    }
    let input = log((0..1_000).map(|nth| (nth / 20, format!("0.{:03}", 50 + nth % 40))));
    let finished = run_with_input(folder.path(), &["suggest", "-"], &input);
    assert!(finished.code == Some(0) && !finished.stdout.contains("whole seconds"), "{finished:?}");
}

#[test]
fn the_share_of_late_lines_is_reported_and_of_a_disordered_log_nothing_is_proposed() {
    let folder = tempdir().unwrap();
    for (late_of_ten, code) in [(0, 0), (2, 0), (6, 1)] {
        let line =
            |nth: u64| (if nth % 10 < late_of_ten && nth > 20 { nth % 60 } else { 1_800 + nth / 20 }, "0.05".into());
        let finished = run_with_input(folder.path(), &["suggest", "-"], &log((0..4_000).map(line)));
        assert_eq!(finished.code, Some(code), "{late_of_ten}: {finished:?}");
        assert_eq!(finished.stdout.contains("# ! out of order: "), late_of_ten > 0, "{finished:?}");
        let plural = "calls come more than a minute after their place in the order of time, and were put where";
        assert_eq!(finished.stderr.contains(plural), late_of_ten > 0, "{finished:?}");
        assert_eq!(finished.stdout.contains("latency_threshold ="), code == 0, "{finished:?}");
    }
}
