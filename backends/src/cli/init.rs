//! `tripline init`

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::output::{CliError, print_line};
use crate::config::recommended;
use crate::text::shown;

/// Writes the recommended configuration. An existing file is not overwritten.
pub(super) fn init(path: &Path) -> Result<(), CliError> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => {
            CliError::during(shown(path), "the file exists and is not overwritten; name another file")
        }
        ErrorKind::NotFound => CliError::during(shown(path), "its folder does not exist; create it first"),
        _ => CliError::during(shown(path), error),
    })?;
    if let Err(error) = file.write_all(recommended().as_bytes()).and_then(|()| file.sync_all()) {
        // A partial configuration is worse than none, and would block the next attempt.
        let _ = fs::remove_file(path);
        return Err(CliError::during(shown(path), error));
    }
    print_line(format!("wrote {}", shown(path)));
    Ok(())
}
