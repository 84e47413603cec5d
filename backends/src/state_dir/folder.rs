//! A folder on disk, held by one process. The state is read once and then replaced only as a whole.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use tripline_runtime::BreakerName;

use super::error::{ForeignState, Quarantined, StateDirError};

const STATE: &str = "state.json";
/// The next state while it is written. A file left behind by a kill is ignored.
const NEXT: &str = "state.json.next";
const LOCK: &str = "lock";
/// Maximum length of the state, in bytes: some hundred times what a state with full queues needs.
const LARGEST: u64 = 16 * 1024 * 1024;

#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    /// Locks held while the files are open. The system releases them when the process ends, for any reason. The folder
    /// itself is locked too if the file system supports that, because the lock file may be removed.
    _locks: (File, Option<File>),
}

impl Folder {
    pub(super) fn open(root: &Path, breaker: &BreakerName) -> Result<Self, StateDirError> {
        let path = root.join(folder_name(breaker));
        let not_writable = |path: &Path| {
            let path = path.to_owned();
            move |error| StateDirError::NotWritable { path, error }
        };
        private_folders().create(&path).map_err(not_writable(&path))?;
        let lock_file = path.join(LOCK);
        let lock = private_file().create(true).truncate(false).open(&lock_file).map_err(not_writable(&lock_file))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateDirError::InUse { folder: path }),
            Err(TryLockError::Error(error)) => return Err(StateDirError::NotWritable { path: lock_file, error }),
        }
        let folder_lock = lock_folder(&path)?;
        let folder = Self { path, _locks: (lock, folder_lock) };
        match folder.check_writable() {
            // Alerts are sent even if the disk is full, and saving is retried.
            Err(error) if !matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => {
                return Err(StateDirError::NotWritable { path: folder.path.join(NEXT), error });
            }
            _ => {}
        }
        sync_folder(root).and_then(|()| sync_folder(&folder.path)).map_err(not_writable(&folder.path))?;
        Ok(folder)
    }

    /// Creates and removes an empty file, so that missing permissions are found at the start.
    fn check_writable(&self) -> io::Result<()> {
        let next = self.path.join(NEXT);
        remove_if_there(&next)?;
        private_file().create_new(true).open(&next)?;
        fs::remove_file(&next)
    }

    /// The bytes of the state file, or why it cannot be a state; `None` if there is no file.
    pub(super) fn read(&self) -> Result<Option<Result<Vec<u8>, ForeignState>>, StateDirError> {
        let path = self.path.join(STATE);
        match fs::metadata(&path) {
            Ok(found) if !found.is_file() => return Ok(Some(Err(ForeignState::NoFile))),
            Ok(found) if found.len() > LARGEST => return Ok(Some(Err(ForeignState::TooLarge { allowed: LARGEST }))),
            Err(error) if error.kind() == ErrorKind::NotFound && fs::symlink_metadata(&path).is_err() => {
                return Ok(None);
            }
            _ => {}
        }
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes)) {
            Ok(_) => Ok(Some(Ok(bytes))),
            Err(error) => Err(StateDirError::NotReadable { path, error }),
        }
    }

    /// Renames the unusable state file to a free name.
    pub(super) fn set_aside(&self, why: ForeignState) -> Result<Quarantined, StateDirError> {
        let was = self.path.join(STATE);
        let names = (1_u32..).map(|number| self.path.join(format!("{STATE}.set-aside-{number}")));
        // No other process creates such names: the folder is locked.
        let free = names.into_iter().find(|name| fs::symlink_metadata(name).is_err());
        let now = free.unwrap_or_else(|| self.path.join(format!("{STATE}.set-aside")));
        match fs::rename(&was, &now).and_then(|()| sync_folder(&self.path)) {
            Ok(()) => Ok(Quarantined { was, now, why }),
            Err(error) => Err(StateDirError::NotSetAside { path: was, why, error }),
        }
    }

    /// Replaces the state by `text`, atomically. On return the new state survives a power loss.
    pub(super) fn replace(&self, text: &[u8]) -> io::Result<()> {
        self.replace_with(|file| file.write_all(text))
    }

    fn replace_with(&self, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
        let next = self.path.join(NEXT);
        remove_if_there(&next)?;
        let mut file = private_file().create_new(true).open(&next)?;
        let written = write(&mut file).and_then(|()| file.sync_all());
        if let Err(error) = written.and_then(|()| fs::rename(&next, self.path.join(STATE))) {
            // On a full disk a partial file would block the next attempt.
            let _ = fs::remove_file(&next);
            return Err(error);
        }
        sync_folder(&self.path)
    }
}

/// Locks a folder; `None` if the file system does not support locks on folders.
fn lock_folder(path: &Path) -> Result<Option<File>, StateDirError> {
    let Ok(folder) = File::open(path) else { return Ok(None) };
    match folder.try_lock() {
        Ok(()) => Ok(Some(folder)),
        Err(TryLockError::WouldBlock) => Err(StateDirError::InUse { folder: path.to_owned() }),
        Err(TryLockError::Error(_)) => Ok(None),
    }
}

/// The folder name of a breaker: unique also on file systems that ignore case, and never hidden.
fn folder_name(breaker: &BreakerName) -> String {
    let name = breaker.as_str();
    let mut encoded = String::new();
    for (place, byte) in name.bytes().enumerate() {
        let at_an_end = place == 0 || place + 1 == name.len();
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => encoded.push(char::from(byte)),
            b'.' if !at_an_end => encoded.push('.'),
            _ => encoded.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    encoded
}

fn hex(digit: u8) -> char {
    char::from_digit(digit.into(), 16).unwrap_or('0')
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn private_folders() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes renames in a folder survive a power loss.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(path)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn open(root: &Path) -> Folder {
        Folder::open(root, &BreakerName::default()).unwrap()
    }

    fn state(folder: &Folder) -> Vec<u8> {
        folder.read().unwrap().unwrap().unwrap()
    }

    #[test]
    fn a_write_that_fails_half_way_leaves_the_state_as_it_was_and_no_rubbish() {
        let root = tempfile::tempdir().unwrap();
        let folder = open(root.path());
        folder.replace(b"first").unwrap();
        let full = folder.replace_with(|file| {
            file.write_all(b"sec")?;
            Err(ErrorKind::StorageFull.into())
        });
        assert_eq!(full.unwrap_err().kind(), ErrorKind::StorageFull);
        assert_eq!(state(&folder), b"first");
        assert!(!folder.path.join(NEXT).exists());
        folder.replace(b"third").unwrap();
        assert_eq!(state(&folder), b"third");
    }

    #[test]
    fn what_a_kill_left_behind_is_in_no_way() {
        let root = tempfile::tempdir().unwrap();
        let folder = open(root.path());
        folder.replace(b"first").unwrap();
        fs::write(folder.path.join(NEXT), b"sec").unwrap();
        drop(folder);
        let folder = open(root.path());
        assert_eq!(state(&folder), b"first");
        fs::write(folder.path.join(NEXT), b"sec").unwrap();
        folder.replace(b"third").unwrap();
        assert_eq!(state(&folder), b"third");
    }

    #[test]
    fn names_become_folders_that_are_distinct_everywhere() {
        let table = [
            ("default", "default"),
            ("payments.v2_eu-1", "payments.v2_eu-1"),
            ("Payments", "%50ayments"),
            (".hidden", "%2ehidden"),
            ("dots.", "dots%2e"),
        ];
        for (name, expected) in table {
            assert_eq!(folder_name(&BreakerName::new(name).unwrap()), expected);
        }
    }
}
