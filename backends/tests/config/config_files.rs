//! Reading configuration files, and arbitrary texts.
#![cfg(feature = "config")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tripline_backends::config::{MAX_FILE_BYTES, load, parse};

fn problem(path: &Path) -> String {
    let errors = load(path).unwrap_err();
    assert_eq!(errors.problems().len(), 1);
    errors.to_string().strip_prefix(path.to_str().unwrap()).unwrap().to_owned()
}

#[test]
fn a_file_is_read_and_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breakers.toml");
    for text in ["wait_time = 20 # keep\n", "wait_time = 0\n", "wait_time = = 0\n"] {
        fs::write(&path, text).unwrap();
        let before = fs::metadata(&path).unwrap().modified().unwrap();
        let result = load(&path);
        assert_eq!(result.is_ok(), text.contains("20"));
        if let Err(errors) = result {
            assert!(errors.to_string().starts_with(&format!("{}:1: ", path.display())), "{errors}");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), before);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("breakers.toml");
    assert!(problem(&path).starts_with(": cannot be read: "));
    assert!(!path.exists());
    assert_eq!(problem(folder.path()), ": is a directory; a configuration file is needed");
    fs::write(&path, b"name = \"a\"\nstate_dir = \"\xff\"\n").unwrap();
    assert_eq!(problem(&path), ": is not UTF-8 on line 2");
    fs::write(&path, vec![b'\n'; MAX_FILE_BYTES as usize + 1]).unwrap();
    assert_eq!(problem(&path), ": is larger than 1048576 bytes");
    let mut longest = b"enabled = true".to_vec();
    longest.resize(MAX_FILE_BYTES as usize, b'\n');
    fs::write(&path, longest).unwrap();
    assert!(load(&path).is_ok());
}

#[test]
fn a_windows_file_is_read_as_any_other() {
    let text = "\u{feff}wait_time = 20\r\nwait_tme = 1\r\n";
    let (config, warnings) = parse(text, "f").unwrap();
    assert_eq!(config.breaker.policy.wait_time.as_secs(), 20);
    assert_eq!(warnings[0].line, Some(2));
}

#[test]
fn deep_and_long_texts_are_survived() {
    let most = MAX_FILE_BYTES as usize;
    for text in [
        "[".repeat(most),
        format!("a = {}", "[".repeat(most - 4)),
        format!("a = {}", "{a=".repeat(most / 3 - 4)),
        format!("{}a = 1", "a.".repeat(most / 2 - 4)),
        format!("[{}a]", "a.".repeat(most / 2 - 4)),
        format!("opsgenie.tags = [{}]", "1,".repeat(most / 2 - 20)),
        format!("opsgenie.api_custom_attributes = {{{}}}", many_entries(80_000)),
        format!("wait_time = {}", "9".repeat(most - 20)),
        format!("name = \"{}\"", "x".repeat(most - 20)),
    ] {
        if let Err(errors) = parse(&text, "f") {
            assert_eq!(errors.problems().len(), 1);
            assert!(errors.to_string().len() < 500, "{}", errors.to_string().len());
        }
    }
}

fn many_entries(count: usize) -> String {
    use std::fmt::Write;
    (0..count).fold(String::new(), |mut text, i| {
        write!(text, "k{i}=1,").unwrap();
        text
    })
}

/// Lines that mostly resemble a configuration.
fn nearly_a_file() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        proptest::sample::select(tripline_backends::config::key_names()),
        proptest::sample::select(vec![
            "breakers.a",
            "circuit_breaker.wait_time",
            "circuit_breaker",
            "opsgenie",
            "\"é\n\""
        ])
        .prop_map(str::to_owned),
        "[a-z_.\"]{0,12}",
    ];
    let value = prop_oneof![
        any::<f64>().prop_map(|x| x.to_string()),
        any::<i64>().prop_map(|x| x.to_string()),
        any::<String>().prop_map(|x| format!("{x:?}")),
        proptest::sample::select(vec![
            "true",
            "[]",
            "{}",
            "[1, \"é\"]",
            "{ a = 1 }",
            "1979-05-27",
            "nan",
            "\"P1\"",
            "'"
        ])
        .prop_map(str::to_owned),
    ];
    let line = prop_oneof![
        9 => (key.clone(), value).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => key.prop_map(|table| format!("[{table}]")),
    ];
    proptest::collection::vec(line, 0..8).prop_map(|lines| lines.join("\n"))
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in any::<String>()) {
        let _ = parse(&text, "f").map_err(|errors| errors.to_string());
    }

    #[test]
    fn no_text_that_is_nearly_a_file_makes_it_panic_and_every_problem_has_a_place(text in nearly_a_file()) {
        let lines = text.lines().count().max(1);
        match parse(&text, "f") {
            Ok((config, _)) => {
                prop_assert!(config.breaker.policy.max_wait_time >= config.breaker.policy.wait_time);
                prop_assert!(config.breaker.policy.latency_window_size.get() <= 1_024);
            }
            Err(errors) => {
                prop_assert!(!errors.problems().is_empty());
                prop_assert!(errors.problems().iter().all(|p| p.line.is_some_and(|line| line <= lines + 1)));
            }
        }
    }
}
