//! Copies a pipe that has to be read several times to a file, after a check of its first lines.

use std::fs::File;
use std::io::{self, BufRead, Read, Seek as _, SeekFrom, Write as _};

use super::super::CliError;
use crate::replay::Reading;
use crate::replay::nul_bytes::leading_nul_bytes;

/// Maximum number of bytes that are checked before a pipe is copied.
const MAX_BEGINNING_BYTES: usize = 1 << 20;
/// Number of lines that are enough for the check.
const ENOUGH_LINES: usize = 64;
/// Maximum length of the copy, in bytes.
const MAX_COPY_BYTES: u64 = 16 << 30;
/// Size of one read, in bytes.
const CHUNK_BYTES: usize = 1 << 16;
/// Maximum number of leading NUL bytes. A pipe with more is not a recording.
const MAX_NUL_BYTES: u64 = 4 << 30;

/// Copies `input`, decompressed, to an unnamed file, which is removed when its last handle is closed. Runs of NUL bytes take no
/// disk space.
pub(super) fn spooled(mut input: Box<dyn BufRead>, name: &str, reading: &Reading) -> Result<File, CliError> {
    let failed = |error: io::Error| CliError::during(name, error);
    let (nul_bytes, beginning) = beginning(&mut input).map_err(failed)?;
    judge(&beginning, reading).map_err(|error| CliError::during(name, error))?;
    let mut copy = || -> io::Result<File> {
        let mut file = tempfile::tempfile()?;
        let mut length = nul_bytes;
        file.seek(SeekFrom::Start(length))?;
        write_sparse(&mut file, &beginning)?;
        length += beginning.len() as u64;
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            let read = match input.read(&mut chunk) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            length += read as u64;
            if length > MAX_COPY_BYTES {
                let gib = MAX_COPY_BYTES >> 30;
                return Err(io::Error::other(format!(
                    "is longer than {gib} GiB on a pipe, and is read several times; write it to a file and name that"
                )));
            }
            write_sparse(&mut file, chunk.get(..read).unwrap_or_default())?;
        }
        file.set_len(length)?;
        Ok(file)
    };
    copy().map_err(failed)
}

/// The number of leading NUL bytes, and enough of the following input for the check.
fn beginning(input: &mut impl BufRead) -> io::Result<(u64, Vec<u8>)> {
    let (mut nul_bytes, mut beginning) = (0_u64, Vec::new());
    let mut lines = 0;
    while beginning.len() < MAX_BEGINNING_BYTES && lines < ENOUGH_LINES {
        let buffer = match input.fill_buf() {
            Ok(buffer) => buffer,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if buffer.is_empty() {
            break;
        }
        let taken = if beginning.is_empty() && buffer.first() == Some(&0) {
            let run = leading_nul_bytes(buffer);
            nul_bytes += run as u64;
            run
        } else {
            lines += buffer.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count();
            beginning.extend_from_slice(buffer);
            buffer.len()
        };
        input.consume(taken);
        if nul_bytes > MAX_NUL_BYTES {
            return Err(io::Error::other("begins with more than 4 GiB of NUL bytes; allowed: text"));
        }
    }
    Ok((nul_bytes, beginning))
}

/// Checks the beginning of an input. The last line may be cut off, and is left out if there are others.
fn judge(beginning: &[u8], reading: &Reading) -> Result<(), crate::replay::ReplayError> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let end = beginning.iter().rposition(is_end).map_or(beginning.len(), |end| end + 1);
    reading.check_beginning(beginning.get(..end).unwrap_or_default())
}

fn write_sparse(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    if bytes.iter().all(|byte| *byte == 0) {
        let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        return file.seek(SeekFrom::Current(length)).map(|_| ());
    }
    file.write_all(bytes)
}
