//! The name of a breaker in every event, alert and metric label.

use std::fmt;

use crate::sync::Arc;

/// A valid name: 1 to 64 of the characters `a-z A-Z 0-9 . _ -`. It fits unescaped into labels, paths and aliases.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "String", into = "String"))]
pub struct BreakerName(Arc<str>);

impl BreakerName {
    /// The rule of [`BreakerName::new`], for messages.
    pub const ALLOWED: &'static str = "1 to 64 characters of a-z A-Z 0-9 . _ -, and not . or ..";

    /// Creates a valid name.
    ///
    /// # Errors
    /// [`InvalidName`] for anything else.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
        if (1..=64).contains(&name.len()) && name.chars().all(allowed) && name != "." && name != ".." {
            Ok(Self(name.into()))
        } else {
            Err(InvalidName { name: name.chars().take(80).collect() })
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BreakerName {
    type Error = InvalidName;

    fn try_from(name: String) -> Result<Self, InvalidName> {
        Self::new(&name)
    }
}

impl std::str::FromStr for BreakerName {
    type Err = InvalidName;

    fn from_str(name: &str) -> Result<Self, InvalidName> {
        Self::new(name)
    }
}

impl From<BreakerName> for String {
    fn from(name: BreakerName) -> Self {
        name.as_str().to_owned()
    }
}

impl std::borrow::Borrow<str> for BreakerName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Default for BreakerName {
    /// `"default"`.
    fn default() -> Self {
        Self("default".into())
    }
}

impl fmt::Display for BreakerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returned for an invalid breaker name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    name: String,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "breaker name {:?} is not valid; allowed: {}", self.name, BreakerName::ALLOWED)
    }
}

impl std::error::Error for InvalidName {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_safe_in_paths_and_labels() {
        assert!(BreakerName::new("payments.v2_eu-1").is_ok());
        for bad in ["", "a b", "a/b", "..", ".", "ü", "a\"b", &"x".repeat(65)] {
            assert!(BreakerName::new(bad).is_err(), "{bad:?}");
        }
    }
}
