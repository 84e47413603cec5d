//! `tripline replay` of access logs, through the binary: messages beside the output, and during the run.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Finished, gzipped, run, run_with_input, wait};
use tempfile::tempdir;

/// The sequence that clears the bar.
const CLEAR: &str = "\r\u{1b}[K";

/// A command that has not drawn a bar by then never does.
const LONG_ENOUGH: Duration = Duration::from_secs(30);

/// nginx lines, one call per second; from the 41st on each takes 900 ms.
fn nginx() -> String {
    let mut text = String::new();
    for call in 0..100 {
        let (minute, second, millis) = (call / 60, call % 60, if call >= 40 { 900 } else { 50 });
        let time = format!("10/Oct/2026:13:{minute:02}:{second:02} +0000");
        writeln!(text, "10.0.0.1 - - [{time}] \"GET / HTTP/1.1\" 200 5 \"-\" \"curl\" 0.{millis:03}").unwrap();
    }
    text
}

#[track_caller]
fn summary(finished: &Finished) -> Value {
    assert_eq!(finished.code, Some(0), "{finished:?}");
    serde_json::from_str(&finished.stdout).unwrap()
}

#[test]
fn what_was_guessed_is_reported_and_what_was_said_is_not() {
    let folder = tempdir().unwrap();
    let log = nginx();
    fs::write(folder.path().join("access.log"), &log).unwrap();
    let set = ["replay", "--set", "latency_threshold=300", "access.log"];
    let guessed = run(folder.path(), &set);
    assert_eq!(summary(&guessed)["trips"][0]["reason"], "latency", "{guessed:?}");
    let told = "access.log: read as an access log of nginx: request times are seconds, the time of a line is when the call ended\n";
    assert_eq!(guessed.stderr, told);
    let said = run(folder.path(), &[&set[..], &["--format", "nginx"]].concat());
    assert_eq!((summary(&said), said.stderr.as_str()), (summary(&guessed), ""));

    let apache = log.replace(" 0.050\n", " 50000\n").replace(" 0.900\n", " 900000\n");
    let guessed = run_with_input(folder.path(), &["replay", "-"], &apache);
    let told = "standard input: read as an access log of Apache: request times that are whole numbers are microseconds, others \
                seconds (else: --latency-unit), the time of a line is when the call started\n";
    assert_eq!((summary(&guessed)["calls"].as_u64(), guessed.stderr.as_str()), (Some(100), told));
    assert_eq!(run_with_input(folder.path(), &["replay", "--format=apache", "-"], &apache).stderr, told);
    let said = run_with_input(folder.path(), &["replay", "--format=apache", "--latency-unit=us", "-"], &apache);
    assert_eq!((said.stdout, said.stderr.as_str()), (guessed.stdout, ""));

    let unclear = run_with_input(folder.path(), &["replay", "-"], &log.replace(" 0.", " "));
    assert_eq!(unclear.code, Some(1));
    for words in ["standard input: line 1: read as an access log of Apache: ", "--latency-unit s, ms or us"] {
        assert!(unclear.stderr.contains(words), "{unclear:?}");
    }
    let last_but_one = run_with_input(folder.path(), &["replay", "--latency-field=3", "-"], &apache);
    assert!(last_but_one.code == Some(1) && last_but_one.stderr.contains("no request time"), "{last_but_one:?}");
    for wrong in ["--format=squid", "--latency-unit=h", "--latency-field=0"] {
        assert_eq!(run(folder.path(), &["replay", wrong, "access.log"]).code, Some(2), "{wrong}");
    }
}

#[test]
fn unused_lines_and_a_new_origin_are_reported_once() {
    let folder = tempdir().unwrap();
    let log = format!("{}\nstopped\nstarted\n{}", nginx(), nginx());
    let finished = run_with_input(folder.path(), &["replay", "--format", "nginx", "-"], &log);
    assert_eq!(summary(&finished)["calls"], 200);
    let lines: Vec<&str> = finished.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{finished:?}");
    assert!(
        lines[0].starts_with("standard input: 2 of 202 lines were not used, the first is line 102: no time was found;")
    );
    assert!(lines[1].contains("the clock was set back once"), "{finished:?}");
}

