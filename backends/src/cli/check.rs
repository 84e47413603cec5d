//! `tripline check`

use std::path::Path;

use super::{CliError, print_line};
use crate::app::{bearer_token, token_file_warning};
use crate::config::{WarningKind, left_to_environment, load};

/// Prints the warnings in the order of the lines, then those about the file as a whole. All problems together are the
/// error; unknown keys are problems unless `lenient`. The environment is not read.
pub(super) fn check(path: &Path, lenient: bool) -> Result<(), CliError> {
    let (config, mut warnings) = load(path).map_err(|errors| CliError::with_config(&errors))?;
    let file = path.display().to_string();
    // Those without a line are at the end.
    warnings.sort_by_key(|warning| warning.line.unwrap_or(usize::MAX));
    warnings.extend(left_to_environment(&config, &file));
    let (unknown, warnings): (Vec<_>, Vec<_>) =
        warnings.into_iter().partition(|warning| warning.kind == WarningKind::UnknownKey && !lenient);
    for warning in &warnings {
        print_line(format!("warning: {warning}"));
    }
    if let Some(warning) = token_file_warning(&config.http) {
        print_line(format!("warning: {file}: {warning}"));
    }
    if let Err(error) = bearer_token(&config.http) {
        print_line(format!(
            "warning: {file}: {error}; `tripline serve` starts only where the environment's TRIPLINE_TOKEN holds a token"
        ));
    }
    if !unknown.is_empty() {
        let lines = unknown.iter().map(|unknown| format!("{unknown} (--lenient accepts unknown keys)"));
        return Err(CliError::new(lines.collect::<Vec<_>>().join("\n")));
    }
    print_line(format!("{file}: valid"));
    Ok(())
}
