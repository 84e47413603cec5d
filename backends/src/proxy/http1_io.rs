//! The bytes of an HTTP/1.1 connection: its requests are followed, and hyper's own answers, which have no body, get one.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::heads::{Heads, Requests};
use super::rewind::Rewind;

/// hyper's answers to what it cannot parse, by their status, and what is sent instead.
const ANSWERS: [(&[u8], &[u8]); 3] = [
    (
        b"400",
        b"HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\
        content-length: 16\r\nconnection: close\r\n\r\ninvalid request\n",
    ),
    (
        b"414",
        b"HTTP/1.1 414 URI Too Long\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\
        content-length: 24\r\nconnection: close\r\n\r\nrequest target too long\n",
    ),
    (
        b"431",
        b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n\
        cache-control: no-store\r\ncontent-length: 23\r\nconnection: close\r\n\r\nrequest head too large\n",
    ),
];

/// A connection on which HTTP/1.1 is spoken.
#[derive(Debug)]
pub(super) struct Http1Io {
    inner: Rewind,
    heads: Heads,
    requests: Arc<Requests>,
    /// The requests that were parsed when something was written last.
    answered: u64,
    instead: Option<Instead>,
}

/// An answer that takes the place of one of hyper's.
#[derive(Debug)]
struct Instead {
    left: &'static [u8],
    /// Bytes of hyper's.
    replaced: usize,
}

impl Http1Io {
    pub(super) fn new(inner: Rewind) -> Self {
        let heads = Heads::new();
        let requests = heads.requests();
        Self { inner, heads, requests, answered: 0, instead: None }
    }

    /// What is known about the requests.
    pub(super) fn requests(&self) -> Arc<Requests> {
        self.requests.clone()
    }

    pub(super) fn into_inner(self) -> Rewind {
        self.inner
    }

    /// What to write in place of `bytes`, where these are hyper's answer to what it could not parse: an answer without a body, though no
    /// request was parsed since the last one.
    fn instead_of(&self, bytes: &[u8]) -> Option<Instead> {
        if self.answered != self.requests.taken() || !bytes.starts_with(b"HTTP/1.") {
            return None;
        }
        let is_whole = bytes.strip_suffix(b"\r\n\r\n").is_some_and(|head| !contains(head, b"\r\n\r\n"));
        let is_empty = contains(bytes, b"\r\nconnection: close\r\ncontent-length: 0\r\n");
        let (_, left) = ANSWERS.iter().find(|(status, _)| bytes.get(9..12) == Some(*status))?;
        (is_whole && is_empty).then_some(Instead { left, replaced: bytes.len() })
    }

    /// Writes what stands in place of hyper's answer; `None` where there is nothing.
    fn poll_instead(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<usize>>> {
        let Some(instead) = &mut self.instead else { return Poll::Ready(None) };
        while !instead.left.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_write(cx, instead.left)) {
                Ok(0) => return Poll::Ready(Some(Err(io::ErrorKind::WriteZero.into()))),
                Ok(bytes) => instead.left = instead.left.get(bytes..).unwrap_or_default(),
                Err(error) => return Poll::Ready(Some(Err(error))),
            }
        }
        let replaced = instead.replaced;
        self.instead = None;
        Poll::Ready(Some(Ok(replaced)))
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

impl AsyncRead for Http1Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.inner).poll_read(cx, buffer);
        this.heads.read(buffer.filled().get(before..).unwrap_or_default());
        polled
    }
}

impl AsyncWrite for Http1Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if let ([only], None) = (slices, &this.instead) {
            this.instead = this.instead_of(only);
        }
        if let Some(written) = ready!(this.poll_instead(cx)) {
            return Poll::Ready(written);
        }
        this.answered = this.requests.taken();
        Pin::new(&mut this.inner).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}
