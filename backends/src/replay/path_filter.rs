//! Calls that are left out by the path of their request.

use super::grouping::{GroupBy, GroupCounts};
use crate::text::PathPatterns;

/// Selects the calls that are replayed, by [`PathPatterns`].
///
/// ```
/// use tripline_backends::replay::{PathFilter, PathPatterns};
///
/// let filter = PathFilter::new(PathPatterns::new(["/api/*"], ["*/poll"]));
/// assert!(filter.admits(b"/api/users?page=2"));
/// assert!(!filter.admits(b"/api/users/poll"));
/// assert!(!filter.admits(b"/health"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathFilter {
    patterns: PathPatterns,
    /// Only the calls of this group.
    group: Option<(GroupBy, Box<[u8]>)>,
    /// Counts the calls of each group.
    counts: Option<(GroupBy, GroupCounts)>,
}

impl PathFilter {
    /// A filter with these patterns.
    pub fn new(patterns: PathPatterns) -> Self {
        Self { patterns, group: None, counts: None }
    }

    /// Only the calls of the group with this key.
    #[must_use]
    pub fn of_group(self, by: GroupBy, key: &[u8]) -> Self {
        Self { group: Some((by, key.into())), ..self }
    }

    /// Whether it is the host of a call, in place of its path, that decides.
    pub(super) fn is_by_host(&self) -> bool {
        let by = self.group.as_ref().map(|(by, _)| by).or_else(|| self.counts.as_ref().map(|(by, _)| by));
        by == Some(&GroupBy::Host)
    }

    /// Counts every call that is replayed by its group.
    pub(super) fn counted(self, by: GroupBy, counts: GroupCounts) -> Self {
        Self { counts: Some((by, counts)), ..self }
    }

    /// Whether every path is replayed.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.group.is_none() && self.counts.is_none()
    }

    /// Whether calls of this path are replayed.
    pub fn admits(&self, path: &[u8]) -> bool {
        let is_admitted =
            self.patterns.select(path) && self.group.as_ref().is_none_or(|(by, key)| by.key(path) == key.as_ref());
        if let Some((by, counts)) = self.counts.as_ref().filter(|_| is_admitted) {
            counts.count(by.key(path));
        }
        is_admitted
    }

    /// Whether calls without a path are replayed: unless only some paths are.
    pub fn admits_no_path(&self) -> bool {
        self.patterns.select_no_path() && self.group.is_none()
    }
}

/// The path of a request line (`GET /a?b HTTP/1.1`), of a URL or of a path; without scheme and host.
pub(super) fn path_of(request: &[u8]) -> &[u8] {
    let mut words = request.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    let target = match (words.next(), words.next()) {
        (Some(_method), Some(target)) => target,
        (target, _) => target.unwrap_or_default(),
    };
    let Some(after_scheme) = target.windows(3).position(|part| part == b"://").and_then(|at| target.get(at + 3..))
    else {
        return target;
    };
    match after_scheme.iter().position(|&byte| byte == b'/') {
        Some(slash) => after_scheme.get(slash..).unwrap_or_default(),
        None => b"/",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_found_in_requests_and_urls() {
        for (request, path) in [
            ("GET /a?b HTTP/1.1", "/a?b"),
            ("/a", "/a"),
            ("GET http://h:80/a/b HTTP/1.1", "/a/b"),
            ("https://h", "/"),
            ("", ""),
        ] {
            assert_eq!(path_of(request.as_bytes()), path.as_bytes(), "{request}");
        }
    }
}
