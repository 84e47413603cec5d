//! An answer that does not end by itself, and ends when the server drains.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AnyBody;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use smol::channel::Receiver;
use smol::stream::Stream as _;

/// The media type of an answer that does not end by itself.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

pin_project! {
    /// A body that is at its end when the channel is closed.
    #[derive(Debug)]
    struct Endless<B> {
        #[pin]
        inner: B,
        #[pin]
        drain: Receiver<Infallible>,
    }
}

impl<B: Body> Body for Endless<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        match this.drain.poll_next(context) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => this.inner.poll_frame(context),
        }
    }
}

/// A stream of events would keep a draining server waiting: it ends when `drain` is closed. Any other answer stays as it is.
pub(super) fn end_at(response: Response, drain: Receiver<Infallible>) -> Response {
    let is_endless = response.headers().get(CONTENT_TYPE).is_some_and(|media| media == EVENT_STREAM);
    if !is_endless {
        return response;
    }
    response.map(|inner: AnyBody| AnyBody::new(Endless::<AnyBody> { inner, drain }))
}
