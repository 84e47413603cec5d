//! A response without an end of its own: it ends when the server drains, or when its client closes the connection.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AnyBody;
use axum::response::Response;
use http::header::CONTENT_TYPE;
use http_body::{Body, Frame};
use pin_project_lite::pin_project;
use smol::channel::Receiver;
use smol::net::TcpStream;
use smol::stream::Stream as _;

use super::hang_up::closed;

/// The media type of an answer that does not end by itself.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

pin_project! {
    /// A body that is at its end when the channel is closed or the client is gone.
    struct Endless<B> {
        #[pin]
        inner: B,
        #[pin]
        drain: Receiver<Infallible>,
        client_gone: Pin<Box<dyn Future<Output = ()> + Send>>,
    }
}

impl<B: Body> Body for Endless<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        if this.drain.poll_next(context).is_ready() || this.client_gone.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        this.inner.poll_frame(context)
    }
}

/// Ends a stream of events when `drain` is closed or the client of `stream` is gone. Any other response stays as it is.
pub(super) fn end_at(response: Response, drain: Receiver<Infallible>, stream: TcpStream) -> Response {
    let is_endless = response.headers().get(CONTENT_TYPE).is_some_and(|media| media == EVENT_STREAM);
    if !is_endless {
        return response;
    }
    response
        .map(|inner: AnyBody| AnyBody::new(Endless::<AnyBody> { inner, drain, client_gone: Box::pin(closed(stream)) }))
}
