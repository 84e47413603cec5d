//! One HTTP/1.1 connection to an upstream, driven by the task of the request that uses it.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::proxy::body::RequestBody;
use crate::proxy::stream::Stream;

/// Maximum size of a response's head, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// Maximum buffer of a connection in each direction, in bytes.
const MAX_BUFFER: usize = 128 << 10;

/// One connection. It has no background task: it advances while [`Link::send`] or [`Link::poll_drive`] is polled.
#[derive(Debug)]
pub(crate) struct Link {
    sender: SendRequest<RequestBody>,
    /// `None` after it has ended.
    connection: Option<Box<Connection<TokioIo<Stream>, RequestBody>>>,
    pub(crate) server: usize,
    pub(crate) address: SocketAddr,
    /// Whether it has served a request before.
    pub(crate) is_reused: bool,
    pub(super) idle_since: Instant,
}

/// The error of a request without a response head.
#[derive(Debug)]
pub(crate) enum SendFailure {
    /// No byte of the request was written: it may be sent on another connection.
    NotSent(Box<Request<RequestBody>>),
    /// At least a part of it was written.
    Broken(hyper::Error),
}

impl Link {
    /// Opens HTTP/1.1 on a new connection.
    pub(crate) async fn open(stream: Stream, server: usize, address: SocketAddr) -> hyper::Result<Self> {
        let handshake =
            Builder::new().max_buf_size(MAX_BUFFER).max_header_size(MAX_HEAD).handshake(TokioIo::new(stream));
        let (sender, connection) = handshake.await?;
        Ok(Self {
            sender,
            connection: Some(Box::new(connection)),
            server,
            address,
            is_reused: false,
            idle_since: Instant::now(),
        })
    }

    /// Sends a request and waits for the head of the response. The connection must be ready.
    pub(crate) async fn send(&mut self, request: Request<RequestBody>) -> Result<Response<Incoming>, SendFailure> {
        let mut answer = pin!(self.sender.try_send_request(request));
        let result = poll_fn(|cx| {
            self.poll_connection(cx);
            answer.as_mut().poll(cx)
        })
        .await;
        result.map_err(|mut error| match error.take_message() {
            Some(request) => SendFailure::NotSent(Box::new(request)),
            None => SendFailure::Broken(error.into_error()),
        })
    }

    /// Sends a request that may turn the connection into a tunnel; a task drives the connection.
    pub(crate) async fn send_upgradable(
        self,
        request: Request<RequestBody>,
    ) -> (hyper::Result<Response<Incoming>>, Option<AbortHandle>) {
        let Self { mut sender, connection, .. } = self;
        let task = connection.map(|connection| {
            let moved = connection.with_upgrades();
            tokio::spawn(async move {
                // The request receives the error.
                let _ = moved.await;
            })
            .abort_handle()
        });
        (sender.send_request(request).await, task)
    }

    /// Drives the connection, for the body of a response.
    pub(crate) fn poll_drive(&mut self, cx: &mut Context<'_>) {
        self.poll_connection(cx);
    }

    /// Whether another request can be sent now. Polls the connection, which detects that the upstream has closed it.
    pub(crate) fn poll_is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.poll_connection(cx);
        self.connection.is_some() && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }

    /// Returns the connection as a task, for an upload that continues beside the response.
    pub(crate) fn into_driver(self) -> Option<impl Future<Output = ()> + Send + 'static> {
        let Self { sender, connection, .. } = self;
        let connection = connection?;
        Some(async move {
            // The readers of the body receive an error.
            let _ = connection.await;
            drop(sender);
        })
    }

    fn poll_connection(&mut self, cx: &mut Context<'_>) {
        if let Some(connection) = &mut self.connection
            && Pin::new(&mut **connection).poll(cx).is_ready()
        {
            self.connection = None;
        }
    }
}
