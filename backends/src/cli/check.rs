//! `tripline check`

use std::path::Path;

use super::{Failure, say, token};
use crate::config::{left_to_environment, load};

/// Prints the warnings in the order of the lines, then what concerns the file as a whole; all problems together are the
/// failure. The environment is not looked at.
pub(super) fn check(path: &Path) -> Result<(), Failure> {
    let (config, mut warnings) = load(path).map_err(|errors| Failure::with_config(&errors))?;
    let file = path.display().to_string();
    // Those without a line are at the end.
    warnings.sort_by_key(|warning| warning.line.unwrap_or(usize::MAX));
    warnings.extend(left_to_environment(&config, &file));
    for warning in &warnings {
        say(format!("warning: {warning}"));
    }
    if let Err(refusal) = token::of(&config.http) {
        say(format!(
            "warning: {file}: {refusal}; `tripline serve` starts only where the environment's TRIPLINE_TOKEN holds a token"
        ));
    }
    say(format!("{file}: valid"));
    Ok(())
}
