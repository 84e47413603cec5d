//! The layer, and how it is set up.

use std::marker::PhantomData;

use tower_layer::Layer;
use tripline_runtime::{Breaker, Rejection};

use super::classify::HttpClassify;
use super::measure::{ToEndOfBody, ToHead};
use super::rejected::{FailWithError, RespondWith};
use super::service::BreakerService;

/// Puts a breaker around services. Cheap to clone; all services that it makes share the breaker.
#[derive(Debug, Clone)]
#[must_use = "a layer does nothing until a service is put into it"]
pub struct BreakerLayer<C = HttpClassify, J = FailWithError, M = ToHead> {
    breaker: Breaker,
    classify: C,
    on_rejection: J,
    measure: PhantomData<fn() -> M>,
}

impl BreakerLayer {
    /// Measures to the head of the response, classifies by [`HttpClassify`] and fails with
    /// [`CallError::Rejected`](super::CallError::Rejected).
    pub fn new(breaker: Breaker) -> Self {
        Self { breaker, classify: HttpClassify, on_rejection: FailWithError, measure: PhantomData }
    }
}

impl<C, J, M> BreakerLayer<C, J, M> {
    /// Measures to the last frame of the body; the inner service must then give [`http::Response`]s.
    ///
    /// A body that is dropped before its end counts like a call that is dropped: nothing while it is younger than the
    /// threshold, slow afterwards. A server does not read the body of its answer to `HEAD`.
    pub fn measure_body(self) -> BreakerLayer<C, J, ToEndOfBody> {
        let Self { breaker, classify, on_rejection, .. } = self;
        BreakerLayer { breaker, classify, on_rejection, measure: PhantomData }
    }

    /// Decides the outcome with `classify`, a [`Classify`](super::Classify).
    pub fn classify<D>(self, classify: D) -> BreakerLayer<D, J, M> {
        let Self { breaker, on_rejection, measure, .. } = self;
        BreakerLayer { breaker, classify, on_rejection, measure }
    }

    /// Answers a call that is not admitted with a response; the errors are then those of the inner service.
    /// [`service_unavailable`](super::service_unavailable) makes a plain one.
    pub fn respond_with<F, Res>(self, respond: F) -> BreakerLayer<C, RespondWith<F>, M>
    where
        F: Fn(&Rejection) -> Res,
    {
        let Self { breaker, classify, measure, .. } = self;
        BreakerLayer { breaker, classify, on_rejection: RespondWith::new(respond), measure }
    }
}

impl<S, C: Clone, J: Clone, M> Layer<S> for BreakerLayer<C, J, M> {
    type Service = BreakerService<S, C, J, M>;

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
