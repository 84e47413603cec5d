//! `tripline check`

use std::path::Path;

use super::Failure;
use crate::config::load;

/// Prints the warnings; all problems together are the failure.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let (_, warnings) = load(path).map_err(Failure::new)?;
    for warning in &warnings {
        println!("{warning}");
    }
    println!("{}: valid", path.display());
    Ok(())
}
