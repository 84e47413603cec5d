//! An HTTP server on smol for any axum router, with limits on what clients may use.

mod accept;
mod body;
mod client;
mod date;
mod endless;
mod hang_up;
mod limits;
mod listen;
mod occupied;
mod places;
mod write;

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::response::{IntoResponse as _, Response};
use http::header::{CONNECTION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use http::{HeaderMap, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use smol::Timer;
use smol::channel::{Receiver, bounded};
use smol::future::{FutureExt as _, or};
use smol::net::{TcpListener, TcpStream};
use smol_hyper::rt::{FuturesIo, SmolTimer};
use tower_service::Service as _;

use accept::Acceptor;
use body::DeadlineBody;
use places::{NoPlace, Place, Places, Trust};
use write::WriteTimeout;

pub use body::BodyTooSlow;
pub use client::ClientAddr;
pub(crate) use endless::EVENT_STREAM;
pub use limits::ServerLimits;
pub use listen::listen;

/// How the serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// Connections that were still busy after `drain_timeout` and were closed.
    pub cut_off: usize,
}

/// Decides by the headers of a request whether it may use the places that are kept free when the server is full, because it
/// carries a valid token, say. Default: no request may.
#[derive(Clone, Default)]
pub struct TrustedRequests(Option<Arc<IsTrusted>>);

type IsTrusted = dyn Fn(&HeaderMap) -> bool + Send + Sync;

impl TrustedRequests {
    /// Trusts the requests for which `is_trusted` holds. It is called for each request.
    pub fn new(is_trusted: impl Fn(&HeaderMap) -> bool + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(is_trusted)))
    }

    fn trust(&self, headers: &HeaderMap) -> Trust {
        let is_trusted = self.0.as_ref().is_some_and(|is_trusted| is_trusted(headers));
        if is_trusted { Trust::Trusted } else { Trust::Unknown }
    }
}

impl fmt::Debug for TrustedRequests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TrustedRequests").field(&self.0.is_some()).finish()
    }
}

/// Serves `router` on `listener` until `stop` resolves, then answers the requests in flight, for at most `drain_timeout`. A
/// stream of events ends at once, since it never ends by itself.
///
/// Connections run on smol's global executor. A handler that panics is answered with 500. Dropping the future closes all
/// connections. A client may close its sending half after the request and still gets the answer if it is ready within `half_close_timeout`; a stream of events ends at once.
///
/// The HTTP library itself answers what is not a request (400), or a head that is too large (431), with an empty body; these
/// do not reach `router`. A head that does not come in time closes the connection.
///
/// When `max_connections` are open, an idle one is closed to admit a new one. When seven eighths of them are busy, further requests
/// are answered with 503, except those from loopback and those of [`serve_with`]'s `trusted`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    limits: ServerLimits,
) -> Served {
    serve_with(listener, router, stop, limits, TrustedRequests::default()).await
}

/// As [`serve`], with requests for which places are kept free.
pub async fn serve_with(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
    limits: ServerLimits,
    trusted: TrustedRequests,
) -> Served {
    let graceful = GracefulShutdown::new();
    let places = Places::new(limits.max_connections);
    // Nothing is ever sent: connections end when the sender is gone.
    let (alive, end) = bounded::<Infallible>(1);
    // Nor here: answers that do not end by themselves do when this sender is gone.
    let (serving, drain) = bounded::<Infallible>(1);
    {
        let mut acceptor = Acceptor::new(&listener, &places);
        let accept = async {
            loop {
                let (stream, peer) = acceptor.accept().await;
                let (place, evicted) = places.enter(Trust::of(peer.0)).await;
                let handler = Handler {
                    router: router.clone(),
                    stream: stream.clone(),
                    peer,
                    place: place.clone(),
                    trusted: trusted.clone(),
                    drain: drain.clone(),
                    half_close_timeout: limits.half_close_timeout,
                };
                let connection = graceful.watch(connection(stream, handler, &limits));
                smol::spawn(run(connection, end.clone(), evicted, place)).detach();
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

fn connection(
    stream: TcpStream,
    handler: Handler,
    limits: &ServerLimits,
) -> impl GracefulConnection<Error = hyper::Error> + Send + use<> {
    // Answers are small and complete; where this fails, they are only later.
    let _ = stream.set_nodelay(true);
    let body_timeout = limits.body_timeout;
    let service = service_fn(move |request: Request<Incoming>| {
        let request = request.map(|body| DeadlineBody::new(body, body_timeout));
        handler.clone().answer(request)
    });
    http1::Builder::new()
        .timer(SmolTimer::new())
        .half_close(true)
        // The library's own panics while the clock shows a time before 1970.
        .auto_date_header(false)
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_head_bytes.max(limits::MIN_HEAD_BYTES))
        .max_headers(limits.max_headers)
        .serve_connection(WriteTimeout::new(FuturesIo::new(stream), limits.write_timeout), service)
}

async fn run<C, E>(connection: C, end: Receiver<Infallible>, evicted: Receiver<()>, place: Arc<Place>)
where
    C: Future<Output = Result<(), E>>,
    E: fmt::Display,
{
    let ended = async {
        let _ = end.recv().await;
        Ok(())
    };
    let gives_way = async {
        let _ = evicted.recv().await;
        tracing::debug!("an idle connection was closed to admit a new one");
        Ok(())
    };
    if let Err(error) = or(connection, or(ended, gives_way)).await {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(place);
}

/// Answers the requests of one connection.
#[derive(Debug, Clone)]
struct Handler {
    router: Router,
    stream: TcpStream,
    peer: ClientAddr,
    place: Arc<Place>,
    trusted: TrustedRequests,
    drain: Receiver<Infallible>,
    half_close_timeout: Duration,
}

impl Handler {
    async fn answer(self, mut request: Request<DeadlineBody<Incoming>>) -> Result<Response, Infallible> {
        request.extensions_mut().insert(self.peer);
        let mut response = match self.place.begin(self.trusted.trust(request.headers())) {
            Ok(busy) => {
                let hung_up = hung_up(self.stream.clone(), self.half_close_timeout);
                occupied::until_sent(or(self.routed(request), hung_up).await, busy)
            }
            Err(NoPlace::Full) => full(),
            // The connection is about to be closed.
            Err(NoPlace::Evicted) => std::future::pending().await,
        };
        if let Some(date) = date::date(SystemTime::now()) {
            response.headers_mut().entry(DATE).or_insert(date);
        }
        Ok(response)
    }

    async fn routed(self, request: Request<DeadlineBody<Incoming>>) -> Response {
        let mut router = self.router;
        let answer = AssertUnwindSafe(async move { router.call(request).await }).catch_unwind().await;
        match answer {
            Ok(Ok(response)) => endless::end_at(response, self.drain, self.stream),
            Err(_) => error(StatusCode::INTERNAL_SERVER_ERROR, "the request failed because of a fault in this program"),
        }
    }
}

/// Resolves with the end of a request whose client has gone, or waits for longer than `limit` after closing its sending half.
async fn hung_up(stream: TcpStream, limit: Duration) -> Response {
    hang_up::closed(stream).await;
    Timer::after(limit).await;
    let mut response = error(StatusCode::REQUEST_TIMEOUT, "the client closed its side before the answer was ready");
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

fn full() -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "the server handles too many requests");
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// `text` must not need escaping in JSON.
fn error(status: StatusCode, text: &'static str) -> Response {
    let body = format!("{{\"error\":\"{text}\"}}");
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
