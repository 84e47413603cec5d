//! The values of an entry of `[[routes]]`.

use tripline_runtime::BreakerName;

use super::model::{Measure, RejectedAnswer};

/// Which requests go where, an entry of `[[routes]]`. The first that matches counts.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Route {
    /// The host, in lower case and without a port; `None` is any.
    pub host: Option<String>,
    /// The start of the path, up to a border between segments; `None` is any.
    pub path: Option<String>,
    /// The methods; empty is any.
    pub methods: Vec<String>,
    /// The name of the upstream.
    pub upstream: String,
    /// What guards it.
    pub guard: Guard,
    /// Up to where the latency counts. Default: the head.
    pub measure: Measure,
    /// What a rejected caller gets; `None` is an answer of the proxy's own.
    pub rejected: Option<RejectedAnswer>,
    /// The name of another upstream for rejected requests.
    pub fallback: Option<String>,
}

/// The parts of a request that routes are chosen by. A part is `None` where it is not known, as in an access log without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers give every part")]
pub struct RequestParts<'r> {
    /// The host, without a port and in any case.
    pub host: Option<&'r str>,
    /// The path, without the query.
    pub path: Option<&'r str>,
    /// The method.
    pub method: Option<&'r str>,
}

/// A part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RequestPart {
    /// The host.
    Host,
    /// The path.
    Path,
    /// The method.
    Method,
}

impl Route {
    /// Whether the route takes a request.
    ///
    /// # Errors
    /// The part that it depends on, where that part is not known and the conditions on the other ones hold.
    ///
    /// ```
    /// use tripline_backends::config::{RequestPart, RequestParts, Route};
    ///
    /// let mut route = Route::default();
    /// route.path = Some("/checkout".to_owned());
    /// route.methods = vec!["POST".to_owned()];
    /// let request = RequestParts { host: None, path: Some("/checkout/pay"), method: Some("POST") };
    /// assert_eq!(route.matches(&request), Ok(true));
    /// assert_eq!(route.matches(&RequestParts { method: None, ..request }), Err(RequestPart::Method));
    /// assert_eq!(route.matches(&RequestParts { path: Some("/checkouts"), method: None, ..request }), Ok(false));
    /// ```
    pub fn matches(&self, request: &RequestParts<'_>) -> Result<bool, RequestPart> {
        let host = self.host.as_deref().map(|wanted| request.host.map(|host| wanted.eq_ignore_ascii_case(host)));
        let path = self.path.as_deref().map(|prefix| request.path.map(|path| is_below(path, prefix)));
        let wanted = Some(&self.methods).filter(|methods| !methods.is_empty());
        let method = wanted.map(|methods| request.method.map(|method| methods.iter().any(|wanted| wanted == method)));
        let conditions = [(RequestPart::Host, host), (RequestPart::Path, path), (RequestPart::Method, method)];
        // A condition that does not hold decides, whatever is not known.
        if conditions.iter().any(|(_, holds)| *holds == Some(Some(false))) {
            return Ok(false);
        }
        match conditions.iter().find(|(_, holds)| *holds == Some(None)) {
            Some((unknown, _)) => Err(*unknown),
            None => Ok(true),
        }
    }

    /// A route for every request, guarded by the first breaker of the process.
    pub fn catch_all(upstream: &str) -> Self {
        Self { upstream: upstream.to_owned(), guard: Guard::First, ..Self::default() }
    }
}

impl Default for Route {
    fn default() -> Self {
        Self {
            host: None,
            path: None,
            methods: Vec::new(),
            upstream: String::new(),
            guard: Guard::Upstream,
            measure: Measure::default(),
            rejected: None,
            fallback: None,
        }
    }
}

/// What guards a route.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Guard {
    /// The breaker that is called as the upstream: `breaker` is left out.
    Upstream,
    /// The breaker of this name.
    Breaker(BreakerName),
    /// The first breaker of the process, for a route of the command line.
    First,
    /// None: `breaker = "off"`.
    Off,
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
    fn a_condition_that_does_not_hold_decides_whatever_is_not_known() {
        let mut route = Route::default();
        assert_eq!(route.matches(&RequestParts::default()), Ok(true), "no condition");
        route.host = Some("shop.example".to_owned());
        route.methods = vec!["GET".to_owned(), "POST".to_owned()];
        let request = |host, method| RequestParts { host, path: None, method };
        for (host, method, expected) in [
            (Some("Shop.Example"), Some("POST"), Ok(true)),
            (Some("shop.example"), Some("post"), Ok(false)),
            (Some("other"), None, Ok(false)),
            (None, Some("PUT"), Ok(false)),
            (None, Some("GET"), Err(RequestPart::Host)),
            (Some("shop.example"), None, Err(RequestPart::Method)),
        ] {
            assert_eq!(route.matches(&request(host, method)), expected, "{host:?} {method:?}");
        }
    }

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
