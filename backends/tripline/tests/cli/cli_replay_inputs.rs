//! `tripline replay` and `suggest` on containers, pipes and bad lines: their output and exit codes.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Write as _;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::support::{Finished, gzipped, run, run_with_input};
use serde_json::Value;
use tempfile::tempdir;

/// nginx lines, one call per second from `from` on.
fn nginx(from: u64, count: u64) -> String {
    (from..from + count).fold(String::new(), |mut text, second| {
        let (minute, second) = (second / 60, second % 60);
        let time = format!("10/Oct/2026:13:{minute:02}:{second:02} +0000");
        let path = if second % 2 == 0 { "/a" } else { "/poll" };
        writeln!(text, "10.0.0.1 - - [{time}] \"GET {path} HTTP/1.1\" 200 5 \"-\" \"curl\" 0.050").unwrap();
        text
    })
}

#[track_caller]
fn json(finished: &Finished, code: i32) -> Value {
    assert_eq!(finished.code, Some(code), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn containers_are_read_or_named() {
    let folder = tempdir().unwrap();
    let log = nginx(0, 100);
    let padded = [gzipped(&log), vec![0; 10_000]].concat();
    fs::write(folder.path().join("a.log"), &log).unwrap();
    fs::write(folder.path().join("padded.gz"), padded).unwrap();
    let plain = json(&run(folder.path(), &["replay", "a.log"]), 0);
    assert_eq!(json(&run(folder.path(), &["replay", "padded.gz"]), 0), plain);
    let utf_16: Vec<u8> = [0xff, 0xfe].into_iter().chain(log.bytes().flat_map(|byte| [byte, 0])).collect();
    for (name, bytes, word) in [
        ("a.xz", b"\xfd7zXZ\0\0\0".to_vec(), "xz"),
        ("a.bz2", b"BZh91AY&SY".to_vec(), "bzip2"),
        ("a.utf16", utf_16, "UTF-16"),
    ] {
        fs::write(folder.path().join(name), bytes).unwrap();
        for command in ["replay", "suggest"] {
            let finished = run(folder.path(), &[command, name]);
            assert_eq!(finished.code, Some(1));
            let message = format!("{name}: ");
            assert!(finished.stderr.contains(&message) && finished.stderr.contains(word), "{finished:?}");
            assert!(finished.stderr.contains("allowed: text, gzip and zstd"), "{finished:?}");
        }
    }
}

#[test]
fn lines_that_end_with_carriage_returns_and_nul_bytes_are_read() {
    let folder = tempdir().unwrap();
    let log = nginx(0, 300);
    let finished = run_with_input(folder.path(), &["replay", "-"], &log.replace('\n', "\r"));
    assert_eq!(json(&finished, 0)["calls"], 300);
    let finished = run_with_input(folder.path(), &["replay", "-"], &format!("{}{log}", "\0".repeat(2_000_000)));
    let found = json(&finished, 0);
    assert_eq!((found["calls"].as_u64(), found["nul_bytes"].as_u64()), (Some(300), Some(2_000_000)));
    assert!(finished.stderr.contains("2,000,000 NUL bytes were passed over"), "{finished:?}");
}

#[test]
fn the_exit_code_says_whether_the_result_can_be_trusted() {
    let folder = tempdir().unwrap();
    let log = nginx(0, 100);
    for (text, code, reason, count) in [
        (format!("{log}stopped\n"), 0, "time", 1),
        (format!("{log}{}", "an error\n".repeat(150)), 3, "time", 150),
        ("at_ms,latency_ms\n1,1\nx,1\n2,1\n".to_owned(), 1, "value", 1),
    ] {
        for arguments in [&["replay", "-"][..], &["replay", "--report", "r.html", "--json", "-"]] {
            let finished = run_with_input(folder.path(), arguments, &text);
            let found = json(&finished, code);
            assert_eq!(found["unusable"][reason], count, "{finished:?}");
            assert!(finished.stderr.contains(&format!("(by reason: {count} {reason})")), "{finished:?}");
        }
        let page = fs::read_to_string(folder.path().join("r.html")).unwrap();
        assert!(page.contains("not used"), "the page names unused lines");
    }
}

#[test]
fn a_clock_that_is_set_back_is_reported_and_trips_nothing() {
    let folder = tempdir().unwrap();
    let log = nginx(1_000, 400) + &nginx(822, 400);
    let finished = run_with_input(folder.path(), &["replay", "--set", "latency_threshold=300", "-"], &log);
    let found = json(&finished, 0);
    assert_eq!((found["calls"].as_u64(), found["rejected"].as_u64()), (Some(800), Some(0)), "{finished:?}");
    assert_eq!(found["origin_changes"], 1);
    assert!(finished.stderr.contains("the clock was set back once"), "{finished:?}");
    let found = json(&run_with_input(folder.path(), &["suggest", "--json", "-"], &log), 0);
    assert_eq!(found["origin_changes"], 1);
}

#[test]
fn calls_are_left_out_by_their_path() {
    let folder = tempdir().unwrap();
    let log = nginx(0, 100);
    let finished = run_with_input(folder.path(), &["replay", "--exclude", "/poll", "-"], &log);
    let found = json(&finished, 0);
    assert_eq!((found["calls"].as_u64(), found["excluded"].as_u64()), (Some(50), Some(50)));
    assert!(finished.stderr.contains("50 calls are left out by --include and --exclude"), "{finished:?}");
    let none = run_with_input(folder.path(), &["replay", "--include", "/a", "-"], "at_ms,latency_ms\n1,1\n");
    assert_eq!(json(&none, 0)["excluded"], 1);
}

#[test]
fn a_pipe_is_judged_before_it_is_copied() {
    let folder = tempdir().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_tripline"))
        .args(["suggest", "-"])
        .current_dir(folder.path())
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let started = Instant::now();
    // Writes without end, until the pipe is closed.
    let mut written = 0_u64;
    while let Ok(count) = std::io::Write::write(&mut stdin, b"no recording at all\n".repeat(1_000).as_slice()) {
        written += count as u64;
        assert!(written < 1 << 30, "still reading after {:?}", started.elapsed());
    }
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(written < 16 << 20, "{written} bytes were read");
}

/// File names, log contents and arguments may contain sequences that move the cursor or forge a line.
#[test]
fn what_comes_from_outside_reaches_the_terminal_escaped() {
    let folder = tempdir().unwrap();
    let hostile = "a\u{1b}[31m\nforged\u{202e}.log";
    let log = "at_ms,latency_ms,\u{1b}]0;t\u{7}at_m\n1,\u{1b}[2J5,\n\u{9b}2,5,\n3,5,\n4,\u{202e}5,\n";
    fs::write(folder.path().join(hostile), log).unwrap();
    fs::write(folder.path().join("b.toml"), "latency_threshold = \"\\u001b[31m\"\n").unwrap();
    let envoy = "{\"start_time\":\"\\u001b[31m\",\"duration\":\"\\u001b[2J\",\"response_code\":200}\n";
    fs::write(folder.path().join("envoy.json"), envoy).unwrap();
    let page = format!("{hostile}.html");
    for arguments in [
        &["replay", hostile][..],
        &["replay", "--jsonl", hostile],
        &["replay", "--compare", "missing\u{1b}[31m.toml", "b.toml", hostile],
        &["replay", "--report", &page, hostile],
        &["replay", "--config", "b.toml", hostile],
        &["replay", "--field", "latency=\u{1b}[31m", "--field", "time=at_ms", hostile],
        &["replay", "--format", "\u{1b}[31m", hostile],
        &["replay", "--set", "\u{1b}[31m=\u{1b}[31m", hostile],
        &["replay", "envoy.json"],
        &["suggest", hostile],
        &["suggest", "no\u{1b}[31m\n.csv"],
        &["check", hostile],
        &["check", "b.toml"],
        &["init", hostile],
        &["ctl", "--url", "http://\u{1b}[31m", "status"],
        &["ctl", "--breaker", "\u{1b}[31m", "--url", "http://127.0.0.1:1", "status"],
        &["\u{1b}[31m"],
    ] {
        let finished = run(folder.path(), arguments);
        let printed = format!("{}{}", finished.stdout, finished.stderr);
        let bad = printed.contains(|c: char| c != '\n' && c.is_control() || c == '\u{202e}');
        assert!(!printed.is_empty() && !bad, "{arguments:?}: {finished:?}");
        assert!(!printed.lines().any(|line| line.starts_with("forged")), "{arguments:?}: {finished:?}");
    }
    let page = fs::read_to_string(folder.path().join(page)).unwrap();
    assert!(!page.contains('\u{1b}'), "the page holds no escape sequences either");
}

/// Compressed twice, or in a format without magic bytes.
#[test]
fn binary_input_is_named_as_such_and_not_taken_for_csv() {
    let folder = tempdir().unwrap();
    let log = nginx(0, 100);
    let twice = gzipped(std::str::from_utf8(&gzipped(&log)).unwrap_or("\u{1f}\u{8}\u{1}\u{2}packed once"));
    let zlib = [&[0x78, 0x9c, 0xcd, 0x93, 0x4d, 0x6b, 0x83, 0x40, 0x10, 0x86][..], &[0x05; 40]].concat();
    for (name, bytes) in [("twice.gz", twice), ("a.zz", zlib)] {
        fs::write(folder.path().join(name), bytes).unwrap();
        for command in ["replay", "suggest"] {
            let finished = run(folder.path(), &[command, name]);
            assert_eq!(finished.code, Some(1));
            assert!(finished.stderr.contains(&format!("{name}: line 1: is binary; allowed: text")), "{finished:?}");
        }
    }
    // Terminal colours are part of the text.
    let coloured = log.replace("10.0.0.1", "\u{1b}[36mweb-1  |\u{1b}[0m 10.0.0.1");
    assert_eq!(json(&run_with_input(folder.path(), &["replay", "-"], &coloured), 0)["calls"], 100);
}
