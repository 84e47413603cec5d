//! One connection of a client, from its first byte to its end.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use smol::future::or;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsStream};

use super::forward::handle;
use super::heads::HasFragment;
use super::http1_io::Http1Io;
use super::phase::{Phase, PhaseWatch};
use super::rewind::Rewind;
use super::stream::Stream;
use super::worker::{Client, Shared, Worker};

/// Maximum size of a request's head, in bytes.
const MAX_HEAD: usize = 32 << 10;
/// Maximum buffer of one connection in each direction, in bytes.
const MAX_BUFFER: usize = 128 << 10;
/// Maximum concurrent requests of one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// Maximum number of streams that a client may have reset before they were handled (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;
/// Maximum number of streams reset because of a client's errors (CVE-2025-8671).
const MAX_LOCAL_RESETS: usize = 128;
/// An HTTP/2 connection that does not answer a ping for this long is closed.
const PING_TIMEOUT: Duration = Duration::from_secs(20);
/// Maximum time to send the last response.
const LINGER: Duration = Duration::from_secs(1);

/// The response to a head that did not arrive in time.
const TIMED_OUT: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: text/plain; charset=utf-8\r\ncache-control: no-store\r\n\
    content-length: 34\r\nconnection: close\r\n\r\nthe request did not come in time\r\n";

/// Serves a connection until it ends, or the data plane does.
pub(super) async fn serve(worker: Arc<Worker>, stream: TcpStream, mut client: Client) {
    let mut phase = worker.phase.clone();
    // Without it small writes wait for acknowledgements.
    let _ = stream.set_nodelay(true);
    let patience = worker.shared.settings.header_timeout;
    let (stream, is_h2) = match worker.shared.tls() {
        None => (Stream::Plain(stream), None),
        Some(config) => {
            client.is_tls = true;
            let accepting = Box::pin(TlsAcceptor::from(config).accept(stream));
            let Ok(Ok(stream)) = timeout(patience, accepting).await else { return };
            let is_h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
            (Stream::Tls(Box::new(TlsStream::Server(stream))), Some(is_h2))
        }
    };
    let mut stream = Rewind::new(stream);
    let is_h2 = if let Some(is_h2) = is_h2 {
        is_h2
    } else {
        let detected = or(async { Some(timeout(patience, stream.detect_h2()).await) }, async {
            phase.idle_ends().await;
            None
        });
        match detected.await {
            Some(Ok(Ok(Some(is_h2)))) => is_h2,
            Some(Err(_)) if stream.has_begun() => return Box::pin(time_out(stream)).await,
            _ => return,
        }
    };
    // Each in a box of its own, so that a connection takes the memory of its own protocol.
    if is_h2 {
        Box::pin(serve_h2(worker, stream, client, phase)).await;
    } else {
        Box::pin(serve_h1(worker, stream, client, phase)).await;
    }
}

async fn serve_h1(worker: Arc<Worker>, stream: Rewind, client: Client, mut phase: PhaseWatch) {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(worker.shared.settings.header_timeout)
        .max_header_size(MAX_HEAD)
        .max_buf_size(MAX_BUFFER);
    let stream = Http1Io::new(stream);
    let requests = stream.requests();
    let of_connection = worker.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        if requests.take() {
            request.extensions_mut().insert(HasFragment);
        }
        let (worker, client) = (of_connection.clone(), client.clone());
        // In a box of its own, so that an idle connection does not hold the memory of a request.
        async move { Ok::<_, Infallible>(Box::pin(handle(worker, client, request)).await) }
    });
    let mut connection = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let ended = serve_until(&worker.shared, &mut connection, phase.idle_ends()).await;
    let result = if let Some(result) = ended {
        result
    } else {
        Pin::new(&mut connection).graceful_shutdown();
        Pin::new(&mut connection).await
    };
    let Err(error) = result else { return };
    if let (true, Some(parts)) = (error.is_timeout(), connection.into_parts())
        && !parts.read_buf.is_empty()
    {
        Box::pin(time_out(parts.io.into_inner().into_inner())).await;
    }
}

/// Serves a connection until it ends, or `idle_ends` does, which gives `None`. That one changes only once the data plane leaves, so it is
/// polled then, and at first to be woken by it.
async fn serve_until<T>(
    shared: &Shared,
    connection: impl Future<Output = T>,
    idle_ends: impl Future<Output = ()>,
) -> Option<T> {
    let (mut connection, mut idle_ends) = (pin!(connection), pin!(idle_ends));
    let mut is_watched = false;
    poll_fn(|cx| {
        if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
            return Poll::Ready(Some(ended));
        }
        if !std::mem::replace(&mut is_watched, true) || shared.is_leaving() {
            return idle_ends.as_mut().poll(cx).map(|()| None);
        }
        Poll::Pending
    })
    .await
}

async fn serve_h2(worker: Arc<Worker>, stream: Rewind, client: Client, mut phase: PhaseWatch) {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_RESETS)
        .max_header_list_size(u32::try_from(MAX_HEAD).unwrap_or(u32::MAX))
        .max_send_buf_size(MAX_BUFFER)
        .keep_alive_interval(PING_TIMEOUT)
        .keep_alive_timeout(PING_TIMEOUT);
    let begun = Arc::new(Notify::new());
    let asked = begun.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        asked.notify_one();
        let (worker, client) = (worker.clone(), client.clone());
        async move { Ok::<_, Infallible>(handle(worker, client, request).await) }
    });
    let mut connection = builder.serve_connection(TokioIo::new(stream), service);
    let mut leaving = phase.clone();
    // GOAWAY as soon as the data plane leaves; before the first request it would end the connection without an answer.
    let leave = async {
        leaving.reached(Phase::Leaving).await;
        begun.notified().await;
    };
    let ended = or(async { Some(Pin::new(&mut connection).await) }, async {
        or(leave, phase.idle_ends()).await;
        None
    });
    if ended.await.is_none() {
        Pin::new(&mut connection).graceful_shutdown();
        // Errors are the client's.
        let _ = Pin::new(&mut connection).await;
    }
}

/// Responds to a head that did not arrive in time.
async fn time_out(mut stream: Rewind) {
    let answer = async {
        // The client may have disconnected.
        let _ = stream.write_all(TIMED_OUT).await;
        let _ = stream.shutdown().await;
    };
    let _ = timeout(LINGER, answer).await;
}
