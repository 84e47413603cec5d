//! Files that hold a bearer token.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;

/// A token file may not be larger than this.
const MAX_BYTES: u64 = 4 * 1_024;

/// Why a token file cannot be used. Its content is not shown.
#[derive(Debug)]
#[non_exhaustive]
pub enum TokenFileError {
    /// It cannot be read.
    Io(io::Error),
    /// It is a folder, a FIFO or another special file.
    NotRegular,
    /// It is larger than 4 KiB.
    TooLarge,
    /// It is not text.
    NotUtf8,
}

impl fmt::Display for TokenFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::NotRegular => f.write_str("it is not a regular file; allowed: a regular file with the token"),
            Self::TooLarge => {
                write!(f, "it is larger than {MAX_BYTES} bytes; allowed: a file with nothing but the token")
            }
            Self::NotUtf8 => f.write_str("it is not UTF-8; allowed: a token of visible ASCII characters"),
        }
    }
}

impl std::error::Error for TokenFileError {}

impl From<io::Error> for TokenFileError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// The text of a token file. Returns at once also where `path` is a FIFO without a writer.
pub(super) fn read(path: &Path) -> Result<String, TokenFileError> {
    let file = open(path)?;
    if !file.metadata()?.is_file() {
        return Err(TokenFileError::NotRegular);
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(TokenFileError::TooLarge);
    }
    String::from_utf8(bytes).map_err(|_| TokenFileError::NotUtf8)
}

/// Opens without waiting for the writer of a FIFO.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    if let Ok(flags) = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()) {
        std::os::unix::fs::OpenOptionsExt::custom_flags(&mut options, flags);
    }
    options.open(path)
}

/// The warning that other users can read the file; none on systems without file modes.
pub(super) fn open_to_others(path: &Path) -> Option<String> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        let mode = std::fs::metadata(path).ok()?.mode() & 0o777;
        (mode & 0o004 != 0).then(|| format!("other users can read it (mode {mode:03o}); chmod 600 it"))
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        None
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn only_a_small_regular_file_of_text_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "0123456789abcdef\n").unwrap();
        assert_eq!(read(&path).unwrap(), "0123456789abcdef\n");
        fs::write(&path, "x".repeat(4_096)).unwrap();
        assert!(read(&path).is_ok());
        fs::write(&path, "x".repeat(4_097)).unwrap();
        assert!(matches!(read(&path), Err(TokenFileError::TooLarge)));
        fs::write(&path, [0xff]).unwrap();
        assert!(matches!(read(&path), Err(TokenFileError::NotUtf8)));
        assert!(matches!(read(folder.path()), Err(TokenFileError::NotRegular)));
        assert!(matches!(read(Path::new("/dev/zero")), Err(TokenFileError::NotRegular)));
        assert!(matches!(read(&folder.path().join("none")), Err(TokenFileError::Io(_))));
    }

    #[test]
    fn a_fifo_without_a_writer_is_rejected_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&path).status();
        assert!(made.is_ok_and(|status| status.success()));
        assert!(matches!(read(&path), Err(TokenFileError::NotRegular)));
    }

    #[test]
    fn a_file_that_others_can_read_is_warned_about() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        fs::write(&path, "x").unwrap();
        for (mode, is_open) in [(0o600, false), (0o640, false), (0o644, true), (0o604, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_to_others(&path).is_some(), is_open, "{mode:o}");
        }
    }
}
