//! The output of the commands, and the error that ends a command.

use std::fmt::{self, Display};
use std::io::{self, Write as _};

use crate::config::ConfigErrors;
use crate::text::escape;

/// Writes a line to standard output with its control characters escaped. A closed output is not a failure.
pub(crate) fn print_line(line: impl Display) {
    let _ = writeln!(io::stdout(), "{}", escape::lines(&line.to_string()));
}

/// Writes a line with colour sequences; its text must already be escaped.
pub(crate) fn print_styled(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

/// Writes a line to standard error with its control characters escaped.
pub(crate) fn eprint_line(line: impl Display) {
    let _ = writeln!(io::stderr(), "{}", escape::lines(&line.to_string()));
}

/// Why a command failed: what is wrong, where, and what is allowed.
#[derive(Debug)]
pub(crate) struct CliError(String);

impl Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl CliError {
    pub(crate) fn new(text: impl Display) -> Self {
        Self(text.to_string())
    }

    /// Every problem of a configuration, and its unknown keys, one of which may be the cause.
    pub(crate) fn with_config(errors: &ConfigErrors) -> Self {
        let problems = errors.problems().iter().map(ToString::to_string);
        let warnings = errors.warnings().iter().map(|warning| format!("warning: {warning}"));
        Self(problems.chain(warnings).collect::<Vec<_>>().join("\n"))
    }

    /// Creates the error for a failure of `what`.
    pub(crate) fn during(what: impl Display, error: impl Display) -> Self {
        Self(format!("{what}: {error}"))
    }
}
