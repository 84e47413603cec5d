//! `tripline check`

use std::path::Path;

use super::{CliError, print_line};
use crate::app::bearer_token;
use crate::config::{left_to_environment, load};

/// Prints the warnings in the order of the lines, then what concerns the file as a whole; all problems together are the
/// failure. The environment is not looked at.
pub(super) fn check(path: &Path) -> Result<(), CliError> {
    let (config, mut warnings) = load(path).map_err(|errors| CliError::with_config(&errors))?;
    let file = path.display().to_string();
    // Those without a line are at the end.
    warnings.sort_by_key(|warning| warning.line.unwrap_or(usize::MAX));
    warnings.extend(left_to_environment(&config, &file));
    for warning in &warnings {
        print_line(format!("warning: {warning}"));
    }
    if let Err(error) = bearer_token(&config.http) {
        print_line(format!(
            "warning: {file}: {error}; `tripline serve` starts only where the environment's TRIPLINE_TOKEN holds a token"
        ));
    }
    print_line(format!("{file}: valid"));
    Ok(())
}
