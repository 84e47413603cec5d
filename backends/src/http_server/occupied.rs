//! A response that keeps its connection busy until it is sent.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body as AnyBody;
use axum::response::Response;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::places::Busy;

pin_project! {
    #[derive(Debug)]
    struct Occupied {
        #[pin]
        inner: AnyBody,
        _busy: Busy,
    }
}

impl Body for Occupied {
    type Data = <AnyBody as Body>::Data;
    type Error = <AnyBody as Body>::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().inner.poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// Holds `busy` until the body of `response` is dropped.
pub(super) fn until_sent(response: Response, busy: Busy) -> Response {
    response.map(|inner| AnyBody::new(Occupied { inner, _busy: busy }))
}
