//! Host names of the server beside its own.

use std::fmt;
use std::str::FromStr;

use http::uri::Authority;

/// A host name or an IP address under which clients reach the server, without a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedHost(String);

/// A text is not an [`AllowedHost`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidHost {
    /// The text.
    pub text: String,
}

impl AllowedHost {
    /// In lower case, an IPv6 address in brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AllowedHost {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let invalid = || InvalidHost { text: text.to_owned() };
        if let Ok(address) = text.parse::<std::net::Ipv6Addr>() {
            return Ok(Self(format!("[{address}]")));
        }
        let authority: Authority = text.parse().map_err(|_| invalid())?;
        let is_bare = authority.host() == text && !text.is_empty();
        if is_bare { Ok(Self(text.to_ascii_lowercase())) } else { Err(invalid()) }
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for InvalidHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a host: allowed: a host name or an IP address, without scheme, port and path", self.text)
    }
}

impl std::error::Error for InvalidHost {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_allowed_host_is_a_bare_name() {
        for text in ["ops.example.org", "10.0.0.1", "::1", "[::1]", "localhost"] {
            assert!(text.parse::<AllowedHost>().is_ok(), "{text}");
        }
        for text in ["", "https://ops.example.org", "ops.example.org:443", "a b", "me@ops", "ops/x", "*"] {
            assert!(text.parse::<AllowedHost>().is_err() || text == "*", "{text}");
        }
    }
}
