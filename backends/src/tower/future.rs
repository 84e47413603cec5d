//! The future of one call.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;
use tripline_runtime::OwnedTimedPermit;

use super::measure::Measure;
use super::rejected::OnRejection;

pin_project! {
    /// The future of one call through [`BreakerService`](super::BreakerService).
    ///
    /// If it is dropped early, the call is neutral while it is younger than the threshold, and slow afterwards.
    pub struct ResponseFuture<F, Res, E, C, J, M>
    where
        J: OnRejection<Res, E>,
        M: Measure<Res, E, C>,
    {
        #[pin]
        call: Call<F, C, Result<M::Response, J::Error>>,
        types: PhantomData<fn() -> (Res, E)>,
    }
}

pin_project! {
    #[project = CallProjection]
    enum Call<F, C, A> {
        Called { #[pin] inner: F, running: Option<Running<C>> },
        Unguarded { #[pin] inner: F },
        Rejected { answer: Option<A> },
    }
}

/// The parts that are needed at the end of the call.
struct Running<C> {
    permit: OwnedTimedPermit,
    classify: C,
}

impl<F, Res, E, C, J, M> ResponseFuture<F, Res, E, C, J, M>
where
    J: OnRejection<Res, E>,
    M: Measure<Res, E, C>,
{
    pub(super) fn called(inner: F, permit: OwnedTimedPermit, classify: C) -> Self {
        Self { call: Call::Called { inner, running: Some(Running { permit, classify }) }, types: PhantomData }
    }

    pub(super) fn unguarded(inner: F) -> Self {
        Self { call: Call::Unguarded { inner }, types: PhantomData }
    }

    pub(super) fn rejected(answer: Result<M::Response, J::Error>) -> Self {
        Self { call: Call::Rejected { answer: Some(answer) }, types: PhantomData }
    }
}

impl<F, Res, E, C, J, M> Future for ResponseFuture<F, Res, E, C, J, M>
where
    F: Future<Output = Result<Res, E>>,
    J: OnRejection<Res, E>,
    M: Measure<Res, E, C>,
{
    type Output = Result<M::Response, J::Error>;

    /// Stays pending for ever after its completion.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().call.project() {
            CallProjection::Rejected { answer } => answer.take().map_or(Poll::Pending, Poll::Ready),
            CallProjection::Unguarded { inner } => {
                inner.poll(context).map(|result| result.map(M::unmeasured).map_err(J::inner))
            }
            CallProjection::Called { inner, running } => {
                // Removed while the inner future runs, so that a panic drops the permit at once, as a failed call,
                // wherever it is caught.
                let Some(taken) = running.take() else { return Poll::Pending };
                match inner.poll(context) {
                    Poll::Pending => {
                        *running = Some(taken);
                        Poll::Pending
                    }
                    Poll::Ready(result) => {
                        Poll::Ready(M::answered(taken.permit, taken.classify, result).map_err(J::inner))
                    }
                }
            }
        }
    }
}

impl<F, Res, E, C, J, M> fmt::Debug for ResponseFuture<F, Res, E, C, J, M>
where
    J: OnRejection<Res, E>,
    M: Measure<Res, E, C>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permit = match &self.call {
            Call::Called { running, .. } => running.as_ref().map(|running| &running.permit),
            Call::Unguarded { .. } | Call::Rejected { .. } => None,
        };
        f.debug_struct("ResponseFuture").field("permit", &permit).finish_non_exhaustive()
    }
}
