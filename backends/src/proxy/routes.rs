//! The upstream of a request.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};

use http::{Method, Request};

use tripline_runtime::Breaker;

use super::fault::Fault;
use super::guard::Guard;
use super::request::Target;
use super::upstream::Upstream;
use crate::config::{self, RequestParts};

/// The routing table; replaced as a whole when the configuration changes. Each thread has a copy on cache lines of its own, because
/// each request counts handles of it.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Table {
    pub(super) routes: Vec<Arc<Route>>,
    pub(super) upstreams: Vec<Arc<Upstream>>,
}

/// An entry of the table.
#[derive(Debug, Clone)]
pub(super) struct Route {
    pub(super) settings: config::Route,
    pub(super) upstream: Arc<Upstream>,
    pub(super) guard: Guard,
    pub(super) fallback: Option<Arc<Upstream>>,
}

/// The table that is in force for one thread, on a cache line of its own.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct InForce(RwLock<Arc<Table>>);

impl InForce {
    pub(super) fn new(table: &Table) -> Self {
        Self(RwLock::new(Arc::new(table.copy())))
    }

    pub(super) fn get(&self) -> Arc<Table> {
        // No code panics while it holds the lock, as below.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set(&self, table: &Table) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table.copy());
    }
}

/// Where a request goes, and what guards it.
#[derive(Debug, Clone)]
pub(super) struct Matched {
    pub(super) route: Arc<Route>,
    /// The breaker of the key of the request.
    member: Option<Breaker>,
    is_fallback: bool,
}

impl Matched {
    /// # Errors
    /// [`Fault`] for an invalid key of a family.
    pub(super) fn new<B>(route: Arc<Route>, request: &Request<B>, target: &Target) -> Result<Self, Fault> {
        let member = route.guard.member(request, target)?;
        Ok(Self { route, member, is_fallback: false })
    }

    /// The request goes to the fallback of its route instead, which nothing guards.
    pub(super) fn into_fallback(self) -> Self {
        Self { is_fallback: true, ..self }
    }

    pub(super) fn upstream(&self) -> &Upstream {
        match &self.route.fallback {
            Some(fallback) if self.is_fallback => fallback,
            _ => &self.route.upstream,
        }
    }

    /// The breaker that decides on the request; `None` where none does.
    pub(super) fn breaker(&self) -> Option<&Breaker> {
        let guard = self.member.as_ref().or_else(|| self.route.guard.breaker());
        guard.filter(|_| !self.is_fallback)
    }
}

impl Table {
    /// A table with entries of its own, to the same upstreams and breakers.
    fn copy(&self) -> Self {
        let routes = self.routes.iter().map(|route| Arc::new(Route::clone(route))).collect();
        Self { routes, upstreams: self.upstreams.clone() }
    }

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

    /// Returns the first matching route; `host` in any case. O(n).
    pub(super) fn find(&self, host: &str, path: &str, method: &Method) -> Option<&Arc<Route>> {
        let request = RequestParts { host: Some(host), path: Some(path), method: Some(method.as_str()) };
        self.routes.iter().find(|route| route.settings.matches(&request) == Ok(true))
    }
}
