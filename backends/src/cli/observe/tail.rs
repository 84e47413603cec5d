//! Follows a growing file: yields its bytes as they are appended, through rotation and truncation.

use std::fmt;
use std::fs::{self, File, FileType, Metadata};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Size of one read, in bytes.
const BUFFER_BYTES: usize = 1 << 16;
/// Number of reads without a byte after which a rotated file is left: its writers reopen one after the other.
const LOOKS_AT_OLD: u32 = 3;

/// What a read of the file finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found<'b> {
    /// The next bytes.
    Bytes(&'b [u8]),
    /// The file was renamed or removed. The next bytes are the beginning of the file that now has its name.
    Rotated,
    /// The file was truncated. The next bytes are its beginning.
    Truncated,
    /// No new bytes for now.
    Nothing,
}

/// Why a file cannot be followed.
#[derive(Debug)]
pub(super) enum TailError {
    /// It is not a regular file.
    Kind(&'static str),
    Io(io::Error),
}

impl TailError {
    /// Whether the file does not exist yet.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == ErrorKind::NotFound)
    }
}

impl fmt::Display for TailError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => {
                write!(
                    f,
                    "is {kind}; allowed: a regular file, which may still be missing (a pipe: `tripline replay -`)"
                )
            }
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// Follows the file at a path.
#[derive(Debug)]
pub(super) struct Tail {
    path: PathBuf,
    opened: Option<Opened>,
    buffer: Vec<u8>,
}

#[derive(Debug)]
struct Opened {
    file: File,
    identity: Identity,
    read_to: u64,
    /// Number of reads without a byte since the path names another file.
    looks: u32,
}

impl Tail {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: None, buffer: vec![0; BUFFER_BYTES] }
    }

    /// The modification time of the open file; `None` if no file is open.
    pub(super) fn modified(&self) -> Option<SystemTime> {
        self.opened.as_ref()?.file.metadata().ok()?.modified().ok()
    }

    /// Opens the file and starts at most `last` bytes before its end. Returns the number of skipped bytes.
    pub(super) fn open_at_end(&mut self, last: u64) -> Result<u64, TailError> {
        let mut opened = Opened::new(&self.path)?;
        let length = opened.file.metadata().map_err(TailError::Io)?.len();
        opened.read_to = length.saturating_sub(last);
        opened.file.seek(SeekFrom::Start(opened.read_to)).map_err(TailError::Io)?;
        let left_out = opened.read_to;
        self.opened = Some(opened);
        Ok(left_out)
    }

    /// Whether a file is open.
    pub(super) fn is_open(&self) -> bool {
        self.opened.is_some()
    }

    /// Reads what follows.
    ///
    /// # Errors
    /// If the file is missing or cannot be read. The next call tries again.
    pub(super) fn look(&mut self) -> Result<Found<'_>, TailError> {
        let opened = match &mut self.opened {
            Some(opened) => opened,
            none => none.insert(Opened::new(&self.path)?),
        };
        let length = opened.file.metadata().map_err(TailError::Io)?.len();
        if length < opened.read_to {
            opened.file.rewind().map_err(TailError::Io)?;
            opened.read_to = 0;
            return Ok(Found::Truncated);
        }
        let count = read(&mut opened.file, &mut self.buffer).map_err(TailError::Io)?;
        if count > 0 {
            opened.read_to += count as u64;
            opened.looks = 0;
            return Ok(Found::Bytes(self.buffer.get(..count).unwrap_or_default()));
        }
        // The name may be missing for a moment until the next file is created. The old file is still written until
        // then.
        let Ok(now) = fs::metadata(&self.path) else { return Ok(Found::Nothing) };
        if Identity::of(&now) == opened.identity {
            opened.looks = 0;
            return Ok(Found::Nothing);
        }
        opened.looks += 1;
        if opened.looks < LOOKS_AT_OLD {
            return Ok(Found::Nothing);
        }
        self.opened = Some(Opened::new(&self.path)?);
        Ok(Found::Rotated)
    }
}

impl Opened {
    fn new(path: &Path) -> Result<Self, TailError> {
        // Opening a pipe would block until it has a writer, so the file type is checked first.
        check(&fs::metadata(path).map_err(TailError::Io)?)?;
        let file = File::open(path).map_err(TailError::Io)?;
        let data = file.metadata().map_err(TailError::Io)?;
        check(&data)?;
        Ok(Self { identity: Identity::of(&data), file, read_to: 0, looks: 0 })
    }
}

fn read(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match file.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

fn check(data: &Metadata) -> Result<(), TailError> {
    if data.is_file() { Ok(()) } else { Err(TailError::Kind(kind(data.file_type()))) }
}

#[cfg(unix)]
fn kind(kind: FileType) -> &'static str {
    use std::os::unix::fs::FileTypeExt as _;
    match kind {
        kind if kind.is_dir() => "a directory",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    }
}

#[cfg(not(unix))]
fn kind(kind: FileType) -> &'static str {
    if kind.is_dir() { "a directory" } else { "no regular file" }
}

/// Distinguishes a file from another one with the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Identity(u64, u64);

impl Identity {
    #[cfg(unix)]
    fn of(data: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self(data.dev(), data.ino())
    }

    /// On other systems the creation time distinguishes files.
    #[cfg(not(unix))]
    fn of(data: &Metadata) -> Self {
        let made = data.created().ok().and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok());
        Self(0, made.map_or(0, |at| u64::try_from(at.as_nanos()).unwrap_or(u64::MAX)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// Everything found until three reads in a row find nothing; bytes as text.
    fn found(tail: &mut Tail) -> Vec<String> {
        let mut found = Vec::new();
        let mut nothing = 0;
        while nothing <= LOOKS_AT_OLD {
            match tail.look().unwrap() {
                Found::Bytes(bytes) => found.push(String::from_utf8_lossy(bytes).into_owned()),
                Found::Rotated => found.push("(rotated)".into()),
                Found::Truncated => found.push("(truncated)".into()),
                Found::Nothing => nothing += 1,
            }
        }
        found
    }

    fn append(path: &Path, text: &str) {
        File::options().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
    }

    #[test]
    fn rotation_by_rename_loses_nothing_of_either_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        append(&path, "a\n");
        let mut tail = Tail::new(&path);
        assert_eq!(found(&mut tail), ["a\n"]);
        let old = folder.path().join("access.log.1");
        fs::rename(&path, &old).unwrap();
        append(&old, "b\n");
        assert_eq!(found(&mut tail), ["b\n"], "the writer still has the old file open");
        append(&old, "c\n");
        append(&path, "d\n");
        assert_eq!(found(&mut tail), ["c\n", "(rotated)", "d\n"]);
    }

    #[test]
    fn a_file_that_is_cut_off_is_read_from_its_beginning() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        append(&path, "first\n");
        let mut tail = Tail::new(&path);
        assert_eq!(found(&mut tail), ["first\n"]);
        fs::write(&path, "2\n").unwrap();
        assert_eq!(found(&mut tail), ["(truncated)", "2\n"]);
    }

    #[test]
    fn a_file_that_comes_later_is_found_and_what_is_none_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("access.log");
        let mut tail = Tail::new(&path);
        assert!(tail.look().is_err_and(|error| error.is_missing()));
        fs::create_dir(&path).unwrap();
        let error = tail.look().map(|_| ()).unwrap_err();
        assert!(!error.is_missing() && error.to_string().contains("a directory"), "{error}");
        fs::remove_dir(&path).unwrap();
        append(&path, "x\n");
        assert_eq!(found(&mut tail), ["x\n"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_named_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let error = Tail::new(&path).look().map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("a pipe"), "{error}");
    }
}
