//! `tripline init`

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::{Failure, say};
use crate::config::recommended;

/// Writes the recommended configuration; an existing file is left alone.
pub(super) fn init(path: &Path) -> Result<(), Failure> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::during(path.display(), "it exists and is left alone; name another file"),
        _ => Failure::during(path.display(), error),
    })?;
    file.write_all(recommended().as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(|error| Failure::during(path.display(), error))?;
    say(format!("wrote {}", path.display()));
    Ok(())
}
