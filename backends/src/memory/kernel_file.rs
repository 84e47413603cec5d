//! A kernel file that stays open and is read repeatedly.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use tripline_runtime::MemoryError;

/// Several times the length of the longest file that is read (`memory.stat`: 2 to 3 KiB).
pub(super) const BUFFER_LEN: usize = 16 * 1024;

/// An open kernel file. Each read starts at the beginning of the file.
#[derive(Debug)]
pub(super) struct KernelFile {
    file: File,
    path: PathBuf,
}

impl KernelFile {
    pub(super) fn open(path: PathBuf) -> Result<Self, MemoryError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { file, path }),
            Err(error) => Err(unreadable(&path, error)),
        }
    }

    /// `None` if the file does not exist.
    #[cfg(feature = "cgroup")]
    pub(super) fn open_if_there(path: PathBuf) -> Result<Option<Self>, MemoryError> {
        match Self::open(path) {
            Ok(file) => Ok(Some(file)),
            Err(MemoryError::Unreadable { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads the file with one system call, for files that the kernel writes as one record. If the buffer is too small,
    /// returns as many whole lines as it holds.
    pub(super) fn read<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], MemoryError> {
        let len = self.read_at(buffer, 0)?;
        Ok(whole_lines(buffer, len))
    }

    /// Reads until the end of the file or of the buffer, for files of many records, of which the kernel returns one
    /// page per call.
    #[cfg(feature = "sysinfo")]
    pub(super) fn read_all<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], MemoryError> {
        let mut len = 0;
        while let Some(rest) = buffer.get_mut(len..).filter(|rest| !rest.is_empty()) {
            match self.read_at(rest, len as u64)? {
                0 => break,
                more => len += more,
            }
        }
        Ok(whole_lines(buffer, len))
    }

    /// Reads the file and parses one value from it. `expected` describes the value in the error.
    pub(super) fn parse<T>(
        &self,
        buffer: &mut [u8],
        expected: &'static str,
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Result<T, MemoryError> {
        let text = self.read(buffer)?;
        parse(text).ok_or_else(|| malformed(&self.path, text, expected))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> Result<usize, MemoryError> {
        loop {
            match read_at(&self.file, buffer, offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(unreadable(&self.path, error)),
                Ok(len) => return Ok(len),
            }
        }
    }
}

/// The first `len` bytes of the buffer; without the last, incomplete line if they fill it.
fn whole_lines(buffer: &[u8], len: usize) -> &[u8] {
    let text = buffer.get(..len).unwrap_or_default();
    if len < buffer.len() {
        return text;
    }
    let end = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    text.get(..end).unwrap_or_default()
}

/// The error for a file that cannot be read.
pub(super) fn unreadable(path: &Path, error: io::Error) -> MemoryError {
    MemoryError::Unreadable { what: path.display().to_string(), error }
}

/// The error for a file with unexpected content. It quotes the beginning of the content.
pub(super) fn malformed(path: &Path, text: &[u8], expected: &'static str) -> MemoryError {
    let found = String::from_utf8_lossy(text).chars().take(60).collect();
    MemoryError::Malformed { what: path.display().to_string(), found, expected }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

/// Two calls on systems without `pread`; only tests use them.
#[cfg(not(unix))]
fn read_at(mut file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    use std::io::{Read, Seek};
    file.seek(io::SeekFrom::Start(offset))?;
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
        let file = KernelFile::open(path).unwrap();
        for (len, expected) in [(64, &b"one 1\ntwo 22\n"[..]), (12, b"one 1\n"), (3, b"")] {
            assert_eq!(file.read(&mut vec![0; len]).unwrap(), expected);
            #[cfg(feature = "sysinfo")]
            assert_eq!(file.read_all(&mut vec![0; len]).unwrap(), expected);
        }
    }
}
