//! `tripline check`

use std::fmt::Write as _;
use std::path::Path;

use super::{CliError, print_line};
use crate::app::{bearer_token, token_file_warning};
use crate::config::{ResolvedBreaker, WarningKind, left_to_environment, load, load_resolved, shared_alert_warning};
use crate::text::shown;

/// Checks a configuration file. Prints the warnings in the order of the lines, followed by those about the file as a
/// whole. The error contains all problems; unknown keys are problems unless `lenient`. The environment is not read.
pub(super) fn check(path: &Path, lenient: bool, resolved: bool) -> Result<(), CliError> {
    let (config, mut warnings) = load(path).map_err(|errors| CliError::with_config(&errors))?;
    let file = shown(path);
    // Warnings without a line come last.
    warnings.sort_by_key(|warning| warning.line.unwrap_or(usize::MAX));
    warnings.extend(left_to_environment(&config, &file));
    let (unknown, warnings): (Vec<_>, Vec<_>) =
        warnings.into_iter().partition(|warning| warning.kind == WarningKind::UnknownKey && !lenient);
    for warning in &warnings {
        print_line(format!("warning: {warning}"));
    }
    if let Some(warning) = shared_alert_warning(&config) {
        print_line(format!("warning: {file}: {warning}"));
    }
    if let Some(warning) = token_file_warning(&config.http) {
        print_line(format!("warning: {file}: {warning}"));
    }
    if let Err(error) = bearer_token(&config.http) {
        print_line(format!(
            "warning: {file}: {error}; `tripline serve` starts only if the environment's TRIPLINE_TOKEN holds a token"
        ));
    }
    if !unknown.is_empty() {
        let lines = unknown.iter().map(|unknown| format!("{unknown} (--lenient accepts unknown keys)"));
        return Err(CliError::new(lines.collect::<Vec<_>>().join("\n")));
    }
    if resolved {
        for breaker in load_resolved(path).map_err(|errors| CliError::with_config(&errors))? {
            print_line(text_of(&breaker));
        }
    }
    print_line(format!("{file}: valid"));
    Ok(())
}

/// The settings of a breaker as its table in a file would set them, each with its origin.
fn text_of(breaker: &ResolvedBreaker) -> String {
    let mut text = format!("[breakers.{}]", breaker.name);
    for setting in &breaker.settings {
        // A key without a value is shown as a comment, so that the text is a valid configuration.
        let line = match &setting.value {
            Some(value) => format!("{} = {value}", setting.key),
            None => format!("# {} is not set", setting.key),
        };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "\n{line:<48} # {}", setting.origin);
    }
    text.push('\n');
    text
}
