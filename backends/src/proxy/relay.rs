//! The body of a response: the proxy's own, or the upstream's on its way to the client.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::task::AbortHandle;
use tripline_runtime::core::Outcome;

use super::body::Upload;
use super::call::Call;
use super::flag::Flag;
use super::outcome;
use super::routes::Matched;
use super::upstream::Link;

/// The body of a response.
#[derive(Debug)]
pub(super) enum ResponseBody {
    Own(Full<Bytes>),
    Relay(Box<Relay>),
}

impl ResponseBody {
    pub(super) fn own(bytes: Bytes) -> Self {
        Self::Own(Full::new(bytes))
    }
}

/// Drives the connection of a response.
pub(super) enum Driver {
    /// The reader of the body.
    Reader(Link),
    /// A task, which ends with the body.
    Task(#[expect(dead_code, reason = "held until the end")] AbortOnDrop),
    /// Other requests: the connection is shared.
    Shared,
    /// None any more.
    Done,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Reader(_) => "Reader",
            Self::Task(_) => "Task",
            Self::Shared => "Shared",
            Self::Done => "Done",
        })
    }
}

/// A task that ends when this is dropped.
#[derive(Debug)]
pub(super) struct AbortOnDrop(AbortHandle);

impl AbortOnDrop {
    pub(super) fn new(task: AbortHandle) -> Self {
        Self(task)
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The body of an upstream's response.
#[derive(Debug)]
pub(super) struct Relay {
    incoming: Incoming,
    driver: Driver,
    upload: Arc<Upload>,
    matched: Matched,
    thread: usize,
    /// The outcome of the call unless trailers change it.
    outcome: Outcome,
    call: Call,
}

impl Relay {
    /// Creates a body of which nothing was read. An empty one ends at once.
    pub(super) fn new(
        incoming: Incoming,
        driver: Driver,
        upload: Arc<Upload>,
        (matched, thread): (Matched, usize),
        outcome: Outcome,
        call: Call,
    ) -> Self {
        let mut relay = Self { incoming, driver, upload, matched, thread, outcome, call };
        if relay.incoming.is_end_stream() {
            relay.finish();
        }
        relay
    }

    /// Ends a response that was read completely: its connection can be reused if the request was sent completely as
    /// well.
    fn finish(&mut self) {
        if let Driver::Reader(link) = std::mem::replace(&mut self.driver, Driver::Done)
            && self.upload.is_done()
        {
            self.matched.upstream().pools.put(self.thread, link);
        }
        self.call.end(self.outcome);
    }
}

impl Body for Relay {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        let mut polled = Pin::new(&mut this.incoming).poll_frame(cx);
        if polled.is_pending()
            && let Driver::Reader(link) = &mut this.driver
        {
            link.poll_drive(cx);
            // A frame that has just arrived would wake no task.
            polled = Pin::new(&mut this.incoming).poll_frame(cx);
        }
        let Poll::Ready(frame) = polled else { return Poll::Pending };
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    this.call.record().sent(data.len() as u64);
                } else if let Some(trailers) = frame.trailers_ref()
                    && this.outcome == Outcome::Ok
                {
                    this.outcome = outcome::of_trailers(trailers);
                }
                if this.incoming.is_end_stream() {
                    this.finish();
                }
            }
            Some(Err(_)) => {
                this.driver = Driver::Done;
                this.call.broken(Flag::UpstreamReset);
            }
            None => this.finish(),
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self.get_mut() {
            Self::Own(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Relay(relay) => Pin::new(&mut **relay).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Own(body) => body.is_end_stream(),
            Self::Relay(relay) => relay.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Own(body) => body.size_hint(),
            Self::Relay(relay) => relay.size_hint(),
        }
    }
}
