//! A connection whose first bytes were already read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};

use super::stream::Stream;

/// The connection preface of HTTP/2.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection that returns `first` before further bytes.
#[derive(Debug)]
pub(super) struct Rewind {
    first: [u8; PREFACE.len()],
    from: usize,
    to: usize,
    stream: Stream,
}

impl Rewind {
    /// Creates a connection of which nothing was read.
    pub(super) fn new(stream: Stream) -> Self {
        Self { first: [0; PREFACE.len()], from: 0, to: 0, stream }
    }

    /// Reads until it is known whether the client speaks HTTP/2. `None` if it closed the connection before it sent
    /// anything.
    pub(super) async fn detect_h2(&mut self) -> io::Result<Option<bool>> {
        loop {
            let (read, space) = self.first.split_at_mut(self.to);
            if !PREFACE.starts_with(read) {
                return Ok(Some(false));
            }
            if space.is_empty() {
                return Ok(Some(true));
            }
            match self.stream.read(space).await? {
                0 if self.to == 0 => return Ok(None),
                0 => return Ok(Some(false)),
                bytes => self.to += bytes,
            }
        }
    }

    /// Whether a byte was read.
    pub(super) fn has_begun(&self) -> bool {
        self.to > 0
    }
}

impl AsyncRead for Rewind {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let first = this.first.get(this.from..this.to).unwrap_or_default();
        if first.is_empty() {
            return Pin::new(&mut this.stream).poll_read(cx, buffer);
        }
        let bytes = first.len().min(buffer.remaining());
        buffer.put_slice(first.get(..bytes).unwrap_or_default());
        this.from += bytes;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Rewind {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
