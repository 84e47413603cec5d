//! `requirements.md` says by which tests each requirement is held: all of them are there.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Every file below `folder`.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() { files(&entry.path(), found) } else { found.push(entry.path()) }
    }
}

#[test]
fn each_requirement_has_a_test_that_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for folder in ["src/proxy", "src/config/proxy", "tests/proxy", "tests/config", "tripline/tests/proxy"] {
        files(&root.join(folder), &mut found);
    }
    let mut names = BTreeSet::new();
    for text in found.iter().filter_map(|path| fs::read_to_string(path).ok()) {
        for line in text.lines().map(str::trim) {
            let name = line
                .strip_prefix("fn ")
                .or_else(|| line.strip_prefix("async fn "))
                .or_else(|| line.strip_prefix("def "));
            names.extend(name.and_then(|rest| rest.split('(').next()).map(str::to_owned));
            names.extend(line.strip_prefix("name = \"").and_then(|rest| rest.strip_suffix('"')).map(str::to_owned));
        }
    }
    let table = fs::read_to_string(root.join("tests/proxy/requirements.md")).unwrap();
    for number in 1..=28 {
        let row = table.lines().find(|line| line.starts_with(&format!("| R{number} ")));
        let row = row.unwrap_or_else(|| panic!("R{number} has no row"));
        let tests: Vec<&str> = row.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "R{number} has no test");
        for test in tests {
            assert!(names.contains(test), "R{number}: there is no test {test}");
        }
    }
}
