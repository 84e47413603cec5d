//! The settings of a family: a breaker for each key.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tripline_runtime::FamilyLimits;

/// Segments of a path that a key can be, at most.
const MAX_SEGMENT: u8 = 16;
/// Longest name of a header, in bytes.
const MAX_HEADER_BYTES: usize = 64;

/// What the key of a call is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeySource {
    /// The value of the header of this name, in lower case: `"header:x-tenant"`.
    Header(String),
    /// The host that the request is for: `"host"`.
    Host,
    /// This segment of the path, from 1, percent-decoded: `"path:1"`.
    PathSegment(u8),
    /// The program gives it: `"caller"`.
    Caller,
}

impl KeySource {
    /// What [`KeySource::from_str`] takes, for messages.
    pub const ALLOWED: &'static str = "\"header:NAME\", \"host\", \"path:N\" with N from 1 to 16, or \"caller\"";
}

/// A text that says no key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidKeySource;

impl fmt::Display for InvalidKeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allowed: {}", KeySource::ALLOWED)
    }
}

impl std::error::Error for InvalidKeySource {}

impl FromStr for KeySource {
    type Err = InvalidKeySource;

    fn from_str(text: &str) -> Result<Self, InvalidKeySource> {
        match text.split_once(':') {
            None if text == "host" => Ok(Self::Host),
            None if text == "caller" => Ok(Self::Caller),
            Some(("header", name)) if is_header_name(name) => Ok(Self::Header(name.to_ascii_lowercase())),
            Some(("path", segment)) if segment.bytes().all(|byte| byte.is_ascii_digit()) => {
                let segment = segment.parse().ok().filter(|segment| (1..=MAX_SEGMENT).contains(segment));
                segment.map(Self::PathSegment).ok_or(InvalidKeySource)
            }
            _ => Err(InvalidKeySource),
        }
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Host => f.write_str("host"),
            Self::PathSegment(segment) => write!(f, "path:{segment}"),
            Self::Caller => f.write_str("caller"),
        }
    }
}

/// A token of RFC 9110.
fn is_header_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (1..=MAX_HEADER_BYTES).contains(&name.len()) && name.bytes().all(is_token)
}

/// The settings of a family, `key`, `max_keys`, … of `[breakers.NAME]`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FamilyConfig {
    /// What the key of a call is; `None` for a single breaker. Default: none.
    pub key: Option<KeySource>,
    /// Members at most. Default: 1,000.
    pub max_keys: u32,
    /// A member that was unused for this long is removed. Default: 10 minutes.
    pub idle_time: Duration,
    /// Members that have metrics of their own. Default: 20.
    pub metrics_keys: u16,
    /// Whether each member has incidents and alerts of its own, `alerts.per_key`. Default: false, one incident for all.
    pub alerts_per_key: bool,
}

impl Default for FamilyConfig {
    fn default() -> Self {
        let limits = FamilyLimits::default();
        Self {
            key: None,
            max_keys: u32::try_from(limits.max_keys).unwrap_or(u32::MAX),
            idle_time: limits.idle_time,
            metrics_keys: 20,
            alerts_per_key: false,
        }
    }
}

impl FamilyConfig {
    /// The limits of the runtime's family.
    pub fn limits(&self) -> FamilyLimits {
        let max_keys = usize::try_from(self.max_keys).unwrap_or(usize::MAX);
        FamilyLimits::default().max_keys(max_keys).idle_time(self.idle_time)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_source_reads_back_as_it_is_written() {
        for text in ["header:x-tenant", "host", "path:1", "path:16", "caller"] {
            assert_eq!(text.parse::<KeySource>().unwrap().to_string(), text);
        }
        assert_eq!("header:X-Tenant".parse(), Ok(KeySource::Header("x-tenant".into())));
        for text in ["", "header", "header:", "header:a b", "path:0", "path:17", "path:+1", "path:", "Host", "cookie:x"]
        {
            assert_eq!(text.parse::<KeySource>(), Err(InvalidKeySource), "{text:?}");
        }
    }
}
