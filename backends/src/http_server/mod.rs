//! A server on smol, for the API and whatever else stands in its router.

mod body;
mod endless;
mod limits;
mod write;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use http::{Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use smol::Timer;
use smol::channel::{Receiver, bounded};
use smol::future::{FutureExt as _, or};
use smol::lock::{Semaphore, SemaphoreGuardArc};
use smol::net::{TcpListener, TcpStream};
use smol_hyper::rt::{FuturesIo, SmolTimer};
use tower_service::Service as _;

use crate::api::error::ApiError;
use crate::api::input::ClientAddr;
use body::DeadlineBody;
use write::WriteTimeout;

pub use body::BodyTooSlow;
pub use limits::ServerLimits;

/// How the serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Connections that were still busy at the end of `drain_timeout`, and were cut off.
    pub cut_off: usize,
}

/// Serves `router` on `listener` until `stop` resolves, then answers the requests in flight, for `drain_timeout` at the
/// longest. A stream of events ends at once: it would never end by itself.
///
/// Connections run on smol's global executor. A handler that panics is answered with 500. Dropping the future cuts all
/// connections off. What cannot be read as a request does not reach `router`: the protocol's own code answers it, with 400,
/// 414 or 431 and an empty body, or closes the connection where the head does not come in time. When the system gives no more connections (no file descriptors, say), it waits and tries again.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    limits: ServerLimits,
) -> Served {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.max_connections));
    // Nothing is ever sent: connections end when the sender is gone.
    let (alive, end) = bounded::<Infallible>(1);
    // Nor here: answers that do not end by themselves do when this sender is gone.
    let (serving, drain) = bounded::<Infallible>(1);
    {
        let accept = async {
            loop {
                let (stream, peer, place) = accept(&listener, &places).await;
                let connection = graceful.watch(connection(stream, peer, router.clone(), &limits, drain.clone()));
                smol::spawn(run(connection, end.clone(), place)).detach();
            }
        };
        or(pin!(stop), pin!(accept)).await;
    }
    drop(listener);
    drop(serving);
    let drained = async {
        graceful.shutdown().await;
        0
    };
    let too_late = async {
        Timer::after(limits.drain_timeout).await;
        // One receiver is ours.
        alive.receiver_count().saturating_sub(1)
    };
    Served { cut_off: or(drained, too_late).await }
}

/// The next connection, as soon as there is a place for it.
async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, ClientAddr, SemaphoreGuardArc) {
    let place = places.acquire_arc().await;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, ClientAddr(peer), place),
            // The client is gone already; the next one is none the worse for it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections, trying again");
                Timer::after(ACCEPT_AGAIN).await;
            }
        }
    }
}

const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

fn connection(
    stream: TcpStream,
    peer: ClientAddr,
    router: Router,
    limits: &ServerLimits,
    drain: Receiver<Infallible>,
) -> impl GracefulConnection<Error = hyper::Error> + Send + use<> {
    // Answers are small and complete; where this fails, they are only later.
    let _ = stream.set_nodelay(true);
    let body_timeout = limits.body_timeout;
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(|body| DeadlineBody::new(body, body_timeout));
        request.extensions_mut().insert(peer);
        answer(router.clone(), request, drain.clone())
    });
    http1::Builder::new()
        .timer(SmolTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_head_bytes.max(limits::MIN_HEAD_BYTES))
        .max_headers(limits.max_headers)
        .serve_connection(WriteTimeout::new(FuturesIo::new(stream), limits.write_timeout), service)
}

async fn run<C, E>(connection: C, end: Receiver<Infallible>, place: SemaphoreGuardArc)
where
    C: Future<Output = Result<(), E>>,
    E: std::fmt::Display,
{
    let ended = async {
        let _ = end.recv().await;
        Ok(())
    };
    if let Err(error) = or(connection, ended).await {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}

async fn answer(
    mut router: Router,
    request: Request<DeadlineBody<Incoming>>,
    drain: Receiver<Infallible>,
) -> Result<Response, Infallible> {
    let answer = AssertUnwindSafe(async move { router.call(request).await }).catch_unwind().await;
    let Ok(response) = answer.unwrap_or_else(|_| {
        let error = "the request ended with a fault of the server";
        Ok(ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error).into_response())
    });
    Ok(endless::end_at(response, drain))
}
