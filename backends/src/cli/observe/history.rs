//! The rotated files of a log, oldest first.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// File name endings of rotated files that are read.
const PACKED: [&str; 3] = [".gz", ".zst", ""];

/// The last `count` rotated files of `log`, oldest first: `access.log.2.gz`, `access.log.1`, or with dates,
/// `access.log-20261128.gz`.
pub(super) fn rotated(log: &Path, count: usize) -> Vec<PathBuf> {
    let Some(name) = log.file_name().and_then(OsStr::to_str) else { return Vec::new() };
    let folder = log.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<(Age, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((Age::of(name, entry.file_name().to_str()?)?, entry.path())))
        .filter(|(_, path)| path.is_file())
        .collect();
    found.sort();
    // A file that is being compressed exists twice.
    found.dedup_by(|(later, _), (earlier, _)| later == earlier);
    let newest = found.len().saturating_sub(count);
    found.drain(..newest);
    found.into_iter().map(|(_, path)| path).collect()
}

/// The age of a rotated file by its name, ordered from the oldest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Age {
    /// The date in the name.
    Dated(String),
    /// The number of rotations in the name; a larger number is older.
    Numbered(std::cmp::Reverse<u32>),
}

impl Age {
    /// `None` if `name` is not a rotated file of `log`.
    fn of(log: &str, name: &str) -> Option<Self> {
        let rest = name.strip_prefix(log)?;
        let rest = PACKED.iter().find_map(|ending| rest.strip_suffix(ending))?;
        if let Some(number) = rest.strip_prefix('.').filter(|number| number.len() <= 4) {
            return number.parse().ok().map(|number| Self::Numbered(std::cmp::Reverse(number)));
        }
        let date = rest.strip_prefix(['-', '.'])?;
        let is_date = date.len() >= 8 && date.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
        is_date.then(|| Self::Dated(date.to_owned()))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn names(files: &[&str], count: usize) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for name in files {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let found = rotated(&folder.path().join("access.log"), count);
        found.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_oldest_comes_first_whether_numbered_or_dated() {
        let files =
            ["access.log", "access.log.1", "access.log.10.gz", "access.log.2.gz", "access.log.bak", "other.log.1"];
        assert_eq!(names(&files, 9), ["access.log.10.gz", "access.log.2.gz", "access.log.1"]);
        assert_eq!(names(&files, 2), ["access.log.2.gz", "access.log.1"]);
        assert!(names(&files, 0).is_empty());
        let dated = ["access.log-20261128.gz", "access.log-20261129", "access.log-20261127.zst"];
        assert_eq!(names(&dated, 2), ["access.log-20261128.gz", "access.log-20261129"]);
    }

    #[test]
    fn a_file_that_is_being_packed_counts_once() {
        assert_eq!(names(&["access.log.1", "access.log.1.gz"], 9).len(), 1);
    }
}
