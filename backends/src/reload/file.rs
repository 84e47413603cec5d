//! The configuration file: read when it is whole, and changed in one step.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, SystemTime};

use super::atomic_exchange::{Swapped, swap};
use crate::config::{ConfigErrors, MAX_FILE_BYTES, Unread, read};

/// Between two looks at a file that somebody may be writing.
const SETTLE: Duration = Duration::from_millis(30);
/// So often it is looked at until it must have settled.
const MAX_LOOKS: u32 = 10;
/// So often a change starts over because somebody else wrote the file meanwhile.
const MAX_TRIES: u32 = 6;
/// What was left behind by a process that was killed is removed when it is older than this.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// Why a change does not stand in the file.
#[derive(Debug)]
pub(super) enum Unsaved {
    /// There is no file, or it may not be written.
    NotWritable(String),
    /// It has problems of its own.
    Bad(ConfigErrors),
    /// Others write it all the time.
    Busy,
    /// It would have problems with the change.
    Conflict(ConfigErrors),
}

/// A configuration file, by the path that it was named with.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
}

impl ConfigFile {
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How problems call it.
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    pub(super) fn read(&self) -> Result<String, Unread> {
        read(&self.path)
    }

    /// The text of `path`, which is this file or was just now, as it is when nobody is writing it: `known`, or a text that
    /// stays the same for a moment and is not empty, because writing a file in place begins with emptying it.
    fn settled(&self, path: &Path, known: &str) -> Result<String, Unsaved> {
        let mut before = None;
        for _ in 0..MAX_LOOKS {
            let now = read(path);
            match (&now, &before) {
                (Ok(text), _) if text == known => return Ok(text.clone()),
                (Ok(text), Some(Ok(same))) if text == same && !text.trim().is_empty() => return Ok(text.clone()),
                _ => {}
            }
            before = Some(now);
            thread::sleep(SETTLE);
        }
        match before {
            Some(Ok(text)) if text.trim().is_empty() => Err(Unsaved::Bad(self.problem("is empty"))),
            Some(Err(unread)) if unread.is_content => Err(Unsaved::Bad(self.problem(&unread.words))),
            Some(Err(unread)) => Err(Unsaved::NotWritable(format!("{} {}", self.name(), unread.words))),
            _ => Err(Unsaved::Busy),
        }
    }

    pub(super) fn problem(&self, words: &str) -> ConfigErrors {
        ConfigErrors::with_file(&self.name(), words)
    }

    /// Replaces the file's text by what `edit` makes of it. What others write meanwhile is not lost: `edit` then gets
    /// theirs. A reader sees the old text or the new one, and so does whoever starts after a crash. `known` is the text as
    /// it was seen last. Gives the new text.
    pub(super) fn rewrite(
        &self,
        known: &str,
        edit: impl Fn(&str) -> Result<String, Unsaved>,
    ) -> Result<String, Unsaved> {
        self.rewrite_around(known, edit, || ())
    }

