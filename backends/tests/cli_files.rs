//! `tripline check` and `tripline init`.
#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use std::fs;
use std::path::Path;

use support::{Finished, run, tripline_unread, wait};
use tempfile::{TempDir, tempdir};

/// A folder with `text` as a configuration.
fn with_file(text: &str) -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("breakers.toml"), text).unwrap();
    folder
}

/// Checks it; the file must be what it was.
fn check(folder: &Path) -> Finished {
    let file = folder.join("breakers.toml");
    let before = fs::read(&file).unwrap();
    let finished = run(folder, &["check", "breakers.toml"]);
    assert_eq!(fs::read(&file).unwrap(), before);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    assert!(!finished.stderr.contains("panicked"), "{finished:?}");
    finished
}

#[test]
fn a_good_file_is_valid() {
    let folder = with_file("latency_threshold = 300\n\n[opsgenie]\nregion = \"eu\"\n");
    let finished = check(folder.path());
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "breakers.toml: valid\n"), "{finished:?}");
    assert_eq!(finished.stderr, "");
}

#[test]
fn a_bad_file_is_refused_with_all_problems() {
    let folder = with_file(
        "latency_threshold = 0.5\nlatency_window_size = 1025\nenabled = \"yes\"\nwait_time = 20\nmax_wait_time = 10\n\
         memory_source = \"cgroups\"\nfailure_rate_threshold = nan\n\n[http]\nlisten = \"localhost\"\n\n\
         [opsgenie]\npriority = \"P0\"\n",
    );
    let finished = check(folder.path());
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(1), ""), "{finished:?}");
    let problems: Vec<&str> = finished.stderr.lines().collect();
    let expected = [
        "breakers.toml:1: latency_threshold = 0.5: allowed: 1 to 4294967 (milliseconds)",
        "breakers.toml:2: latency_window_size = 1025: allowed: 1 to 1024",
        "breakers.toml:3: enabled = \"yes\": allowed: true or false",
        "breakers.toml:5: max_wait_time = 10: ",
        "breakers.toml:6: memory_source = \"cgroups\": allowed: ",
        "breakers.toml:7: failure_rate_threshold = nan: allowed: 0 to 1",
        "breakers.toml:10: http.listen = \"localhost\": allowed: ",
        "breakers.toml:13: opsgenie.priority = \"P0\": allowed: ",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, start) in problems.iter().zip(expected) {
        assert!(problem.starts_with(start), "{problem} instead of {start}");
    }
}

#[test]
fn an_unknown_key_is_a_warning_with_a_suggestion() {
    let folder = with_file("\nlatency_treshold = 300\n[circuit_breaker]\nwaittime = 5\n[nonsense]\n");
    let finished = check(folder.path());
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let output = finished.stdout + &finished.stderr;
    assert!(output.contains("breakers.toml:2: latency_treshold: "), "{output}");
    assert!(output.contains("did you mean latency_threshold?"), "{output}");
    assert!(output.contains("breakers.toml:4: ") && output.contains("did you mean wait_time?"), "{output}");
    assert!(output.contains("nonsense"), "{output}");
}

#[test]
fn unknown_keys_of_a_bad_file_are_told_beside_its_problems() {
    let finished = check(with_file("latency_treshold = 300\nwait_time = 0\n").path());
    assert_eq!(finished.code, Some(1));
    let output = finished.stdout + &finished.stderr;
    assert!(output.contains("breakers.toml:2: wait_time = 0: allowed: 1 to 3600 (seconds)"), "{output}");
    assert!(output.contains("did you mean latency_threshold?"), "{output}");
}

#[test]
fn settings_that_hardly_mean_what_they_say_are_warned_about() {
    let finished = check(with_file("minimum_samples = 1\n").path());
    assert_eq!(finished.code, Some(0));
    assert!((finished.stdout + &finished.stderr).contains("one slow call"));
}

#[test]
fn text_that_is_no_toml_is_told_with_its_line() {
    let finished = check(with_file("latency_threshold = 300\n\n[http\n").path());
    assert_eq!(finished.code, Some(1));
    assert!(finished.stderr.starts_with("breakers.toml:3: "), "{finished:?}");
}

#[test]
fn what_is_no_file_is_an_error_that_names_it() {
    let folder = tempdir().unwrap();
    for path in ["missing.toml", "."] {
        let finished = run(folder.path(), &["check", path]);
        assert_eq!(finished.code, Some(1));
        assert!(finished.stderr.starts_with(&format!("{path}: ")), "{finished:?}");
    }
    assert_eq!(run(folder.path(), &["check"]).code, Some(2));
}

#[test]
fn a_check_that_nobody_reads_does_not_panic() {
    let folder = with_file("latency_treshold = 1\n");
    for arguments in [&["check", "breakers.toml"][..], &["init", "other.toml"]] {
        let mut child = tripline_unread(folder.path()).args(arguments).spawn().unwrap();
        let stderr = std::io::read_to_string(child.stderr.take().unwrap()).unwrap();
        let code = wait(&mut child).code();
        assert!(matches!(code, Some(0 | 1)) && !stderr.contains("panicked"), "{arguments:?}: {code:?} {stderr}");
    }
}

#[test]
fn init_writes_a_configuration_that_passes_the_check() {
    let folder = tempdir().unwrap();
    let finished = run(folder.path(), &["init"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    assert!(finished.stdout.contains("breakers.toml"), "{finished:?}");
    let text = fs::read_to_string(folder.path().join("breakers.toml")).unwrap();
    for key in ["latency_threshold = 1500", "percentile = 0.95", "[http]", "[opsgenie]"] {
        assert!(text.lines().any(|line| line == key), "{key}");
    }
    let finished = check(folder.path());
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "breakers.toml: valid\n"), "{finished:?}");
}

#[test]
fn init_never_overwrites() {
    let folder = with_file("wait_time = 7 # mine\n");
    for arguments in [&["init"][..], &["init", "breakers.toml"]] {
        let finished = run(folder.path(), arguments);
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("breakers.toml") && finished.stderr.contains("exists"), "{finished:?}");
    }
    assert_eq!(fs::read_to_string(folder.path().join("breakers.toml")).unwrap(), "wait_time = 7 # mine\n");
    let finished = run(folder.path(), &["init", "missing/breakers.toml"]);
    assert_eq!(finished.code, Some(1), "{finished:?}");
    assert!(finished.stderr.contains("missing/breakers.toml"), "{finished:?}");
}

#[cfg(unix)]
#[test]
fn init_does_not_write_through_a_link() {
    let folder = tempdir().unwrap();
    std::os::unix::fs::symlink("elsewhere.toml", folder.path().join("breakers.toml")).unwrap();
    assert_eq!(run(folder.path(), &["init"]).code, Some(1));
    assert!(!folder.path().join("elsewhere.toml").exists());
}
