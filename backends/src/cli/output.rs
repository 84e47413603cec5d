//! What the commands print, and the error that ends one.

use std::fmt::{self, Display};
use std::io::{self, Write as _};

use crate::config::ConfigErrors;

/// Prints a line to standard output. A reader that is gone is no reason to fail.
pub(super) fn print_line(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Prints a line to standard error, in the same way.
pub(super) fn eprint_line(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}

/// Why a command failed: the text says what is wrong, where and what is allowed.
#[derive(Debug)]
pub(super) struct CliError(String);

impl Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CliError {
    pub(super) fn new(text: impl Display) -> Self {
        Self(text.to_string())
    }

    /// Every problem of a configuration, and its unknown keys, one of which may be the cause.
    pub(super) fn with_config(errors: &ConfigErrors) -> Self {
        let problems = errors.problems().iter().map(ToString::to_string);
        let warnings = errors.warnings().iter().map(|warning| format!("warning: {warning}"));
        Self(problems.chain(warnings).collect::<Vec<_>>().join("\n"))
    }

    /// `error`, which happened in the operation `what`.
    pub(super) fn during(what: impl Display, error: impl Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}
