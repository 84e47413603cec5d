//! A response body whose end is the end of the call.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use http::{HeaderMap, Response};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tripline_runtime::OwnedTimedPermit;
use tripline_runtime::core::Outcome;

use super::classify::Classify;

pin_project! {
    /// A response body whose last frame ends the call.
    ///
    /// If the body fails, the call is failed. If it is dropped before its end, the call is neutral while it is younger
    /// than the threshold, and slow afterwards.
    pub struct MeasuredBody<B, E, C> {
        #[pin]
        inner: B,
        running: Option<Running<C>>,
        error: PhantomData<fn() -> E>,
    }
}

/// The parts that are needed at the end of the call.
struct Running<C> {
    permit: OwnedTimedPermit,
    head: Outcome,
    classify: C,
}

impl<C> Running<C> {
    fn end<B, E>(self, trailers: Option<&HeaderMap>)
    where
        C: Classify<Response<B>, E>,
    {
        self.permit.finish(self.classify.classify_end(self.head, trailers));
    }
}

impl<B: Body, E, C: Classify<Response<B>, E>> MeasuredBody<B, E, C> {
    pub(super) fn measured(inner: B, permit: OwnedTimedPermit, head: Outcome, classify: C) -> Self {
        let running = Running { permit, head, classify };
        // A body that is empty from the start is not polled.
        let running = if inner.is_end_stream() {
            running.end(None);
            None
        } else {
            Some(running)
        };
        Self { inner, running, error: PhantomData }
    }

    pub(super) fn unmeasured(inner: B) -> Self {
        Self { inner, running: None, error: PhantomData }
    }
}

impl<B: Body, E, C: Classify<Response<B>, E>> Body for MeasuredBody<B, E, C> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let mut this = self.project();
        // Removed while the inner body runs, so that a panic drops the permit at once, as a failed call.
        let running = this.running.take();
        let polled = this.inner.as_mut().poll_frame(context);
        let Some(running) = running else { return polled };
        match &polled {
            Poll::Ready(Some(Err(_))) => running.permit.finish(Outcome::Failed),
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() => running.end(frame.trailers_ref()),
            Poll::Ready(None) => running.end(None),
            // A body is not polled again after a frame that is known to be the last.
            Poll::Ready(Some(Ok(_))) if this.inner.is_end_stream() => running.end(None),
            Poll::Ready(Some(Ok(_))) | Poll::Pending => *this.running = Some(running),
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl<B: fmt::Debug, E, C> fmt::Debug for MeasuredBody<B, E, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permit = self.running.as_ref().map(|running| &running.permit);
        f.debug_struct("MeasuredBody").field("inner", &self.inner).field("permit", &permit).finish_non_exhaustive()
    }
}
