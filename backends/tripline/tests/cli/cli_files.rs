//! `tripline check` and `tripline init`.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use support::{Finished, run, tripline_unread, wait};
use tempfile::{TempDir, tempdir};

/// A folder that contains `text` as its configuration.
fn with_file(text: &str) -> TempDir {
    let folder = tempdir().unwrap();
    fs::write(folder.path().join("breakers.toml"), text).unwrap();
    folder
}

/// Checks the configuration, which must stay unchanged.
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
fn a_bad_file_is_rejected_with_all_problems() {
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
fn an_unknown_key_is_an_error_with_a_suggestion_and_leniently_a_warning() {
    let folder = with_file("\nlatency_treshold = 300\n[circuit_breaker]\nwaittime = 5\n[nonsense]\n");
    for (arguments, code) in [(&["check", "breakers.toml"][..], 1), (&["check", "--lenient", "breakers.toml"], 0)] {
        let finished = run(folder.path(), arguments);
        assert_eq!(finished.code, Some(code), "{finished:?}");
        assert_eq!(finished.stdout.contains("breakers.toml: valid"), code == 0, "{finished:?}");
        let output = finished.stdout + &finished.stderr;
        assert!(output.contains("breakers.toml:2: latency_treshold: "), "{output}");
        assert!(output.contains("did you mean latency_threshold?"), "{output}");
        assert!(output.contains("breakers.toml:4: ") && output.contains("did you mean wait_time?"), "{output}");
        assert!(output.contains("nonsense"), "{output}");
    }
}

#[test]
fn a_file_without_any_text_is_an_error() {
    for text in ["", "\n \t\r\n"] {
        let finished = check(with_file(text).path());
        assert_eq!(finished.code, Some(1), "{finished:?}");
        assert!(finished.stderr.contains("breakers.toml: is empty"), "{finished:?}");
    }
    assert_eq!(check(with_file("# the defaults\n").path()).code, Some(0));
}

#[test]
fn unknown_keys_of_a_bad_file_are_reported_beside_its_problems() {
    let finished = check(with_file("latency_treshold = 300\nwait_time = 0\n").path());
    assert_eq!(finished.code, Some(1));
    let output = finished.stdout + &finished.stderr;
    assert!(output.contains("breakers.toml:2: wait_time = 0: allowed: 1 to 3600 (seconds)"), "{output}");
    assert!(output.contains("did you mean latency_threshold?"), "{output}");
}

#[test]
fn settings_that_hardly_mean_what_they_say_are_warned_about() {
    let finished = check(with_file("minimum_samples = 1\ntrip_confidence = 0\n").path());
    assert_eq!(finished.code, Some(0));
    assert!((finished.stdout + &finished.stderr).contains("one slow call"));
}

#[test]
fn warnings_come_before_the_verdict_in_the_order_of_the_lines_and_say_that_they_are_warnings() {
    let folder = with_file(
        "minimum_samples = 1\nlatency_treshold = 300\nlatency_max_age = 1\nlog.levle = 1\ntrip_confidence = 0\n",
    );
    let finished = run(folder.path(), &["check", "--lenient", "breakers.toml"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    let lines: Vec<&str> = finished.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{lines:#?}");
    for (line, number) in lines.iter().zip(1..5) {
        assert!(line.starts_with(&format!("warning: breakers.toml:{number}: ")), "{lines:#?}");
    }
    assert_eq!(lines[4], "breakers.toml: valid");
}

/// The warnings about this file.
fn warnings(text: &str, files: &[(&str, &str)]) -> Vec<String> {
    let folder = with_file(text);
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let finished = run(folder.path(), &["check", "breakers.toml"]);
    assert_eq!((finished.code, finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    let mut lines: Vec<String> = finished.stdout.lines().map(str::to_owned).collect();
    assert_eq!(lines.pop().as_deref(), Some("breakers.toml: valid"));
    lines
}

#[test]
fn what_alerts_need_and_only_the_environment_may_set_is_warned_about() {
    let found = warnings("state_dir = \"s\"\n[opsgenie]\nenabled = true\nteam = \"payments\"\n", &[]);
    let keys = ["api_key", "environment", "service_id", "hostname"];
    // The last warning is about replicas that share an alert.
    assert_eq!(found.len(), keys.len() + 1, "{found:#?}");
    assert!(found[keys.len()].contains("opsgenie.alert_scope = \"service\" without [fleet]"), "{found:#?}");
    for (line, key) in found.iter().zip(keys) {
        assert!(line.starts_with(&format!("warning: breakers.toml: opsgenie.{key}: ")), "{found:#?}");
        assert!(line.contains("in the environment") || line.contains("the environment, "), "{line}");
    }
}

#[test]
fn what_serve_rejects_without_a_token_of_the_environment_is_warned_about() {
    let others = "[http]\nlisten = \"0.0.0.0:8080\"\n";
    let file = "[http]\ntoken_file = \"token\"\n";
    for (text, files, words) in [
        (others, &[][..], "http.listen = 0.0.0.0:8080: allowed: "),
        (file, &[], "http.token_file = token: "),
        (file, &[("token", "hush-hush\n")], "http.token_file = token: the token has 9 bytes; allowed: at least 16"),
    ] {
        let found = warnings(text, files);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(&format!("warning: breakers.toml: {words}")), "{found:?}");
        assert!(found[0].contains("TRIPLINE_TOKEN holds a token") && !found[0].contains("hush"), "{found:?}");
    }
    let good = [("token", "a-token-of-twenty-six-bytes\n")];
    assert_eq!(warnings(&format!("{others}token_file = \"token\"\n"), &good), [""; 0]);
}

#[test]
fn text_that_is_no_toml_is_reported_with_its_line() {
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
fn a_check_whose_output_is_not_read_does_not_panic() {
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
        assert_eq!(finished.stderr, "breakers.toml: the file exists and is not overwritten; name another file\n");
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
