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

    /// Whether the host of a call is asked for.
    pub(super) fn is_by_host(&self) -> bool {
        self.by() == Some(GroupBy::Host)
    }

    fn by(&self) -> Option<GroupBy> {
        self.group.as_ref().map(|(by, _)| *by).or(self.counts.as_ref().map(|(by, _)| *by))
    }

    /// Counts every call that is replayed by its group.
    pub(super) fn counted(self, by: GroupBy, counts: GroupCounts) -> Self {
        Self { counts: Some((by, counts)), ..self }
    }

    /// Whether every path is replayed.
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty() && self.group.is_none() && self.counts.is_none()
    }

    /// Whether calls of this path are replayed; those of a host only where there is no such group.
    pub fn admits(&self, path: &[u8]) -> bool {
        self.selects(Some(path), None)
    }

    /// Whether calls without a path are replayed: unless only some paths are.
    pub fn admits_no_path(&self) -> bool {
        self.selects(None, None)
    }

    /// Whether a call with this path and this host is replayed.
    pub(super) fn selects(&self, path: Option<&[u8]>, host: Option<&[u8]>) -> bool {
        let part = |by: &GroupBy| if *by == GroupBy::Host { host } else { path };
        let is_selected = path.map_or_else(|| self.patterns.select_no_path(), |path| self.patterns.select(path))
            && self.group.as_ref().is_none_or(|(by, key)| part(by).is_some_and(|text| by.key(text) == **key));
        if let Some((by, counts)) = self.counts.as_ref().filter(|_| is_selected)
            && let Some(text) = part(by)
        {
            counts.count(by.key(text));
        }
        is_selected
    }

    /// Whether a call lacks a part that decides whether it is replayed.
    pub(super) fn lacks_part(&self, path: Option<&[u8]>, host: Option<&[u8]>) -> bool {
        path.is_none() && (!self.patterns.is_empty() || matches!(self.by(), Some(GroupBy::PathSegment(_))))
            || host.is_none() && self.is_by_host()
    }
}

/// The path of a request line (`GET /a?b HTTP/1.1`), of a URL or of a path; without scheme and host.
pub(super) fn path_of(request: &[u8]) -> &[u8] {
    let target = target_of(request);
    let Some(after_scheme) = after_scheme(target) else { return target };
    match after_scheme.iter().position(|&byte| byte == b'/') {
        Some(slash) => after_scheme.get(slash..).unwrap_or_default(),
        None => b"/",
    }
}

/// The host, with its port, of a request line whose target is a URL, or of a URL.
pub(super) fn host_of(request: &[u8]) -> Option<&[u8]> {
    let authority = after_scheme(target_of(request))?.split(|byte| matches!(byte, b'/' | b'?')).next()?;
    authority.rsplit(|&byte| byte == b'@').next().filter(|host| !host.is_empty())
}

fn target_of(request: &[u8]) -> &[u8] {
    let mut words = request.split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    match (words.next(), words.next()) {
        (Some(_method), Some(target)) => target,
        (target, _) => target.unwrap_or_default(),
    }
}

/// What follows `://`; `None` for a path, which may have a URL in its query.
fn after_scheme(target: &[u8]) -> Option<&[u8]> {
    let at = target.windows(3).position(|part| part == b"://").filter(|_| !target.starts_with(b"/"))?;
    target.get(at + 3..)
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
            ("GET /a?to=http://b/c HTTP/1.1", "/a?to=http://b/c"),
            ("", ""),
        ] {
            assert_eq!(path_of(request.as_bytes()), path.as_bytes(), "{request}");
        }
    }
}
