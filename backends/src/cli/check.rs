//! `tripline check`

use std::path::Path;

use super::{Failure, say};
use crate::config::load;

/// Prints the warnings; all problems together are the failure.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let (_, warnings) = load(path).map_err(|errors| Failure::with_config(&errors))?;
    for warning in &warnings {
        say(warning);
    }
    say(format!("{}: valid", path.display()));
    Ok(())
}