    /// As [`ConfigFile::rewrite`]; `last_moment` is called just before the file is replaced, when others can still write it.
    fn rewrite_around(
        &self,
        known: &str,
        edit: impl Fn(&str) -> Result<String, Unsaved>,
        last_moment: impl Fn(),
    ) -> Result<String, Unsaved> {
        let _turn = self.turn();
        let base = self.settled(&self.path, known)?;
        let mut text = edit(&base)?;
        if text == base {
            return Ok(text);
        }
        let target = self.target()?;
        // What must stand in the file when it is replaced.
        let mut in_place = base;
        // What others wrote and ours displaced, until both stand in the file.
        let mut theirs: Option<Draft> = None;
        for tries_left in (0..MAX_TRIES).rev() {
            if text.len() as u64 > MAX_FILE_BYTES {
                return Err(Unsaved::Conflict(self.problem(&format!("would be larger than {MAX_FILE_BYTES} bytes"))));
            }
            let draft = Draft::write(&target, &text).map_err(|error| {
                if let Some(theirs) = &theirs {
                    let _ = swap(&theirs.path, &target);
                }
                self.not_writable(&error)
            })?;
            if self.target()? != target || read(&target).ok().as_ref() != Some(&in_place) {
                // Changed since it was read: that text is the one to start from.
                theirs = None;
                in_place = self.settled(&self.path, known)?;
                text = edit(&in_place)?;
                continue;
            }
            last_moment();
            match swap(&draft.path, &target).map_err(|error| self.not_writable(&error))? {
                Swapped::Replaced => {}
                Swapped::Exchanged => {
                    // What was there now stands in the draft; somebody else may have put it there just before.
                    let displaced = self.settled(&draft.path, &in_place);
                    if displaced.as_ref().ok() != Some(&in_place) {
                        match displaced
                            .and_then(|theirs| if tries_left == 0 { Err(Unsaved::Busy) } else { edit(&theirs) })
                        {
                            Ok(merged) => in_place = std::mem::replace(&mut text, merged),
                            Err(unsaved) => {
                                // Theirs again, as if we had not been there.
                                let _ = swap(&draft.path, &target);
                                return Err(unsaved);
                            }
                        }
                        theirs = Some(draft);
                        continue;
                    }
                }
            }
            sync_folder(&target);
            return Ok(text);
        }
        Err(Unsaved::Busy)
    }

    /// Waits for other processes of ours that change a file in the same folder, though not for ever: the lock only asks.
    fn turn(&self) -> Option<File> {
        let folder = File::open(fs::canonicalize(&self.path).ok()?.parent()?).ok()?;
        for _ in 0..MAX_LOOKS {
            match folder.try_lock() {
                Ok(()) => return Some(folder),
                Err(TryLockError::WouldBlock) => thread::sleep(SETTLE),
                Err(TryLockError::Error(_)) => return None,
            }
        }
        None
    }

    /// The file that the path resolves to, if it may be written.
    fn target(&self) -> Result<PathBuf, Unsaved> {
        let target = fs::canonicalize(&self.path).map_err(|error| self.not_writable(&error))?;
        let metadata = fs::metadata(&target).map_err(|error| self.not_writable(&error))?;
        // Whoever makes a file read-only does not want it written, also not by root.
        if metadata.permissions().readonly() {
            return Err(Unsaved::NotWritable(format!("{} is read-only", self.name())));
        }
        Ok(target)
    }

    fn not_writable(&self, error: &io::Error) -> Unsaved {
        Unsaved::NotWritable(format!("{} cannot be written: {error}", self.name()))
    }

    /// Removes drafts that a process left behind when it was killed.
    pub(super) fn clean_up(&self) {
        let Ok(target) = fs::canonicalize(&self.path) else { return };
        let (Some(folder), Some(prefix)) = (target.parent(), draft_prefix(&target)) else { return };
        let Ok(entries) = fs::read_dir(folder) else { return };
        for entry in entries.flatten() {
            let is_draft = entry.file_name().to_string_lossy().starts_with(&prefix);
            let written = entry.metadata().and_then(|metadata| metadata.modified());
            let age = written.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
            if is_draft && age.is_some_and(|age| age > LEFT_BEHIND) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}

/// The next text of a file, beside it; removed when it is dropped, whatever stands in it then.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn write(target: &Path, text: &str) -> io::Result<Self> {
        // Relaxed: only a name that differs from the others.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let prefix = draft_prefix(target).ok_or(io::ErrorKind::InvalidFilename)?;
        let path = target.with_file_name(format!("{prefix}{}-{number}", std::process::id()));
        let mut file = create(&path)?;
        let draft = Self { path };
        file.write_all(text.as_bytes())?;
        keep_owner_and_mode(&file, target)?;
        file.sync_all()?;
        Ok(draft)
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a plain rename it is gone already.
        let _ = fs::remove_file(&self.path);
    }
}

fn draft_prefix(target: &Path) -> Option<String> {
    Some(format!(".{}.tripline-", target.file_name()?.to_string_lossy()))
}

