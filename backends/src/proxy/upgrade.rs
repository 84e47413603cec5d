//! WebSocket: a request that becomes a tunnel if the upstream agrees.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::{CONNECTION, HeaderValue, UPGRADE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use hyper::upgrade::{OnUpgrade, Upgraded, on};
use hyper_util::rt::TokioIo;
use smol::future::{or, zip};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::time::sleep;

use super::call::Call;
use super::headers::has_token;
use super::phase::{Phase, PhaseWatch};
use super::worker::Client;

/// Buffer of one direction of a tunnel, in bytes.
const BUFFER: usize = 8 << 10;

/// The token of the only supported upgrade.
const WEBSOCKET: &str = "websocket";

/// Takes the client's side of a WebSocket out of an upgrade request; `None` for every other request, which is forwarded
/// without its `Upgrade`.
pub(super) fn asked_for(request: &mut Request<Incoming>) -> Option<OnUpgrade> {
    let is_asked = request.version() == Version::HTTP_11
        && request.method() == Method::GET
        && request.body().is_end_stream()
        && has_token(request.headers(), &UPGRADE, WEBSOCKET)
        && has_token(request.headers(), &CONNECTION, "upgrade");
    is_asked.then(|| on(request))
}

/// Sets the fields that request, or agree to, a WebSocket.
pub(super) fn set_fields(headers: &mut HeaderMap) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static(WEBSOCKET));
}

/// Whether the upstream agrees.
pub(super) fn is_agreed<B>(response: &Response<B>) -> bool {
    response.status() == StatusCode::SWITCHING_PROTOCOLS && has_token(response.headers(), &UPGRADE, WEBSOCKET)
}

/// The two sides of a tunnel, and its end.
pub(super) struct Tunnel {
    pub(super) client: OnUpgrade,
    pub(super) upstream: OnUpgrade,
    pub(super) idle_timeout: Duration,
    pub(super) phase: PhaseWatch,
    /// Counted among the connections until the tunnel ends.
    pub(super) connection: Client,
}

impl Tunnel {
    /// Runs until both sides have closed, no byte moves for the idle timeout, or the data plane is cut.
    pub(super) async fn run(self, mut call: Call) {
        let Self { client, upstream, idle_timeout, mut phase, connection } = self;
        let run = async {
            if let (Ok(client), Ok(upstream)) = zip(client, upstream).await {
                join(client, upstream, idle_timeout).await;
            }
        };
        or(run, phase.reached(Phase::Cut)).await;
        call.end_upgraded();
        drop(connection);
    }
}

async fn join(client: Upgraded, upstream: Upgraded, idle_timeout: Duration) {
    let (from_client, to_client) = split(TokioIo::new(client));
    let (from_upstream, to_upstream) = split(TokioIo::new(upstream));
    let moved = AtomicU64::new(0);
    let both = async {
        zip(pump(from_client, to_upstream, &moved), pump(from_upstream, to_client, &moved)).await;
    };
    let idle = async {
        loop {
            // Relaxed: all of this is one task.
            let before = moved.load(Ordering::Relaxed);
            sleep(idle_timeout).await;
            if moved.load(Ordering::Relaxed) == before {
                return;
            }
        }
    };
    or(both, idle).await;
}

/// Copies until the end of `from`, or until one side fails.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, moved: &AtomicU64) {
    let mut buffer = vec![0; BUFFER];
    while let Ok(bytes) = from.read(&mut buffer).await {
        let read = buffer.get(..bytes).unwrap_or_default();
        if read.is_empty() || to.write_all(read).await.is_err() || to.flush().await.is_err() {
            break;
        }
        // Relaxed: all of this is one task.
        moved.fetch_add(1, Ordering::Relaxed);
    }
    // The other side may be closed.
    let _ = to.shutdown().await;
}
