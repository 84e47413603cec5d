//! The service around an inner one.

use std::marker::PhantomData;
use std::task::{Context, Poll};

use tower_service::Service;
use tripline_runtime::Breaker;

use super::by_request::{ChooseBreaker, ClassifyRequest};
use super::classify::Classify;
use super::future::ResponseFuture;
use super::measure::Measure;
use super::rejected::OnRejection;

/// A service with a breaker around it, made by [`BreakerLayer`](super::BreakerLayer).
///
/// It is ready when the inner service is. The breaker is asked in `call`, so that readiness takes no probe slot.
#[derive(Debug, Clone)]
pub struct BreakerService<S, C, J, M, B = Breaker> {
    pub(super) inner: S,
    pub(super) breaker: B,
    pub(super) classify: C,
    pub(super) on_rejection: J,
    pub(super) measure: PhantomData<fn() -> M>,
}

impl<S, C, J, M, B, Req> Service<Req> for BreakerService<S, C, J, M, B>
where
    S: Service<Req>,
    B: ChooseBreaker<Req>,
    C: ClassifyRequest<Req>,
    C::Classify: Classify<S::Response, S::Error>,
    J: OnRejection<S::Response, S::Error>,
    M: Measure<S::Response, S::Error, C::Classify>,
{
    type Response = M::Response;
    type Error = J::Error;
    type Future = ResponseFuture<S::Future, S::Response, S::Error, C::Classify, J, M>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context).map_err(J::inner)
    }

    fn call(&mut self, request: Req) -> Self::Future {
        match self.breaker.start(&request) {
            // The permit exists while the inner service is called: a panic of that service makes the call failed.
            Ok(Some(permit)) => {
                let classify = self.classify.classifier(&request);
                ResponseFuture::called(self.inner.call(request), permit, classify)
            }
            Ok(None) => ResponseFuture::unguarded(self.inner.call(request)),
            Err(rejection) => ResponseFuture::rejected(self.on_rejection.reject(rejection).map(M::unmeasured)),
        }
    }
}
