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

impl Route {
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
