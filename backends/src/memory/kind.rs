//! The names of the memory sources.

use std::fmt;
use std::str::FromStr;

/// Which memory source to use: the configuration's `memory_source`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum MemorySourceKind {
    /// `cgroup` if a limit exists, otherwise `sysinfo`.
    #[default]
    Auto,
    /// The control group of this process.
    Cgroup,
    /// The whole machine.
    Sysinfo,
    /// A value that can be set, for tests and demonstrations.
    Mock,
}

impl MemorySourceKind {
    /// All sources, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Auto, Self::Cgroup, Self::Sysinfo, Self::Mock];

    /// The name in configuration and status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Cgroup => "cgroup",
            Self::Sysinfo => "sysinfo",
            Self::Mock => "mock",
        }
    }
}

impl fmt::Display for MemorySourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MemorySourceKind {
    type Err = UnknownMemorySource;

    fn from_str(name: &str) -> Result<Self, UnknownMemorySource> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| UnknownMemorySource { found: name.to_owned() })
    }
}

/// Error: no memory source has this name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownMemorySource {
    /// The unknown name.
    pub found: String,
}

impl fmt::Display for UnknownMemorySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unknown memory source {:?}, allowed are", self.found)?;
        for (i, kind) in MemorySourceKind::ALL.into_iter().enumerate() {
            write!(f, "{} \"{kind}\"", if i == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl std::error::Error for UnknownMemorySource {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back_as_its_kind() {
        for kind in MemorySourceKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        assert_eq!("auto".parse(), Ok(MemorySourceKind::default()));
    }

    #[test]
    fn an_unknown_name_is_rejected_with_all_allowed_ones() {
        let error = "cgroups".parse::<MemorySourceKind>().unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"unknown memory source "cgroups", allowed are "auto", "cgroup", "sysinfo", "mock""#
        );
        assert!("Auto".parse::<MemorySourceKind>().is_err());
    }
}
