//! `tripline replay --report`, through the binary.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;
use support::{Finished, log_fixture, run, run_with_input, tripline};
use tempfile::{TempDir, tempdir};

/// One call every 20 ms, the middle fifth of them slow.
fn recording(calls: u64, from_ms: u64) -> String {
    let mut text = "at_ms,latency_ms,memory_percent\n".to_owned();
    for nth in 0..calls {
        let latency = if (calls * 2 / 5..calls * 3 / 5).contains(&nth) { 900 } else { 50 + nth % 37 };
        let memory = if nth.is_multiple_of(50) { (40 + nth % 9).to_string() } else { String::new() };
        writeln!(text, "{},{latency},{memory}", from_ms + nth * 20).unwrap();
    }
    text
}

fn folder(calls: u64) -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("calls.csv"), recording(calls, 1_789_000_000_000)).unwrap();
    fs::write(folder.path().join("a.toml"), "latency_threshold = 300\n").unwrap();
    fs::write(folder.path().join("b.toml"), "latency_threshold = 2000\n").unwrap();
    folder
}

const BOTH: [&str; 7] = ["replay", "--report", "out.html", "--compare", "a.toml", "b.toml", "calls.csv"];

#[track_caller]
fn page(folder: &Path, finished: &Finished) -> String {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    fs::read_to_string(folder.join("out.html")).unwrap()
}

fn data(page: &str) -> Value {
    let (_, rest) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

fn sum(column: &Value) -> u64 {
    column.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).sum()
}

#[test]
fn the_same_recording_gives_the_same_page() {
    let folder = folder(2_000);
    let first = page(folder.path(), &run(folder.path(), &BOTH));
    assert_eq!(page(folder.path(), &run(folder.path(), &BOTH)), first);
    assert!(first.starts_with("<!doctype html>") && first.trim_end().ends_with("</html>"));
    assert!(!first.contains("{{"), "something was not filled in");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4, "something was left behind");
}

#[test]
fn the_page_needs_nothing_beside_itself() {
    let folder = folder(500);
    let page = page(folder.path(), &run(folder.path(), &BOTH));
    for word in ["https:", " src=", "<link", "@import", "fetch(", "import("] {
        assert!(!page.contains(word), "{word}");
    }
    assert_eq!(page.matches("url(").count(), page.matches("url(#inside)").count());
    // The SVG namespace is not a URL that a browser loads.
    assert_eq!(page.matches("http:").count(), page.matches("http://www.w3.org/2000/svg").count());
}

#[test]
fn no_call_is_lost_on_the_way_to_the_page() {
    for calls in [1, 2, 700, 60_000] {
        let folder = folder(calls);
        let finished = run(folder.path(), &[&BOTH[..], &["--json"]].concat());
        let data = data(&page(folder.path(), &finished));
        assert_eq!(sum(&data["calls"]), calls);
        for (setting, line) in data["settings"].as_array().unwrap().iter().zip(finished.stdout.lines()) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!(setting["name"], line["setting"]);
            assert_eq!(sum(&setting["admitted"]), line["admitted"].as_u64().unwrap());
            assert_eq!(sum(&setting["rejected"]), line["rejected"].as_u64().unwrap());
            assert_eq!(sum(&setting["tripCount"]), line["trips"].as_u64().unwrap());
            let columns = ["low", "high", "open", "halfOpen", "recoveries"].map(|name| &setting[name]);
            let lengths = columns.map(|column| column.as_array().unwrap().len());
            assert_eq!(lengths, [data["calls"].as_array().unwrap().len(); 5]);
        }
        assert!(data["calls"].as_array().unwrap().len() <= 1_024);
    }
}

#[test]
fn the_page_says_what_happened() {
    let folder = folder(2_000);
    let both = page(folder.path(), &run(folder.path(), &BOTH));
    assert!(both.contains("<h1>In 40 s, a.toml would have tripped once and b.toml never.</h1>"), "{both}");
    assert!(both.contains("2026-09-10"), "times of day");
    for words in ["would have been fine", "longest outage", "<td>latency: ", "had it been made"] {
        assert!(both.contains(words), "{words}");
    }
    let arguments = ["replay", "--report", "out.html", "--set", "latency_threshold=300", "-"];
    let one = page(folder.path(), &run_with_input(folder.path(), &arguments, &recording(2_000, 0)));
    assert!(one.contains("<h1>The breaker would have tripped once in 40 s: out for "), "{one}");
    assert!(one.contains("replay of standard input") && one.contains("0:00:1"), "elapsed times");
    let data = data(&one);
    assert_eq!(data["settings"][0]["trips"].as_array().unwrap().len(), 1);
    assert_eq!(data["settings"][0]["changes"][0][1], "open");
}

