//! A file of the kernel that stays open and is read again and again.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tripline_runtime::MemoryError;

/// Enough for the longest of the files read here several times over (`memory.stat`: 2 to 3 KiB).
pub(super) const BUFFER_LEN: usize = 16 * 1024;

/// An open file. Each reading is one system call, and starts at the file's beginning.
#[derive(Debug)]
pub(super) struct Reread {
    file: File,
    path: PathBuf,
}

impl Reread {
    pub(super) fn open(path: PathBuf) -> Result<Self, MemoryError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { file, path }),
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    /// `None` where there is no such file.
    #[cfg(feature = "cgroup")]
    pub(super) fn open_if_there(path: PathBuf) -> Result<Option<Self>, MemoryError> {
        match Self::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(MemoryError::Unreadable { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the file says now. Where the buffer is too small for all of it: as many whole lines as it holds.
    pub(super) fn read<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], MemoryError> {
        let len = loop {
            match read_from_start(&self.file, buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&self.path, error)),
                Ok(len) => break len,
            }
        };
        let text = buffer.get(..len).unwrap_or_default();
        if len < buffer.len() {
            return Ok(text);
        }
        let whole_lines = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        Ok(text.get(..whole_lines).unwrap_or_default())
    }

    /// Reads it, and takes one value out of it; `expected` says what should be there.
    pub(super) fn parse<T>(
        &self,
        buffer: &mut [u8],
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, MemoryError> {
        let text = self.read(buffer)?;
        parse(text).ok_or_else(|| malformed(&self.path, text, expected))
    }
}

/// The error for a file that could not be read.
pub(super) fn unreadable(path: &Path, error: io::Error) -> MemoryError {
    MemoryError::Unreadable { what: path.display().to_string(), error }
}

/// The error for a file that says something else; it shows the beginning of what it says.
pub(super) fn malformed(path: &Path, text: &[u8], expected: &'static str) -> MemoryError {
    let found = String::from_utf8_lossy(text).chars().take(60).collect();
    MemoryError::Malformed { what: path.display().to_string(), found, expected }
}

#[cfg(unix)]
fn read_from_start(file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, 0)
}

/// Two calls where there is no `pread`; only tests on other systems come here.
#[cfg(not(unix))]
fn read_from_start(mut file: &File, buffer: &mut [u8]) -> io::Result<usize> {
    use std::io::{Read, Seek};
    file.rewind()?;
    file.read(buffer)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_file_longer_than_the_buffer_is_cut_after_its_last_whole_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "one 1\ntwo 22\n").unwrap();
        let file = Reread::open(path).unwrap();
        assert_eq!(file.read(&mut [0; 64]).unwrap(), b"one 1\ntwo 22\n");
        assert_eq!(file.read(&mut [0; 12]).unwrap(), b"one 1\n");
        assert_eq!(file.read(&mut [0; 3]).unwrap(), b"");
    }
}
