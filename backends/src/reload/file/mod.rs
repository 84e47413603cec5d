//! The configuration file: read when it is whole, and changed in one step.

mod atomic_exchange;
mod draft;
mod in_place;

use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, SystemTime};

use super::store::{ConfigStore, Unsaved, WatchedPath};
use super::watch::Watch;
use crate::config::{ConfigErrors, MAX_FILE_BYTES, read};
use atomic_exchange::{Swapped, swap};
use draft::{Draft, sync_folder};

/// The interval between two reads of a file that another process may be writing.
const LOOK_INTERVAL: Duration = Duration::from_millis(30);
/// A new text counts as complete when this many reads in a row gave the same, 240 ms: a writer may pause.
const SETTLED_LOOKS: u32 = 8;
/// A file that this many reads in a row found unreadable or empty is not being written.
const MAX_UNUSABLE_LOOKS: u32 = 10;
/// A file that still changes after this many reads, 1.5 s, is busy.
const MAX_LOOKS: u32 = 50;
/// Attempts to lock the folder.
const MAX_LOCK_TRIES: u32 = 10;
/// Attempts at a change, each ended by another process that wrote the file meanwhile.
const MAX_TRIES: u32 = 6;
/// A draft of a process that was killed is removed when it is older than this.
const LEFT_BEHIND: Duration = Duration::from_secs(60);

/// A configuration file, by the path that it was named with.
pub(super) struct ConfigFile {
    path: PathBuf,
    system: System,
}

/// Puts the first file in the place of the second.
type Swap = dyn Fn(&Path, &Path) -> io::Result<Swapped> + Send;

/// The system calls, which a test replaces to reach every case.
struct System {
    pause: Box<dyn Fn(Duration) + Send>,
    swap: Box<Swap>,
    /// Called at each [`Moment`] of a change.
    reached: Box<dyn Fn(Moment) + Send>,
}

/// A moment at which others can still write the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    /// The draft is on disk; the file has not been compared since.
    Drafted,
    /// The file was compared, and is replaced next.
    BeforeSwap,
}

impl fmt::Debug for ConfigFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl ConfigFile {
    pub(super) fn new(path: PathBuf) -> Self {
        let system = System { pause: Box::new(thread::sleep), swap: Box::new(swap), reached: Box::new(|_| ()) };
        Self { path, system }
    }

    /// The text of `path`, which is this file or was until now, when no other process is writing it: `known`, or a text
    /// that stays the same for a while and is not empty, because writing a file in place begins with truncating it.
    fn settled(&self, path: &Path, known: &str) -> Result<String, Unsaved> {
        let mut before = None;
        let (mut unchanged, mut unusable) = (0, 0);
        for _ in 0..MAX_LOOKS {
            let now = read(path);
            match (&now, &before) {
                (Ok(text), _) if text == known => return Ok(text.clone()),
                (Ok(text), Some(Ok(same))) if text == same && !text.trim().is_empty() => unchanged += 1,
                _ => unchanged = 0,
            }
            unusable = if now.as_ref().is_ok_and(|text| !text.trim().is_empty()) { 0 } else { unusable + 1 };
            match now {
                Ok(text) if unchanged >= SETTLED_LOOKS => return Ok(text),
                now => before = Some(now),
            }
            if unusable >= MAX_UNUSABLE_LOOKS {
                break;
            }
            (self.system.pause)(LOOK_INTERVAL);
        }
        match before {
            Some(Ok(text)) if text.trim().is_empty() => Err(Unsaved::Bad(self.problem("is empty"))),
            Some(Err(unread)) if unread.is_content => Err(Unsaved::Bad(self.problem(&unread.words))),
            Some(Err(unread)) => Err(Unsaved::NotWritable(format!("{} {}", self.name(), unread.words))),
            _ => Err(Unsaved::Busy),
        }
    }

    fn problem(&self, words: &str) -> ConfigErrors {
        ConfigErrors::with_file(&self.name(), words)
    }