#[test]
fn a_compressed_input_is_the_same_as_what_is_in_it() {
    let folder = tempdir().unwrap();
    let log = nginx();
    // Rotated logs are often concatenated.
    let packed: Vec<u8> =
        [log.split_at(1_000).0, log.split_at(1_000).1].iter().flat_map(|part| gzipped(part)).collect();
    fs::write(folder.path().join("access.log"), &log).unwrap();
    fs::write(folder.path().join("access.log.1.gz"), &packed).unwrap();
    let plain = run(folder.path(), &["replay", "access.log"]);
    assert_eq!(summary(&run(folder.path(), &["replay", "access.log.1.gz"])), summary(&plain));
    fs::write(folder.path().join("cut.gz"), &packed[..packed.len() - 20]).unwrap();
    let cut = run(folder.path(), &["replay", "cut.gz"]);
    assert!(cut.code == Some(1) && cut.stderr.starts_with("cut.gz: the input cannot be read: "), "{cut:?}");
}

#[test]
fn the_long_help_describes_logs_and_its_example_is_right() {
    let folder = tempdir().unwrap();
    let help = run(folder.path(), &["replay", "--help"]).stdout;
    for words in ["$request_time", "%D", "--latency-unit <UNIT>", "out of order by a minute", "gzip", "--no-progress"] {
        assert!(help.contains(words), "no {words:?} in {help}");
    }
    let example: Vec<&str> =
        help.lines().map(str::trim).skip_while(|line| !line.starts_with("[2026-")).take(2).collect();
    let finished = run_with_input(folder.path(), &["replay", "--format=envoy", "-"], &example.join(" "));
    assert_eq!((summary(&finished)["percentile_ms"].as_u64(), finished.stderr.as_str()), (Some(26), ""));
}

/// Runs `tripline replay` on a pseudo-terminal. Creates the pipe in the folder.
fn on_terminal(folder: &Path, pipe: &str, option: &str) -> Child {
    assert!(Command::new("mkfifo").arg(folder.join(pipe)).status().unwrap().success());
    let command = format!("'{}' replay {option} {pipe}", env!("CARGO_BIN_EXE_tripline"));
    let mut script = Command::new("script");
    script.args(["-qefc", &command, "/dev/null"]).current_dir(folder).env("TERM", "xterm").env("SHELL", "/bin/sh");
    script.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn on_a_terminal_a_bar_shows_how_far_it_is_and_is_gone_at_the_end() {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("SKIPPED: `script` (util-linux) is absent, so there is no terminal to test on");
        return;
    }
    let folder = tempdir().unwrap();
    // The command without a bar runs for longer.
    let mut children = [("quiet", "--no-progress"), ("shown", "")].map(|(pipe, option)| {
        let child = on_terminal(folder.path(), pipe, option);
        (pipe, child)
    });
    let is_shown = AtomicBool::new(false);
    let log = nginx();
    let [quiet, shown] = std::thread::scope(|scope| {
        children
            .each_mut()
            .map(|(pipe, child)| {
                let path = folder.path().join(*pipe);
                let (log, is_shown) = (&log, &is_shown);
                // Both are fed until the bar appears. A missing bar fails the test further down.
                scope.spawn(move || {
                    let mut pipe = fs::OpenOptions::new().write(true).open(path).unwrap();
                    let started = Instant::now();
                    while !is_shown.load(Ordering::Relaxed) && started.elapsed() < LONG_ENOUGH {
                        pipe.write_all(log.as_bytes()).unwrap();
                    }
                });
                let mut stdout = child.stdout.take().unwrap();
                scope.spawn(move || {
                    let (mut bytes, mut part) = (Vec::new(), [0; 4_096]);
                    loop {
                        let count = stdout.read(&mut part).unwrap_or(0);
                        bytes.extend_from_slice(&part[..count]);
                        let text = String::from_utf8_lossy(&bytes);
                        if text.contains(" lines, ") || text.contains("not ") || count == 0 {
                            is_shown.store(true, Ordering::Relaxed);
                        }
                        if count == 0 {
                            return text.into_owned();
                        }
                    }
                })
            })
            .map(|reader| reader.join().unwrap())
    });
    for (_, child) in &mut children {
        assert_eq!(wait(child).code(), Some(0), "{quiet:?} {shown:?}");
    }
    let (bars, rest) = shown.rsplit_once(CLEAR).unwrap();
    assert!(bars.starts_with(CLEAR) && bars.contains(" lines, ") && bars.contains(" MB, "), "{shown:?}");
    assert!(rest.starts_with("{\"calls\":"), "{shown:?}");
    assert!(quiet.starts_with("{\"calls\":") && !quiet.contains('\u{1b}'), "{quiet:?}");
}
