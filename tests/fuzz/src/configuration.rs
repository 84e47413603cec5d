//! Text of a configuration: it is accepted, or rejected with problems that name a line, with the same result twice.

use tripline_backends::config::{key_names, parse, resolved};

const FILE: &str = "breakers.toml";

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (first, second) = (parse(text, FILE), parse(text, FILE));
    match (&first, &second) {
        (Ok((config, warnings)), Ok((again, same))) => {
            assert_eq!(format!("{config:?}"), format!("{again:?}"));
            assert_eq!(warnings.len(), same.len());
            assert!(warnings.iter().all(|warning| !warning.to_string().is_empty()));
        }
        (Err(errors), Err(_)) => {
            assert!(!errors.problems().is_empty(), "rejected without a problem");
            for problem in errors.problems() {
                let shown = problem.to_string();
                assert!(shown.starts_with(FILE), "{shown}");
            }
        }
        _ => panic!("read once, rejected once"),
    }
    // Where each value comes from is known for every breaker, and for nothing that is rejected.
    match resolved(text, FILE) {
        Ok(breakers) => assert!(first.is_ok() && !breakers.is_empty(), "resolved although it is rejected"),
        Err(_) => assert!(first.is_err(), "read, and not resolved"),
    }
    assert!(!key_names().is_empty());
}