    /// What others write at any moment is not lost: the two files exchange their names, and what was displaced is looked at.
    fn replace(&self, known: &str, edit: &dyn Fn(&str) -> Result<String, Unsaved>) -> Result<String, Unsaved> {
        let _turn = self.turn();
        let base = self.settled(&self.path, known)?;
        let mut text = edit(&base)?;
        if text == base {
            return Ok(text);
        }
        let mut target = self.target()?;
        // The expected content of the file when it is replaced.
        let mut in_file = base;
        // What others wrote and ours displaced, until both are in the file.
        let mut theirs: Option<Draft> = None;
        for tries_left in (0..MAX_TRIES).rev() {
            if text.len() as u64 > MAX_FILE_BYTES {
                return Err(Unsaved::Conflict(self.problem(&format!("would be larger than {MAX_FILE_BYTES} bytes"))));
            }
            let draft = match Draft::write(&target, &text) {
                Ok(draft) => Ok(draft),
                Err(error) if theirs.is_none() && in_place::is_needed(&error) => Err(error),
                Err(error) => {
                    if let Some(theirs) = &theirs {
                        let _ = (self.system.swap)(&theirs.path, &target);
                    }
                    return Err(self.not_writable(&error));
                }
            };
            (self.system.reached)(Moment::Drafted);
            if self.target()? != target || read(&target).ok().as_ref() != Some(&in_file) {
                // Changed since it was read, or a link leads elsewhere: start from what is there now.
                theirs = None;
                target = self.target()?;
                in_file = self.settled(&self.path, known)?;
                text = edit(&in_file)?;
                continue;
            }
            (self.system.reached)(Moment::BeforeSwap);
            let swapped = draft.and_then(|draft| Ok(((self.system.swap)(&draft.path, &target)?, draft)));
            let draft = match swapped {
                Ok((Swapped::Exchanged, draft)) => draft,
                Ok((Swapped::Replaced, _)) => {
                    sync_folder(&target);
                    return Ok(text);
                }
                Err(error) if theirs.is_none() && in_place::is_needed(&error) => {
                    in_place::write(&target, &in_file, &text).map_err(|error| self.not_writable(&error))?;
                    return Ok(text);
                }
                Err(error) => return Err(self.not_writable(&error)),
            };
            // What was in the file is in the draft now; another process may have put it there just before.
            let displaced = self.settled(&draft.path, &in_file);
            if displaced.as_ref().ok() == Some(&in_file) {
                sync_folder(&target);
                return Ok(text);
            }
            match displaced.and_then(|theirs| if tries_left == 0 { Err(Unsaved::Busy) } else { edit(&theirs) }) {
                Ok(merged) => in_file = std::mem::replace(&mut text, merged),
                Err(unsaved) => {
                    // Theirs again, as if nothing had been written.
                    let _ = (self.system.swap)(&draft.path, &target);
                    return Err(unsaved);
                }
            }
            theirs = Some(draft);
        }
        Err(Unsaved::Busy)
    }

    /// Waits for other Tripline processes that change a file in the same folder, 300 ms at most: the lock is advisory.
    fn turn(&self) -> Option<File> {
        let folder = File::open(fs::canonicalize(&self.path).ok()?.parent()?).ok()?;
        for _ in 0..MAX_LOCK_TRIES {
            match folder.try_lock() {
                Ok(()) => return Some(folder),
                Err(TryLockError::WouldBlock) => (self.system.pause)(LOOK_INTERVAL),
                Err(TryLockError::Error(_)) => return None,
            }
        }
        None
    }

    /// The file that the path resolves to, if it may be written.
    fn target(&self) -> Result<PathBuf, Unsaved> {
        let target = fs::canonicalize(&self.path).map_err(|error| self.not_writable(&error))?;
        let metadata = fs::metadata(&target).map_err(|error| self.not_writable(&error))?;
        // A file that is read-only must not be written, also not by root.
        if metadata.permissions().readonly() {
            return Err(Unsaved::NotWritable(format!("{} is read-only", self.name())));
        }
        Ok(target)
    }

    fn not_writable(&self, error: &dyn fmt::Display) -> Unsaved {
        Unsaved::NotWritable(format!("{} cannot be written: {error}", self.name()))
    }

    /// Removes drafts that a process left behind when it was killed.
    fn remove_drafts(&self) {
        let Ok(target) = fs::canonicalize(&self.path) else { return };
        let (Some(folder), Some(prefix)) = (target.parent(), draft::prefix(&target)) else { return };
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

impl ConfigStore for ConfigFile {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn recover(&self) -> Option<String> {
        in_place::recover(&fs::canonicalize(&self.path).ok()?)
    }

    fn read(&self) -> Result<String, String> {
        read(&self.path).map_err(|unread| unread.words)
    }

    fn rewrite(&self, known: &str, edit: &dyn Fn(&str) -> Result<String, Unsaved>) -> Result<String, Unsaved> {
        self.replace(known, edit)
    }

    fn clean_up(&self) {
        self.remove_drafts();
    }

    fn watch(&self, touched: Box<dyn Fn() + Send>) -> Box<dyn WatchedPath> {
        Box::new(Watch::new(self.path.clone(), touched))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
