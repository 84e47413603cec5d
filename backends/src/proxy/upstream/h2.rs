//! HTTP/2 to an upstream: one connection per thread and server, shared by all requests of the thread.

use std::net::SocketAddr;

use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::sync::{Mutex, MutexGuard};

use super::addresses::Addresses;
use crate::proxy::body::RequestBody;
use crate::proxy::stream::Stream;

/// Maximum size of the fields of a response, in bytes.
const MAX_FIELDS: u32 = 64 << 10;
/// Maximum buffer of one request, in bytes.
const MAX_BUFFER: usize = 128 << 10;
/// Maximum number of bytes that an upstream may send before they are read: of one response, and of all.
const STREAM_WINDOW: u32 = 256 << 10;
const CONNECTION_WINDOW: u32 = 2 << 20;

/// The shared connections, by thread and server.
#[derive(Debug)]
pub(crate) struct SharedLinks(Vec<Vec<Mutex<Option<SharedLink>>>>);

/// One connection that many requests share. It ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub(crate) struct SharedLink {
    pub(crate) sender: SendRequest<RequestBody>,
    address: SocketAddr,
}

/// The slot of one connection. While it is locked, requests wait for the connection being opened.
pub(crate) type Slot<'a> = MutexGuard<'a, Option<SharedLink>>;

impl SharedLinks {
    pub(super) fn new(threads: usize, servers: usize) -> Self {
        let of_thread = || std::iter::repeat_with(|| Mutex::new(None)).take(servers).collect();
        Self(std::iter::repeat_with(of_thread).take(threads).collect())
    }

    /// Returns the slot of the connection from `thread` to a server.
    pub(crate) async fn lock(&self, thread: usize, server: usize) -> Option<Slot<'_>> {
        Some(self.0.get(thread)?.get(server)?.lock().await)
    }
}

impl SharedLink {
    /// Opens HTTP/2 on a new connection, which its own task drives.
    pub(crate) async fn open(stream: Stream, address: SocketAddr) -> hyper::Result<Self> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_header_list_size(MAX_FIELDS)
            .max_send_buf_size(MAX_BUFFER)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW);
        let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
        tokio::spawn(async move {
            // Each request receives the error.
            let _ = connection.await;
        });
        Ok(Self { sender, address })
    }

    /// Whether another request can be sent on it.
    pub(crate) fn is_usable(&self, addresses: &Addresses) -> bool {
        !self.sender.is_closed() && addresses.contains(self.address)
    }
}
