//! The address of a server.

use std::fmt;

use redis::Client;
use url::Url;

/// The error of an address that a fleet cannot use. It never quotes the address.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisUrlError {
    /// The address cannot be read.
    Unreadable {
        /// The reason.
        reason: String,
    },
    /// The address names several servers.
    Unsupported {
        /// The unsupported kind of address.
        what: &'static str,
    },
}

impl fmt::Display for RedisUrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const ALLOWED: &str = "redis://[user:password@]host[:port][/number], or rediss:// for TLS";
        match self {
            Self::Unreadable { reason } => write!(f, "not an address of Redis: {reason}; allowed: {ALLOWED}"),
            Self::Unsupported { what } => {
                write!(
                    f,
                    "{what} is not supported: name one server, or a proxy that follows the primary; allowed: {ALLOWED}"
                )
            }
        }
    }
}

impl std::error::Error for RedisUrlError {}

/// Creates a client for the address. Does not connect yet.
pub(super) fn client(address: &str) -> Result<Client, RedisUrlError> {
    let unreadable = |reason: &str| RedisUrlError::Unreadable { reason: reason.to_owned() };
    let (scheme, rest) = address.split_once("://").ok_or_else(|| unreadable("it has no scheme"))?;
    if scheme.contains("sentinel") {
        return Err(RedisUrlError::Unsupported { what: "Redis Sentinel" });
    }
    if scheme.contains("cluster") {
        return Err(RedisUrlError::Unsupported { what: "Redis Cluster" });
    }
    let host = rest.split(['/', '?']).next().unwrap_or_default();
    if host.rsplit('@').next().is_some_and(|host| host.contains(',')) {
        return Err(RedisUrlError::Unsupported { what: "a list of servers (Redis Sentinel or Cluster)" });
    }
    if !matches!(scheme, "redis" | "rediss" | "valkey" | "valkeys") {
        return Err(unreadable("another scheme"));
    }
    let url = Url::parse(address).map_err(|error| unreadable(&error.to_string()))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(unreadable("it has no host"));
    }
    // The error text of the client may quote the address.
    Client::open(url).map_err(|error| unreadable(error.detail().unwrap_or("the number of the database, or the host")))
}

/// Returns the password in the address; empty if there is none.
pub(super) fn password(address: &str) -> String {
    Url::parse(address).ok().and_then(|url| url.password().map(str::to_owned)).unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_supported_is_named_and_the_address_is_not_quoted() {
        let error = |address: &str| client(address).map(|_| ()).unwrap_err().to_string();
        assert!(error("redis+sentinel://:s3cret@a:1,b:2/mymaster").starts_with("Redis Sentinel is not supported"));
        assert!(error("redis-cluster://a:1").starts_with("Redis Cluster is not supported"));
        assert!(error("redis://:s3cret@a:1,b:2").contains("a list of servers"));
        for address in ["", "redis", "http://:s3cret@a", "redis://", "redis://u:s3cret@a:b", "redis://:s3cret@a/x"] {
            let text = error(address);
            assert!(text.starts_with("not an address of Redis") && !text.contains("s3cret"), "{address}: {text}");
        }
    }

    #[test]
    fn one_server_with_or_without_tls_user_password_and_number_is_fine() {
        for address in ["redis://a", "rediss://user:s3cret@a:6380/3", "valkey://[::1]:7", "valkeys://:s3cret@a"] {
            assert!(client(address).is_ok(), "{address}");
        }
        assert_eq!(password("rediss://user:s3cret@a:6380/3"), "s3cret");
    }
}
