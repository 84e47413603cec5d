//! Selects the classifier and the breaker of a request.

use std::sync::Arc;

use http::Request;
use tripline_runtime::{Breaker, OwnedTimedPermit, Rejection};

use crate::text::PathPatterns;

/// Selects the classifier of a request, a [`Classify`](super::Classify): [`EveryRequest`] or [`ByRequest`].
pub trait ClassifyRequest<Req> {
    /// The classifier.
    type Classify;

    /// Returns the classifier of this request, which is about to be sent.
    fn classifier(&self, request: &Req) -> Self::Classify;
}

/// The same classifier for every request, from [`classify`](super::BreakerLayer::classify).
#[derive(Debug, Clone, Copy, Default)]
pub struct EveryRequest<C>(
    /// The classifier.
    pub C,
);

impl<Req, C: Clone> ClassifyRequest<Req> for EveryRequest<C> {
    type Classify = C;

    fn classifier(&self, _: &Req) -> C {
        self.0.clone()
    }
}

/// A classifier that depends on the request, from [`classify_by_request`](super::BreakerLayer::classify_by_request).
#[derive(Clone, Copy)]
pub struct ByRequest<F>(F);

impl<F> ByRequest<F> {
    pub(super) fn new(make: F) -> Self {
        Self(make)
    }
}

impl<Req, C, F: Fn(&Req) -> C> ClassifyRequest<Req> for ByRequest<F> {
    type Classify = C;

    fn classifier(&self, request: &Req) -> C {
        (self.0)(request)
    }
}

impl<F> std::fmt::Debug for ByRequest<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ByRequest").finish_non_exhaustive()
    }
}

/// Selects the breaker of a request: a [`Breaker`] itself, or the one that a function returns, see
/// [`by_request`](super::BreakerLayer::by_request).
pub trait ChooseBreaker<Req> {
    /// Admits or rejects the call of `request`, which starts now; `None` if no breaker guards it.
    ///
    /// # Errors
    /// [`Rejection`] if it is not admitted.
    fn start(&self, request: &Req) -> Result<Option<OwnedTimedPermit>, Rejection>;
}

impl<Req> ChooseBreaker<Req> for Breaker {
    fn start(&self, _: &Req) -> Result<Option<OwnedTimedPermit>, Rejection> {
        self.try_start_owned().map(Some)
    }
}

/// The breaker that a function returns for a request, from [`by_request`](super::BreakerLayer::by_request).
#[derive(Clone, Copy)]
pub struct BreakerByRequest<F>(F);

impl<F> BreakerByRequest<F> {
    pub(super) fn new(choose: F) -> Self {
        Self(choose)
    }
}

impl<Req, B: Into<Breaker>, F: Fn(&Req) -> B> ChooseBreaker<Req> for BreakerByRequest<F> {
    fn start(&self, request: &Req) -> Result<Option<OwnedTimedPermit>, Rejection> {
        (self.0)(request).into().try_start_owned().map(Some)
    }
}

impl<F> std::fmt::Debug for BreakerByRequest<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BreakerByRequest").finish_non_exhaustive()
    }
}

/// The breaker `B` for the requests that the patterns select, none for all others, from
/// [`guard_paths`](super::BreakerLayer::guard_paths).
#[derive(Debug, Clone)]
pub struct GuardedPaths<B> {
    breaker: B,
    patterns: Arc<PathPatterns>,
}

impl<B> GuardedPaths<B> {
    pub(super) fn new(breaker: B, patterns: PathPatterns) -> Self {
        Self { breaker, patterns: Arc::new(patterns) }
    }
}

impl<T, B: ChooseBreaker<Request<T>>> ChooseBreaker<Request<T>> for GuardedPaths<B> {
    fn start(&self, request: &Request<T>) -> Result<Option<OwnedTimedPermit>, Rejection> {
        if !self.patterns.select(request.uri().path().as_bytes()) {
            return Ok(None);
        }
        self.breaker.start(request)
    }
}
