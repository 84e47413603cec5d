//! Finds the recording among the arguments.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::{CliError, ReplayArgs};
use crate::config::MAX_FILE_BYTES;
use crate::text::shown;

/// The file to replay: the last argument, even if `--compare` parsed it as a configuration.
pub(super) fn recording(args: &ReplayArgs) -> Result<&Path, CliError> {
    let last = args.file.as_ref().or_else(|| args.compare.last().filter(|_| args.compare.len() > 1));
    let last = last.map(PathBuf::as_path).ok_or_else(|| {
        CliError::new("--compare: the recording is missing; name it after the files (- for standard input)")
    })?;
    if !args.compare.is_empty() && is_configuration(last) {
        let name = shown(last);
        return Err(CliError::new(format!(
            "{name} is a configuration; the recording is missing, name it after the files (- for standard input)"
        )));
    }
    Ok(last)
}

/// Whether a file has the name of a configuration and parses as one.
fn is_configuration(path: &Path) -> bool {
    let is_named_so = path.extension().is_some_and(|extension| extension == "toml");
    let is_small = || fs::metadata(path).is_ok_and(|data| data.is_file() && data.len() <= MAX_FILE_BYTES);
    is_named_so && is_small() && fs::read_to_string(path).is_ok_and(|text| text.parse::<toml::Table>().is_ok())
}
