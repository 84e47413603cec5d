//! The body of a request on its way to the upstream, and the progress of the upload.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

/// The progress of an upload. Shared between the body, which the upstream connection reads, and the call.
#[derive(Debug)]
pub(super) struct Upload {
    state: AtomicU8,
    /// Number of frames received from the client, as a sign of progress.
    frames: AtomicU32,
    /// Whether the next frame has not arrived yet.
    waits_for_client: AtomicBool,
}

const RUNNING: u8 = 0;
const DONE: u8 = 1;
const CLIENT_FAILED: u8 = 2;
const TOO_LARGE: u8 = 3;

impl Upload {
    /// Whether the body was read to its end.
    pub(super) fn is_done(&self) -> bool {
        self.is(DONE)
    }

    /// Whether the client ended or broke its body.
    pub(super) fn has_client_failed(&self) -> bool {
        self.is(CLIENT_FAILED)
    }

    /// Whether the body is larger than allowed.
    pub(super) fn is_too_large(&self) -> bool {
        self.is(TOO_LARGE)
    }

    /// Number of frames received so far.
    pub(super) fn frames(&self) -> u32 {
        self.frames.load(Ordering::Relaxed)
    }

    /// Whether the upload waits for the client.
    pub(super) fn waits_for_client(&self) -> bool {
        self.is(RUNNING) && self.waits_for_client.load(Ordering::Relaxed)
    }

    fn is(&self, state: u8) -> bool {
        // Relaxed, as everywhere here: body and call are polled by tasks of one thread.
        self.state.load(Ordering::Relaxed) == state
    }

    fn set(&self, state: u8) {
        self.state.store(state, Ordering::Relaxed);
    }
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct RequestBody {
    /// `None` without a body.
    incoming: Option<Incoming>,
    /// Number of bytes that may still arrive.
    left: u64,
    upload: Arc<Upload>,
}

/// The error of a body that cannot be sent on.
#[derive(Debug)]
pub(super) enum UploadError {
    Client(hyper::Error),
    TooLarge,
}

impl std::fmt::Display for UploadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::TooLarge => f.write_str("the body is larger than proxy.max_body"),
        }
    }
}

impl std::error::Error for UploadError {}

impl RequestBody {
    /// Creates the body of a client's request with at most `max` bytes; 0 is no limit.
    pub(super) fn new(incoming: Incoming, max: u64) -> (Self, Arc<Upload>) {
        let is_empty = incoming.is_end_stream();
        let upload = Arc::new(Upload {
            state: AtomicU8::new(if is_empty { DONE } else { RUNNING }),
            frames: AtomicU32::new(0),
            waits_for_client: AtomicBool::new(false),
        });
        let left = if max == 0 { u64::MAX } else { max };
        (Self { incoming: (!is_empty).then_some(incoming), left, upload: upload.clone() }, upload)
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        let this = self.get_mut();
        let Some(incoming) = &mut this.incoming else { return Poll::Ready(None) };
        let polled = Pin::new(&mut *incoming).poll_frame(cx);
        this.upload.waits_for_client.store(polled.is_pending(), Ordering::Relaxed);
        let Poll::Ready(frame) = polled else { return Poll::Pending };
        match frame {
            Some(Ok(frame)) => {
                let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
                let Some(left) = this.left.checked_sub(bytes) else {
                    this.upload.set(TOO_LARGE);
                    return Poll::Ready(Some(Err(UploadError::TooLarge)));
                };
                this.left = left;
                this.upload.frames.fetch_add(1, Ordering::Relaxed);
                if incoming.is_end_stream() {
                    this.upload.set(DONE);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.upload.set(CLIENT_FAILED);
                Poll::Ready(Some(Err(UploadError::Client(error))))
            }
            None => {
                this.upload.set(DONE);
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
