//! Writes a file in place where it cannot be replaced: one that is mounted alone into a container, or whose folder is
//! read-only.
//!
//! A whole copy of the new text is kept, beside the file or in the temporary folder, until the write is whole. The file is
//! truncated first and then written from its start, so that what an interruption leaves is a beginning of the copy:
//! [`recover`] completes exactly that, and nothing else.

use std::fs::{self, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use super::draft::create;

/// Whether the error of replacing a file means that it can only be written in place.
pub(super) fn is_needed(error: &io::Error) -> bool {
    use io::ErrorKind::{CrossesDevices, PermissionDenied, ReadOnlyFilesystem, ResourceBusy};
    matches!(error.kind(), ResourceBusy | CrossesDevices | ReadOnlyFilesystem | PermissionDenied)
}

/// Writes `new` over `old` into `target`.
///
/// # Errors
/// What went wrong. The file then has its old text, or the error names the copy that has the whole new one.
pub(super) fn write(target: &Path, old: &str, new: &str) -> Result<(), String> {
    write_by(target, old, new, &put)
}

/// As [`write`], with the step that writes a text into the file.
pub(super) fn write_by(
    target: &Path,
    old: &str,
    new: &str,
    put: &dyn Fn(&mut File, &str) -> io::Result<()>,
) -> Result<(), String> {
    // First of all: without the right to write, no copy is needed.
    let mut file = OpenOptions::new().write(true).open(target).map_err(|error| error.to_string())?;
    let copy = keep_copy(target, new)?;
    let Err(error) = put(&mut file, new) else {
        let _ = fs::remove_file(copy);
        return Ok(());
    };
    if put(&mut file, old).is_ok() {
        let _ = fs::remove_file(copy);
        return Err(error.to_string());
    }
    Err(format!("{error}; the file is cut off, and its whole text is in {}", copy.display()))
}

fn put(file: &mut File, text: &str) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Completes a write that was cut off, and says so; `None` where there is none.
pub(super) fn recover(target: &Path) -> Option<String> {
    let place = places(target).into_iter().find(|place| is_own(place))?;
    let whole = fs::read(&place).ok()?;
    let current = fs::read(target).ok()?;
    if current == whole {
        // It was cut off after the last byte.
        let _ = fs::remove_file(place);
        return None;
    }
    if !whole.starts_with(&current) {
        return Some(format!(
            "{} is the copy of an earlier change, and the file has another text; remove the copy when it is not needed",
            place.display()
        ));
    }
    let whole = String::from_utf8(whole).ok()?;
    let written = OpenOptions::new().write(true).open(target).and_then(|mut file| put(&mut file, &whole));
    match written {
        Ok(()) => {
            let _ = fs::remove_file(place);
            Some("a change was cut off while it was written; it is complete now".into())
        }
        Err(error) => Some(format!(
            "a change was cut off while it was written, and cannot be completed: {error}; the whole text is in {}",
            place.display()
        )),
    }
}

/// Writes the copy, beside the file if possible.
fn keep_copy(target: &Path, text: &str) -> Result<PathBuf, String> {
    let mut errors = Vec::new();
    for place in places(target) {
        // Also one of an earlier change, which is finished or superseded.
        if is_own(&place) {
            let _ = fs::remove_file(&place);
        }
        let written = create(&place).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
        match written {
            Ok(()) => return Ok(place),
            Err(error) => errors.push(format!("{}: {error}", place.display())),
        }
    }
    Err(format!("no copy of it can be kept while it is written ({})", errors.join("; ")))
}

/// Where a copy may be: beside the file, and in the temporary folder.
fn places(target: &Path) -> Vec<PathBuf> {
    let Some(name) = target.file_name() else { return Vec::new() };
    let mut hasher = DefaultHasher::new();
    target.hash(&mut hasher);
    let elsewhere = std::env::temp_dir().join(format!("tripline-copy-{:016x}", hasher.finish()));
    vec![target.with_file_name(format!(".{}.tripline_copy", name.to_string_lossy())), elsewhere]
}

/// Whether it is a regular file that this user made: the temporary folder is open to others.
fn is_own(place: &Path) -> bool {
    let Ok(metadata) = fs::symlink_metadata(place) else { return false };
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        metadata.is_file() && metadata.uid() == rustix::process::geteuid().as_raw()
    }
    #[cfg(not(unix))]
    metadata.is_file()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const OLD: &str = "latency_threshold = 300 # as agreed\n";
    const NEW: &str = "latency_threshold = 250 # as agreed\nwait_time = 5\n";

    fn subject() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("f.toml");
        fs::write(&target, OLD).unwrap();
        (folder, target)
    }

    fn copies(target: &Path) -> Vec<PathBuf> {
        places(target).into_iter().filter(|place| place.exists()).collect()
    }

    #[test]
    fn a_write_leaves_the_new_text_and_no_copy() {
        for (old, new) in [(OLD, NEW), (NEW, OLD), (OLD, "")] {
            let (_folder, target) = subject();
            write(&target, old, new).unwrap();
            assert_eq!((fs::read_to_string(&target).unwrap().as_str(), copies(&target).len()), (new, 0));
        }
    }

    #[test]
    fn the_copy_is_whole_before_the_file_is_touched() {
        let (_folder, target) = subject();
        write_by(&target, OLD, NEW, &|file, text| {
            assert_eq!(fs::read_to_string(&target).unwrap(), OLD);
            assert_eq!(fs::read_to_string(&copies(&target)[0]).unwrap(), NEW);
            put(file, text)
        })
        .unwrap();
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_text() {
        let (_folder, target) = subject();
        let calls = Cell::new(0);
        let failed = write_by(&target, OLD, NEW, &|file, text| {
            calls.set(calls.get() + 1);
            if calls.get() == 1 {
                put(file, &text[..20])?;
                return Err(io::ErrorKind::StorageFull.into());
            }
            put(file, text)
        });
        assert!(failed.is_err());
        assert_eq!((fs::read_to_string(&target).unwrap().as_str(), copies(&target).len()), (OLD, 0));
    }

    #[test]
    fn a_write_that_is_cut_off_after_any_byte_is_completed_at_the_next_start() {
        for length in 0..NEW.len() {
            let (_folder, target) = subject();
            let error = write_by(&target, OLD, NEW, &|file, _| {
                put(file, &NEW[..length])?;
                Err(io::ErrorKind::Other.into())
            })
            .unwrap_err();
            let copy = copies(&target);
            assert!(error.contains(&copy[0].display().to_string()), "{error}");
            assert!(recover(&target).is_some());
            assert_eq!((fs::read_to_string(&target).unwrap().as_str(), copies(&target).len()), (NEW, 0), "{length}");
            assert_eq!(recover(&target), None);
        }
    }

    #[test]
    fn a_copy_beside_another_text_changes_nothing() {
        let (_folder, target) = subject();
        fs::write(&places(&target)[0], NEW).unwrap();
        assert!(recover(&target).unwrap().contains(".tripline_copy"));
        assert_eq!(fs::read_to_string(&target).unwrap(), OLD);
        write(&target, OLD, NEW).unwrap();
        assert_eq!(copies(&target), [""; 0].map(PathBuf::from), "the next write replaces it");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_the_copy_is_neither_written_nor_read() {
        let (folder, target) = subject();
        let other = folder.path().join("other");
        fs::write(&other, OLD).unwrap();
        std::os::unix::fs::symlink(&other, &places(&target)[0]).unwrap();
        assert_eq!(recover(&target), None);
        write(&target, OLD, NEW).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), OLD);
        assert_eq!(fs::read_to_string(&target).unwrap(), NEW);
    }
}
