//! `tripline suggest --by`, through the binary: a proposal for each route and each host.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;
use tempfile::tempdir;

use crate::support::run;

const CALLS: u64 = 2_000;

/// One call every 10 ms, of three routes in turn: two take some 50 ms, one takes some 900 ms.
fn by_path() -> String {
    let mut text = "at_ms,latency_ms,path\n".to_owned();
    for nth in 0..3 * CALLS {
        let jitter = nth * 7_919 % 20;
        let (path, latency) = match nth % 3 {
            0 => ("/search?q=x", 45 + jitter),
            1 => ("/Search/all", 45 + jitter),
            _ => ("/reports/monthly", 850 + 10 * jitter),
        };
        writeln!(text, "{},{latency},{path}", nth * 10 + 2_000).unwrap();
    }
    text
}

/// The same calls as an access log in JSON, of two hosts in turn.
fn by_host() -> String {
    let mut text = String::new();
    for nth in 0..2 * CALLS {
        let (host, latency) = if nth % 2 == 0 { ("shop.example:443", 45) } else { ("Slow.example", 900) };
        let (second, milli) = (nth / 100, nth % 100 * 10);
        let (minute, second) = (second / 60, second % 60);
        let latency = latency + nth * 7_919 % 20;
        writeln!(
            text,
            "{{\"time\":\"2026-03-01T10:{minute:02}:{second:02}.{milli:03}Z\",\"duration_ms\":{latency},\"status\":200,\"host\":\"{host}\"}}"
        )
        .unwrap();
    }
    text
}

#[test]
fn each_route_gets_a_table_of_its_own_which_the_check_takes() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("calls.csv"), by_path()).unwrap();
    let finished = run(folder.path(), &["suggest", "--by", "path:1", "calls.csv"]);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let tables: Vec<&str> = finished.stdout.lines().filter(|line| line.starts_with('[')).collect();
    // All have the same number of calls, so they are in the order of their keys. Names must differ in more than case.
    assert_eq!(tables, ["[breakers.\"Search\"]", "[breakers.\"reports\"]", "[breakers.\"search-2\"]"]);
    let threshold = |table: &str| {
        let after = finished.stdout.split_once(table).unwrap().1;
        let line = after.lines().find_map(|line| line.strip_prefix("latency_threshold = ")).unwrap();
        line.parse::<f64>().unwrap()
    };
    assert!(threshold(tables[0]) < 200.0 && threshold(tables[2]) < 200.0, "{finished:?}");
    assert!((900.0..3_000.0).contains(&threshold(tables[1])), "{finished:?}");
    fs::write(folder.path().join("proposed.toml"), &finished.stdout).unwrap();
    let checked = run(folder.path(), &["check", "proposed.toml"]);
    assert_eq!(checked.code, Some(0), "{checked:?}\n{}", finished.stdout);

    let finished = run(folder.path(), &["suggest", "--by", "path:1", "--json", "--include", "/r*", "calls.csv"]);
    assert_eq!((finished.code, finished.stdout.lines().count()), (Some(0), 1), "{finished:?}");
    let body: Value = serde_json::from_str(&finished.stdout).unwrap();
    assert_eq!((&body["breaker"], &body["calls"]), (&"reports".into(), &CALLS.into()));
}

#[test]
fn each_host_gets_a_table_of_its_own() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("access.log"), by_host()).unwrap();
    let fields = ["--field", "latency=duration_ms", "--latency-unit", "ms"];
    let finished = run(folder.path(), &[&["suggest", "--by", "host", "access.log"][..], &fields].concat());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let tables: Vec<&str> = finished.stdout.lines().filter(|line| line.starts_with('[')).collect();
    assert_eq!(tables, ["[breakers.\"shop.example\"]", "[breakers.\"slow.example\"]"]);
    let named = [&["suggest", "--by", "host", "--field", "host=host", "access.log"][..], &fields].concat();
    assert_eq!(run(folder.path(), &named).stdout, finished.stdout);
}

#[test]
fn what_cannot_be_grouped_says_what_to_do() {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("calls.csv"), "at_ms,latency_ms\n1,2\n2,3\n").unwrap();
    for (by, words) in [
        ("path:1", "no call has a path; --field path=FIELD names the field that has it"),
        ("host", "no call has a host; --field host=FIELD names the field that has it"),
    ] {
        let finished = run(folder.path(), &["suggest", "--by", by, "calls.csv"]);
        assert!(finished.code == Some(1) && finished.stderr.contains(words), "{finished:?}");
    }
    for by in ["path:0", "route"] {
        let finished = run(folder.path(), &["suggest", "--by", by, "calls.csv"]);
        assert!(finished.code == Some(2) && finished.stderr.contains("path:1 to path:9"), "{finished:?}");
    }
    let few = "at_ms,latency_ms,path\n1,2,/a\n2,3,/a\n";
    fs::write(folder.path().join("few.csv"), few).unwrap();
    let finished = run(folder.path(), &["suggest", "--by", "path:1", "few.csv"]);
    assert!(finished.code == Some(1) && finished.stderr.contains("no group has enough calls"), "{finished:?}");
}