#[test]
fn names_of_files_are_text_and_never_markup() {
    let folder = tempdir().unwrap();
    // As a path this forms the end of a script element.
    fs::create_dir(folder.path().join("<")).unwrap();
    let (config, calls) = ("</script><img src=x onerror=alert(1)>.toml", "</script>\"'&.csv");
    // The slash in these names separates the folder `<` from the file name, which cannot contain another one.
    fs::write(folder.path().join(config), "latency_threshold = 300\n").unwrap();
    fs::write(folder.path().join(calls), recording(1_000, 0)).unwrap();
    let arguments = ["replay", "--report", "out.html", "--compare", config, config, calls];
    let page = page(folder.path(), &run(folder.path(), &arguments));
    assert!(!page.contains("<img"), "{page}");
    assert_eq!(page.matches("</script>").count(), 2, "only those of the template");
    assert!(page.contains("&lt;/script&gt;&quot;&#39;&amp;.csv"));
    assert_eq!(data(&page)["settings"][0]["name"], config);
}

#[test]
fn a_page_is_written_over_an_older_one_and_over_nothing_else() {
    let folder = folder(100);
    let path = |name: &str| folder.path().join(name);
    assert!(page(folder.path(), &run(folder.path(), &BOTH)).len() > 1_000);
    assert!(page(folder.path(), &run(folder.path(), &BOTH)).len() > 1_000);
    fs::write(path("notes.txt"), "mine").unwrap();
    fs::write(path("other.html"), "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n").unwrap();
    fs::create_dir(path("folder")).unwrap();
    fs::hard_link(path("calls.csv"), path("same.csv")).unwrap();
    std::os::unix::fs::symlink("calls.csv", path("link.csv")).unwrap();
    let before = fs::read(path("calls.csv")).unwrap();
    for (out, words) in [
        ("calls.csv", "is the recording itself"),
        ("same.csv", "is the recording itself"),
        ("link.csv", "is the recording itself"),
        ("notes.txt", "exists and is not a page that tripline wrote; name another file"),
        ("other.html", "exists and is not a page that tripline wrote; name another file"),
        ("-", "a page cannot be written to standard output; name a file"),
        ("folder", "is not a regular file"),
        ("/dev/null", "is not a regular file"),
        ("missing/out.html", "folder"),
        ("..", "is not a regular file"),
    ] {
        let finished = run(folder.path(), &["replay", "--report", out, "calls.csv"]);
        assert_eq!(finished.code, Some(1), "{out}");
        assert!(finished.stderr.contains(words) && finished.stderr.contains(out), "{finished:?}");
    }
    let over_configuration = ["replay", "--report", "b.toml", "--compare", "a.toml", "b.toml", "calls.csv"];
    let finished = run(folder.path(), &over_configuration);
    assert!(finished.stderr.contains("is one of the configurations"), "{finished:?}");
    let finished = run(folder.path(), &["replay", "--report", "a.toml", "--config", "a.toml", "calls.csv"]);
    assert!(finished.stderr.contains("is one of the configurations"), "{finished:?}");
    let piped = fs::File::open(path("calls.csv")).unwrap();
    let mut command = tripline(folder.path());
    let output = command.args(["replay", "--report", "calls.csv", "-"]).stdin(piped).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("is the recording itself"), "{output:?}");
    assert_eq!(fs::read(path("calls.csv")).unwrap(), before);
    assert!(fs::read(path("notes.txt")).unwrap() == b"mine" && !path("-").exists());
    // Through a link, its target is replaced.
    std::os::unix::fs::symlink("out.html", path("latest.html")).unwrap();
    let old = fs::read(path("out.html")).unwrap();
    assert_eq!(run(folder.path(), &["replay", "--report", "latest.html", "calls.csv"]).code, Some(0));
    assert!(fs::symlink_metadata(path("latest.html")).unwrap().is_symlink());
    let new = fs::read(path("out.html")).unwrap();
    assert!(new.len() > 1_000 && new != old);
}

