//! Problems and warnings: what is wrong, where, and what is allowed.

use std::fmt;

/// One thing that keeps a configuration from being used.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The file, or `environment`.
    pub file: String,
    /// Line in the file, from 1; `None` where there is none.
    pub line: Option<usize>,
    /// Column in characters, from 1; `None` where there is no line.
    pub column: Option<usize>,
    /// The key with its section, e.g. `opsgenie.priority`, or the environment variable; empty where it is the whole
    /// file.
    pub key: String,
    /// The value as it was given, shortened to one short line; `***` for a secret; `None` where there is none.
    pub value: Option<String>,
    /// The allowed values, or the problem.
    pub reason: Reason,
}

/// Why something is a [`Problem`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// The value is not one of these.
    Allowed(String),
    /// Anything else, in words.
    Because(String),
}

impl Problem {
    /// The allowed values, where the problem is a value.
    pub fn allowed(&self) -> Option<&str> {
        match &self.reason {
            Reason::Allowed(allowed) => Some(allowed),
            Reason::Because(_) => None,
        }
    }
}

/// `breakers.toml:7: latency_threshold = -5: allowed: 1 to 4294967 (milliseconds)`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.line, &self.key)?;
        if let Some(value) = &self.value {
            write!(f, " = {value}")?;
        }
        match &self.reason {
            Reason::Allowed(allowed) => write!(f, ": allowed: {allowed}"),
            Reason::Because(words) => write!(f, ": {words}"),
        }
    }
}

/// A setting that is allowed and probably a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The file, or `environment`.
    pub file: String,
    /// Line in the file, from 1; `None` where there is none.
    pub line: Option<usize>,
    /// The key with its section.
    pub key: String,
    /// The doubt, and its remedy.
    pub message: String,
    /// The subject of the warning.
    pub kind: WarningKind,
}

/// The subject of a [`Warning`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WarningKind {
    /// A key that does not exist, and is ignored.
    UnknownKey,
    /// A setting that is allowed and probably a mistake, or one that is missing.
    Unlikely,
    /// A breaker that a route names and the file does not describe; it has the settings of the top of the file.
    Created,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.line, &self.key)?;
        write!(f, ": {}", self.message)
    }
}

fn write_place(f: &mut fmt::Formatter<'_>, file: &str, line: Option<usize>, key: &str) -> fmt::Result {
    f.write_str(file)?;
    if let Some(line) = line {
        write!(f, ":{line}")?;
    }
    if key.is_empty() { Ok(()) } else { write!(f, ": {key}") }
}

/// Every problem of a configuration, in the order of the lines; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

impl ConfigErrors {
    /// `None` where there is no problem.
    pub(crate) fn of(mut problems: Vec<Problem>) -> Option<Self> {
        problems.sort_by_key(|problem| (problem.line, problem.column));
        (!problems.is_empty()).then_some(Self { problems, warnings: Vec::new() })
    }

    pub(crate) fn one(problem: Problem) -> Self {
        Self { problems: vec![problem], warnings: Vec::new() }
    }

    /// A problem with a file as a whole.
    pub(crate) fn with_file(file: &str, words: impl Into<String>) -> Self {
        let reason = Reason::Because(words.into());
        Self::one(Problem { file: file.into(), line: None, column: None, key: String::new(), value: None, reason })
    }

    pub(crate) fn with_warnings(self, warnings: Vec<Warning>) -> Self {
        Self { warnings, ..self }
    }

    /// The problems.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Unknown keys that were found beside the problems: often a misspelt key is why another seems wrong.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }
}

impl IntoIterator for ConfigErrors {
    type Item = Problem;
    type IntoIter = std::vec::IntoIter<Problem>;
    fn into_iter(self) -> Self::IntoIter {
        self.problems.into_iter()
    }
}

/// One problem a line.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
