//! Which memory counts as used.

use std::fmt;
use std::str::FromStr;

/// Which memory counts as used: the configuration's `memory_used`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MemoryUsed {
    /// Memory that the kernel cannot reclaim: usage without clean file pages, reclaimable slab and, for the machine,
    /// the ZFS cache above its minimum. These parts count again while the kernel confirms a shortage.
    #[default]
    Unreclaimable,
    /// Usage without inactive file pages, as `kubectl top` and most container graphs show it.
    WorkingSet,
}

impl MemoryUsed {
    /// All figures, in the order of the documentation.
    pub const ALL: [Self; 2] = [Self::Unreclaimable, Self::WorkingSet];

    /// The name in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreclaimable => "unreclaimable",
            Self::WorkingSet => "working-set",
        }
    }
}

impl fmt::Display for MemoryUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MemoryUsed {
    type Err = UnknownMemoryUsed;

    fn from_str(name: &str) -> Result<Self, UnknownMemoryUsed> {
        Self::ALL
            .into_iter()
            .find(|used| used.as_str() == name)
            .ok_or_else(|| UnknownMemoryUsed { found: name.to_owned() })
    }
}

/// Error: no figure of used memory has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownMemoryUsed {
    /// The unknown name.
    pub found: String,
}

impl fmt::Display for UnknownMemoryUsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown figure of used memory {:?}, allowed are", self.found)?;
        for (i, used) in MemoryUsed::ALL.into_iter().enumerate() {
            write!(f, "{} \"{used}\"", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownMemoryUsed {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_to_its_value() {
        for used in MemoryUsed::ALL {
            assert_eq!(used.as_str().parse(), Ok(used));
        }
        let error = "rss".parse::<MemoryUsed>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"unknown figure of used memory "rss", allowed are "unreclaimable", "working-set""#
        );
    }
}
