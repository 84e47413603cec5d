//! The settings of a breaker, and where each of them comes from.

use std::fmt;

use tripline_runtime::BreakerName;

/// One breaker with all its settings.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolvedBreaker {
    /// Its name.
    pub name: BreakerName,
    /// Every key that a breaker can have of its own, in the order of the reference.
    pub settings: Vec<ResolvedSetting>,
}

/// One setting of a breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ResolvedSetting {
    /// The key, e.g. `wait_time` or `alerts.team`.
    pub key: String,
    /// The value as TOML; `None` where it is not set.
    pub value: Option<String>,
    /// Where the value comes from.
    pub origin: Origin,
}

/// Where a setting comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// It is set nowhere.
    Default,
    /// A line of the file.
    File {
        /// The key as it stands there, with its table, e.g. `templates.slow.wait_time`.
        written: String,
        /// The line, from 1.
        line: usize,
    },
}

/// `default`, or `line 7, templates.slow.wait_time`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { written, line } => write!(f, "line {line}, {written}"),
        }
    }
}
