//! Calls by route or host: `--by path:1`, `--by host`.

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::text::{path_segment, percent_decoded, without_query};

/// Groups that are counted one by one; the calls of further ones are counted together.
pub const MAX_GROUPS: usize = 10_000;
/// The deepest segment of a path that can be grouped by.
const MAX_SEGMENT: u8 = 9;
/// The longest key; a longer one is cut off.
const MAX_KEY_BYTES: usize = 64;

/// The property that calls are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupBy {
    /// A segment of the path, as in the `key` of a family: 1 is what follows the first slash. Percent-encoded bytes count as what they
    /// encode.
    PathSegment(u8),
    /// The host, without its port; case is ignored.
    Host,
}

/// The text is neither `path:N` nor `host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupByError(());

impl fmt::Display for GroupByError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allowed: path:1 to path:{MAX_SEGMENT} (a segment of the path), or host")
    }
}

impl Error for GroupByError {}

impl FromStr for GroupBy {
    type Err = GroupByError;

    fn from_str(text: &str) -> Result<Self, GroupByError> {
        if text == "host" {
            return Ok(Self::Host);
        }
        let segment = text.strip_prefix("path:").and_then(|segment| segment.parse().ok());
        segment.filter(|segment| (1..=MAX_SEGMENT).contains(segment)).map(Self::PathSegment).ok_or(GroupByError(()))
    }
}

impl fmt::Display for GroupBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PathSegment(segment) => write!(f, "path:{segment}"),
            Self::Host => f.write_str("host"),
        }
    }
}

impl GroupBy {
    /// The key of a call with this path, or with this host; empty where the path is not so deep.
    pub(super) fn key(self, text: &[u8]) -> Vec<u8> {
        let mut key = match self {
            Self::PathSegment(segment) => percent_decoded(path_segment(without_query(text), segment)),
            Self::Host => {
                let host = text.rsplit(|&byte| byte == b'@').next().unwrap_or_default();
                let port = host.iter().rposition(|&byte| byte == b':').filter(|at| !host.ends_with(b"]") && at > &0);
                host.get(..port.unwrap_or(host.len())).unwrap_or_default().to_ascii_lowercase()
            }
        };
        key.truncate(MAX_KEY_BYTES);
        key
    }
}

/// Calls of each group. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct GroupCounts(Arc<Mutex<Counts>>);

#[derive(Debug, Default)]
struct Counts {
    by_key: HashMap<Vec<u8>, u64>,
    beyond: u64,
}

impl GroupCounts {
    pub(super) fn count(&self, key: Vec<u8>) {
        // Nothing can panic while it holds the lock.
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = counts.by_key.len() >= MAX_GROUPS;
        match counts.by_key.get_mut(&key) {
            Some(count) => *count += 1,
            None if is_full => counts.beyond += 1,
            None => {
                counts.by_key.insert(key, 1);
            }
        }
    }

    /// Keys with their calls, and calls of keys that were too many.
    pub(super) fn take(&self) -> (Vec<(Vec<u8>, u64)>, u64) {
        let counts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        (counts.by_key.into_iter().collect(), counts.beyond)
    }
}

impl PartialEq for GroupCounts {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for GroupCounts {}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_decoded_and_a_host_has_no_port() {
        let of = |by: &str, text: &str| String::from_utf8(by.parse::<GroupBy>().unwrap().key(text.as_bytes())).unwrap();
        for (by, text, key) in [
            ("path:1", "/api/users?x=/y", "api"),
            ("path:2", "/api/users?x=/y", "users"),
            ("path:3", "/api/users", ""),
            ("path:1", "//api", ""),
            ("path:1", "/", ""),
            ("path:1", "/a%20b%2f%zz/c", "a b/%zz"),
            ("host", "Shop.Example:8443", "shop.example"),
            ("host", "[::1]:80", "[::1]"),
            ("host", "[::1]", "[::1]"),
            ("host", "shop.example", "shop.example"),
        ] {
            assert_eq!(of(by, text), key, "{by} of {text}");
        }
        assert_eq!(GroupBy::Host.key(&[b'x'; 100]).len(), MAX_KEY_BYTES);
        for text in ["", "path", "path:0", "path:10", "path:x", "Host", "status"] {
            assert!(text.parse::<GroupBy>().is_err(), "{text}");
        }
    }

    #[test]
    fn memory_is_bounded_however_many_groups_there_are() {
        let counts = GroupCounts::default();
        for call in 0..2 * MAX_GROUPS {
            counts.count(call.to_string().into_bytes());
            counts.count(b"0".to_vec());
        }
        let (groups, beyond) = counts.take();
        assert_eq!((groups.len(), beyond), (MAX_GROUPS, MAX_GROUPS as u64));
        assert!(groups.contains(&(b"0".to_vec(), 2 * MAX_GROUPS as u64 + 1)));
    }
}
