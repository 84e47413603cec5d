//! The file of a report, which is written as a whole or not at all.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Stat, fstat, stat};

use super::input::is_standard_input;
use crate::cli::CliError;
use crate::replay::PAGE_BEGINNING;
use crate::text::shown;

/// A path where a report can be written.
pub(super) struct ReportFile<'a> {
    named: &'a Path,
    /// The target of the path, if it is a link.
    target: PathBuf,
}

impl<'a> ReportFile<'a> {
    /// Checks before the replay that a report can be written to `path`. An existing report is overwritten; any other file
    /// is not.
    pub(super) fn new(path: &'a Path, recording: &Path, configurations: &[PathBuf]) -> Result<Self, CliError> {
        let rejection = |why: &str| CliError::during(format!("--report {}", shown(path)), why);
        if is_standard_input(path) {
            return Err(rejection("a page cannot be written to standard output; name a file"));
        }
        let target = match fs::canonicalize(path) {
            Ok(target) => {
                let old = stat(&target).map_err(|error| rejection(&error.to_string()))?;
                if FileType::from_raw_mode(old.st_mode) != FileType::RegularFile {
                    return Err(rejection("is not a regular file; name a file to write"));
                }
                let is_it = |other: rustix::io::Result<Stat>| {
                    other.is_ok_and(|other| (other.st_dev, other.st_ino) == (old.st_dev, old.st_ino))
                };
                if is_it(if is_standard_input(recording) { fstat(io::stdin()) } else { stat(recording) }) {
                    return Err(rejection("is the recording itself; name another file"));
                }
                if configurations.iter().any(|file| is_it(stat(file))) {
                    return Err(rejection("is one of the configurations; name another file"));
                }
                if !is_page(&target).map_err(|error| rejection(&error.to_string()))? {
                    return Err(rejection("exists and is not a page that tripline wrote; name another file"));
                }
                target
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(rejection(&error.to_string())),
        };
        if target.file_name().is_none() || !folder_of(&target).is_dir() {
            return Err(rejection("its folder does not exist; create it or name another file"));
        }
        Ok(Self { named: path, target })
    }

    pub(super) fn path(&self) -> &Path {
        self.named
    }

    /// Writes the report to a temporary file beside the target, and renames it when it is complete.
    pub(super) fn write(&self, page: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), CliError> {
        let (temporary, file) = self.temporary().map_err(|error| self.failed(&error))?;
        let mut output = BufWriter::new(file);
        let written = page(&mut output).and_then(|()| output.flush()).and_then(|()| output.get_ref().sync_all());
        let placed = written.and_then(|()| fs::rename(&temporary, &self.target));
        placed.map_err(|error| {
            // The first error is reported; a failed removal adds nothing to it.
            let _ = fs::remove_file(&temporary);
            self.failed(&error)
        })
    }

    fn temporary(&self) -> io::Result<(PathBuf, File)> {
        let name = self.target.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut attempt = 0_u32;
        loop {
            let path = folder_of(&self.target).join(format!(".{name}.{}.{attempt}", std::process::id()));
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok((path, file)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 100 => attempt += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn failed(&self, error: &io::Error) -> CliError {
        CliError::during(shown(self.named), error)
    }
}

fn is_page(path: &Path) -> io::Result<bool> {
    let mut beginning = Vec::with_capacity(PAGE_BEGINNING.len());
    File::open(path)?.take(PAGE_BEGINNING.len() as u64).read_to_end(&mut beginning)?;
    Ok(beginning == PAGE_BEGINNING.as_bytes())
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