#[test]
fn a_recording_that_cannot_be_read_leaves_the_old_page() {
    let folder = folder(10);
    let old = page(folder.path(), &run(folder.path(), &BOTH));
    fs::write(folder.path().join("calls.csv"), "at_ms,latency_ms\n1,slow\n2,fast\n").unwrap();
    let finished = run(folder.path(), &BOTH);
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.contains("calls.csv: line 2: latency_ms"), "{finished:?}");
    assert_eq!(fs::read_to_string(folder.path().join("out.html")).unwrap(), old);
}

#[test]
fn a_trip_with_hanging_calls_says_so_and_rejected_calls_add_up() {
    let folder = tempdir().unwrap();
    // Every call from second 2 on hangs for 10 s; clients give up one in three.
    let mut ends: Vec<(u64, u64, &str)> = (0..400)
        .map(|nth| (nth * 20, if nth < 100 { 50 } else { 10_000 }, if nth % 3 == 0 { "ignored" } else { "ok" }))
        .map(|(start, latency, outcome)| (start + latency, latency, outcome))
        .collect();
    ends.sort_unstable();
    let mut input = "at_ms,latency_ms,outcome\n".to_owned();
    for (at, latency, outcome) in ends {
        writeln!(input, "{at},{latency},{outcome}").unwrap();
    }
    let arguments = ["replay", "--report", "out.html", "--set", "latency_threshold=300", "-"];
    let finished = run_with_input(folder.path(), &arguments, &input);
    let page = page(folder.path(), &finished);
    let why = data(&page)["settings"][0]["trips"][0][2].as_str().unwrap().to_owned();
    assert!(why.starts_with("latency: ") && !why.contains(" 0 hanging;") && why.contains(" hanging;"), "{why}");
    assert!(page.contains(&format!("<td>{why}</td>")), "{page}");
    assert!(finished.stdout.contains(&format!("\nfirst trip with the defaults with --set: {why}\n")), "{finished:?}");
    assert!(page.contains(">Record, counted from 0</th>"));
    for words in ["with calls hanging", "ignored (client gave up)"] {
        assert!(page.contains(words) && finished.stdout.contains(words), "{words}: {finished:?}");
    }
    let number = |label: &str| -> u64 {
        let line = finished.stdout.lines().find(|line| line.trim_start().starts_with(label)).unwrap();
        line.trim_start()[label.len()..].split_whitespace().next().unwrap().replace(',', "").parse().unwrap()
    };
    let parts = ["would have been fine", "slow or failed, avoided", "ignored (client gave up)"].map(number);
    assert_eq!(parts.iter().sum::<u64>(), number("calls rejected"), "{finished:?}");
}

#[test]
fn any_recording_has_a_page() {
    let folder = folder(1);
    for input in [
        "",
        "at_ms,latency_ms\n5,5\n",
        "at_ms,latency_ms\n5,0\n5,0\n",
        "at_ms,memory_percent\n5,50\n600,99\n",
        "at_ms,latency_ms\n-4000000000000,0\n4000000000000,4000000000000\n",
        "at_ms,latency_ms,outcome\n1,1,ignored\n2,1,ignored\n",
    ] {
        let finished = run_with_input(folder.path(), &["replay", "--report", "out.html", "-"], input);
        let page = page(folder.path(), &finished);
        assert!(data(&page)["settings"][0]["name"] == "the defaults" && !page.contains("NaN"), "{input:?}: {page}");
    }
}

#[test]
fn an_access_log_is_drawn_as_its_calls_are() {
    let folder = tempdir().unwrap();
    for (name, fixture) in [("access.log", "nginx.log"), ("calls.csv", "nginx.csv")] {
        fs::write(folder.path().join(name), log_fixture(fixture)).unwrap();
    }
    let of = |recording: &str| {
        let finished = run(folder.path(), &["replay", "--report", "out.html", recording]);
        (page(folder.path(), &finished), finished.stderr)
    };
    let ((log, told), (calls, _)) = (of("access.log"), of("calls.csv"));
    assert_eq!(sum(&data(&log)["calls"]), 6);
    let (before, after) = log.split_once("; 1 of 7 lines were not used").unwrap();
    let after = &after[after.find('<').unwrap()..];
    assert_eq!(format!("{before}{after}").replace("access.log", "calls.csv"), calls);
    let unused = "access.log: 1 of 7 lines were not used, the first is line 5: ";
    assert!(told.contains("read as an access log of nginx") && told.contains(unused), "{told}");
}
