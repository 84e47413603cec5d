//! The upstream of a request.

use std::io;
use std::sync::Arc;

use http::Method;

use super::guard::Guard;
use super::upstream::Upstream;
use crate::config::{self, Measure, RejectedAnswer};

/// The routing table; replaced as a whole when the configuration changes.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) routes: Vec<Arc<Route>>,
    pub(super) upstreams: Vec<Arc<Upstream>>,
}

/// An entry of the table.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) host: Option<String>,
    pub(super) path: Option<String>,
    pub(super) methods: Vec<Method>,
    pub(super) upstream: Arc<Upstream>,
    pub(super) guard: Guard,
    pub(super) measure: Measure,
    pub(super) rejected: Option<RejectedAnswer>,
    pub(super) fallback: Option<Arc<Upstream>>,
}

impl Table {
    /// Iterates over all upstreams.
    pub(super) fn upstreams(&self) -> &[Arc<Upstream>] {
        &self.upstreams
    }

    /// Returns the upstream with exactly these settings and certificates.
    ///
    /// # Errors
    /// An error if a certificate cannot be read.
    pub(super) fn upstream(&self, settings: &config::Upstream) -> io::Result<Option<Arc<Upstream>>> {
        match self.upstreams.iter().find(|upstream| upstream.settings.name == settings.name) {
            Some(upstream) if upstream.is_still(settings)? => Ok(Some(upstream.clone())),
            _ => Ok(None),
        }
    }

    /// Returns the first matching route. O(n).
    pub(super) fn find(&self, host: &str, path: &str, method: &Method) -> Option<&Arc<Route>> {
        self.routes.iter().find(|route| {
            route.host.as_ref().is_none_or(|wanted| wanted == host)
                && route.path.as_ref().is_none_or(|prefix| is_below(path, prefix))
                && (route.methods.is_empty() || route.methods.contains(method))
        })
    }
}

/// Whether `path` begins with `prefix`, ending at a segment boundary.
fn is_below(path: &str, prefix: &str) -> bool {
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_prefix_ends_at_a_border_between_segments() {
        for (path, prefix, is) in [
            ("/a", "/a", true),
            ("/a/", "/a", true),
            ("/a/b", "/a", true),
            ("/ab", "/a", false),
            ("/a", "/a/", true),
            ("/", "/", true),
            ("/x", "/", true),
            ("/A", "/a", false),
            ("/%61", "/a", false),
            ("*", "/a", false),
        ] {
            assert_eq!(is_below(path, prefix), is, "{path} {prefix}");
        }
    }

    proptest! {
        /// Against a comparison of segments.
        #[test]
        fn a_prefix_is_compared_by_segments(path in "(/[ab]{0,2}){1,4}", prefix in "(/[ab]{1,2}){1,3}") {
            let segments = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
            let model = segments(&path).starts_with(&segments(&prefix));
            prop_assert_eq!(is_below(&path, &prefix), model);
        }
    }
}