/// A new file that nobody else can read yet: the text may hold a key.
fn create(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn keep_owner_and_mode(file: &File, target: &Path) -> io::Result<()> {
    let metadata = fs::metadata(target)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt as _, fchown};
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (metadata.uid(), metadata.gid()) {
            // Only root may give a file away; a file that belongs to the writer is better than none.
            let _ = fchown(file, Some(metadata.uid()), Some(metadata.gid()));
        }
    }
    file.set_permissions(metadata.permissions())
}

/// Makes the new name durable. A file system that cannot do this for a folder has done what it can.
fn sync_folder(target: &Path) {
    if let Some(folder) = target.parent().and_then(|folder| File::open(folder).ok()) {
        let _ = folder.sync_all();
    }
}

#[cfg(all(test, target_os = "linux"))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::cell::Cell;

    use super::*;

    struct Subject {
        _folder: tempfile::TempDir,
        file: ConfigFile,
    }

    impl Subject {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let file = ConfigFile::new(folder.path().join("f.toml"));
            fs::write(file.path(), "mine\n").unwrap();
            Self { _folder: folder, file }
        }

        fn text(&self) -> String {
            fs::read_to_string(self.file.path()).unwrap()
        }

        /// Others replace the file with these texts, one after the other, each at the last moment.
        fn rewrite_among(
            &self,
            theirs: &[&str],
            edit: impl Fn(&str) -> Result<String, Unsaved>,
        ) -> Result<String, Unsaved> {
            let turn = Cell::new(0);
            self.file.rewrite_around("mine\n", edit, || {
                if let Some(text) = theirs.get(turn.replace(turn.get() + 1)) {
                    let next = self.file.path().with_extension("next");
                    fs::write(&next, text).unwrap();
                    fs::rename(next, self.file.path()).unwrap();
                }
            })
        }
    }

    #[allow(clippy::unnecessary_wraps)]
    fn add(base: &str) -> Result<String, Unsaved> {
        let kept = base.replace("+added\n", "");
        Ok(format!("{kept}+added\n"))
    }

    #[test]
    fn what_others_write_at_the_last_moment_is_not_lost() {
        for (theirs, expected) in [
            (vec![], "mine\n+added\n"),
            (vec!["theirs\n"], "theirs\n+added\n"),
            (vec!["theirs\n", "theirs again\n"], "theirs again\n+added\n"),
        ] {
            let subject = Subject::new();
            assert_eq!(subject.rewrite_among(&theirs, add).unwrap(), expected);
            assert_eq!(subject.text(), expected);
        }
    }

    #[test]
    fn what_others_write_badly_at_the_last_moment_is_theirs_again() {
        let subject = Subject::new();
        let refuse_theirs = |base: &str| {
            if base.starts_with("bad") { Err(Unsaved::Bad(subject.file.problem("is bad"))) } else { add(base) }
        };
        assert!(matches!(subject.rewrite_among(&["bad\n"], refuse_theirs), Err(Unsaved::Bad(_))));
        assert_eq!(subject.text(), "bad\n");
    }

    #[test]
    fn others_that_never_rest_are_told_of() {
        let subject = Subject::new();
        let theirs: Vec<String> = (0..2 * MAX_TRIES).map(|n| format!("theirs {n}\n")).collect();
        let theirs: Vec<&str> = theirs.iter().map(String::as_str).collect();
        assert!(matches!(subject.rewrite_among(&theirs, add), Err(Unsaved::Busy)));
        assert_eq!(subject.text(), format!("theirs {}\n", MAX_TRIES - 1));
    }

    #[test]
    fn what_a_killed_process_left_behind_is_removed_after_a_while() {
        let subject = Subject::new();
        let folder = subject.file.path().canonicalize().unwrap().parent().unwrap().to_owned();
        let (old, new) = (folder.join(".f.toml.tripline-1-0"), folder.join(".f.toml.tripline-2-0"));
        for path in [&old, &new] {
            fs::write(path, "").unwrap();
        }
        let long_ago = SystemTime::now() - 2 * LEFT_BEHIND;
        File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        subject.file.clean_up();
        assert_eq!((old.exists(), new.exists()), (false, true));
    }
}
