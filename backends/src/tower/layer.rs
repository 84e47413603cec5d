//! The layer and its configuration.

use std::marker::PhantomData;

use tower_layer::Layer;
use tripline_runtime::{Breaker, Rejection};

use super::by_request::{BreakerByRequest, ByRequest, EveryRequest, GuardedPaths};
use super::classify::HttpClassify;
use super::measure::{ToEndOfBody, ToHead};
use super::rejected::{FailWithError, RespondWith};
use super::service::BreakerService;
use crate::text::PathPatterns;

/// Puts a breaker around services. Cheap to clone; all its services share the breaker.
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until a service is put into it"]
pub struct BreakerLayer<C = EveryRequest<HttpClassify>, J = FailWithError, M = ToHead, B = Breaker> {
    breaker: B,
    classify: C,
    on_rejection: J,
    measure: PhantomData<fn() -> M>,
}

impl BreakerLayer {
    /// Measures to the head of the response, classifies by [`HttpClassify`] and fails with
    /// [`CallError::Rejected`](super::CallError::Rejected). Takes a [`Breaker`], or a type that contains one, such as a
    /// circuit.
    pub fn new(breaker: impl Into<Breaker>) -> Self {
        let breaker = breaker.into();
        Self { breaker, classify: EveryRequest(HttpClassify), on_rejection: FailWithError, measure: PhantomData }
    }
}

impl<F> BreakerLayer<EveryRequest<HttpClassify>, FailWithError, ToHead, BreakerByRequest<F>> {
    /// Does the same as [`BreakerLayer::new`], with the breaker that `choose` returns for each request: a circuit by
    /// name, or a member of a family by its key.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tripline_runtime::test_util::ManualClock;
    /// use http::Request;
    /// use tripline_backends::tower::BreakerLayer;
    /// use tripline_runtime::{Breaker, Family, FamilyLimits};
    ///
    /// # let clock = Arc::new(ManualClock::default());
    /// let tenants = Family::new(Breaker::builder(clock).name("tenants".parse()?), FamilyLimits::default())?;
    /// let layer = BreakerLayer::by_request(move |request: &Request<String>| {
    ///     let key = request.headers().get("x-tenant").and_then(|tenant| tenant.to_str().ok());
    ///     tenants.get(key.unwrap_or_default()).unwrap_or_else(|_| tenants.shared().clone())
    /// });
    /// # let _ = layer;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn by_request<Req, R>(choose: F) -> Self
    where
        F: Fn(&Req) -> R,
        R: Into<Breaker>,
    {
        let (classify, breaker) = (EveryRequest(HttpClassify), BreakerByRequest::new(choose));
        Self { breaker, classify, on_rejection: FailWithError, measure: PhantomData }
    }
}

impl<C, J, M, B> BreakerLayer<C, J, M, B> {
    /// Measures to the last frame of the body; the inner service must then return [`http::Response`]s.
    ///
    /// A body that is dropped before its end counts like a dropped call: neutral while it is younger than the
    /// threshold, slow afterwards. A server does not read the body of its response to `HEAD`.
    pub fn measure_body(self) -> BreakerLayer<C, J, ToEndOfBody, B> {
        let Self { breaker, classify, on_rejection, .. } = self;
        BreakerLayer { breaker, classify, on_rejection, measure: PhantomData }
    }

    /// Decides the outcome of every call with `classify`, a [`Classify`](super::Classify).
    pub fn classify<D: Clone>(self, classify: D) -> BreakerLayer<EveryRequest<D>, J, M, B> {
        let Self { breaker, on_rejection, measure, .. } = self;
        BreakerLayer { breaker, classify: EveryRequest(classify), on_rejection, measure }
    }

    /// Decides the outcome of a call with the [`Classify`](super::Classify) that `make` returns for its request. It is
    /// called before the request is sent.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tripline_backends::tower::BreakerLayer;
    /// # use tripline_runtime::{Breaker, test_util::ManualClock};
    /// use http::{Method, Request, Response};
    /// use tripline_runtime::core::Outcome;
    ///
    /// # let breaker = Breaker::builder(Arc::new(ManualClock::default())).build()?;
    /// // Only reads count.
    /// let layer = BreakerLayer::new(breaker).classify_by_request(|request: &Request<String>| {
    ///     let is_read = request.method() == Method::GET;
    ///     move |result: Result<&Response<String>, &std::io::Error>| match result {
    ///         _ if !is_read => Outcome::Ignored,
    ///         Ok(response) if response.status().is_success() => Outcome::Ok,
    ///         _ => Outcome::Failed,
    ///     }
    /// });
    /// # let _ = layer;
    /// # Ok::<(), tripline_runtime::core::CapacityError>(())
    /// ```
    pub fn classify_by_request<Req, D, F>(self, make: F) -> BreakerLayer<ByRequest<F>, J, M, B>
    where
        F: Fn(&Req) -> D,
    {
        let Self { breaker, on_rejection, measure, .. } = self;
        BreakerLayer { breaker, classify: ByRequest::new(make), on_rejection, measure }
    }

    /// Guards only the requests whose path the patterns select. All others pass: they are neither rejected nor measured, as long polls,
    /// streams and health checks should be. The inner service must take [`http::Request`]s.
    ///
    /// ```
    /// # use std::sync::Arc;
    /// # use tripline_backends::tower::{BreakerLayer, PathPatterns};
    /// # use tripline_runtime::{Breaker, test_util::ManualClock};
    /// # let breaker = Breaker::builder(Arc::new(ManualClock::default())).build()?;
    /// let layer = BreakerLayer::new(breaker).guard_paths(PathPatterns::new(["/api/*"], ["*/poll", "/api/stream/*"]));
    /// # let _ = layer;
    /// # Ok::<(), tripline_runtime::core::CapacityError>(())
    /// ```
    pub fn guard_paths(self, patterns: PathPatterns) -> BreakerLayer<C, J, M, GuardedPaths<B>> {
        let Self { breaker, classify, on_rejection, measure } = self;
        BreakerLayer { breaker: GuardedPaths::new(breaker, patterns), classify, on_rejection, measure }
    }

    /// Responds to a rejected call with a response; the errors are then those of the inner service.
    /// [`service_unavailable`](super::service_unavailable) makes a plain one.
    pub fn respond_with<F, Res>(self, respond: F) -> BreakerLayer<C, RespondWith<F>, M, B>
    where
        F: Fn(&Rejection) -> Res,
    {
        let Self { breaker, classify, measure, .. } = self;
        BreakerLayer { breaker, classify, on_rejection: RespondWith::new(respond), measure }
    }
}

impl<S, C: Clone, J: Clone, M, B: Clone> Layer<S> for BreakerLayer<C, J, M, B> {
    type Service = BreakerService<S, C, J, M, B>;

    fn layer(&self, inner: S) -> Self::Service {
        BreakerService {
            inner,
            breaker: self.breaker.clone(),
            classify: self.classify.clone(),
            on_rejection: self.on_rejection.clone(),
            measure: PhantomData,
        }
    }
}
