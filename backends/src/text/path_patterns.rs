//! Patterns that select calls by the path of their request.

use super::{matches_glob_bytes, without_query};

/// Selects paths that match one of `include` (all, if it is empty) and none of `exclude`.
///
/// In a pattern `*` matches any text, including slashes, and `?` one byte. A path is compared without its query and as sent: it
/// is not percent-decoded.
///
/// ```
/// # #[cfg(feature = "tower")] {
/// use tripline_backends::tower::PathPatterns;
///
/// let patterns = PathPatterns::new(["/api/*"], ["*/poll"]);
/// assert!(patterns.select(b"/api/users?page=2"));
/// assert!(!patterns.select(b"/api/users/poll"));
/// assert!(!patterns.select(b"/health"));
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathPatterns {
    include: Box<[Box<[u8]>]>,
    exclude: Box<[Box<[u8]>]>,
}

impl PathPatterns {
    /// Creates the selection of these patterns.
    pub fn new<I: Into<String>, E: Into<String>>(
        include: impl IntoIterator<Item = I>,
        exclude: impl IntoIterator<Item = E>,
    ) -> Self {
        Self {
            include: include.into_iter().map(|pattern| pattern.into().into_bytes().into()).collect(),
            exclude: exclude.into_iter().map(|pattern| pattern.into().into_bytes().into()).collect(),
        }
    }

    /// Whether there are no patterns, so that every path is selected.
    pub fn is_empty(&self) -> bool {
        self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether calls with this path are selected. O(length × patterns).
    pub fn select(&self, path: &[u8]) -> bool {
        let path = without_query(path);
        let matches = |patterns: &[Box<[u8]>]| patterns.iter().any(|pattern| matches_glob_bytes(pattern, path));
        (self.include.is_empty() || matches(&self.include)) && !matches(&self.exclude)
    }

    /// Whether calls without a path are selected: yes, unless `include` has a pattern.
    pub fn select_no_path(&self) -> bool {
        self.include.is_empty()
    }
}
