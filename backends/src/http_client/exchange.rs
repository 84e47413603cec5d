//! One request and its response on one connection.

use std::future::Future;
use std::time::Duration;

use http::Request;
use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, PROXY_AUTHORIZATION, TRANSFER_ENCODING,
};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use smol::future::{or, pending};
use smol_hyper::rt::FuturesIo;
use url::Url;

use super::connect::Stream;
use super::error::{Phase, TransportError, within};
use super::request::{BodyNeed, ClientLimits, ClientRequest, ClientResponse};

/// Maximum length of a response head, in bytes. An alert service sends a few lines.
const HEAD_BYTES: usize = 64 * 1_024;
/// Maximum number of headers.
const HEADERS: usize = 100;
/// Time limit for a body of which only an excerpt is needed.
const MAX_EXCERPT_TIME: Duration = Duration::from_secs(1);

/// The form of the request target.
#[derive(Clone, Copy)]
pub(super) enum Target<'a> {
    /// Path and query.
    Origin,
    /// The absolute URL, as a proxy needs it, with the proxy's password if it has one.
    Absolute(Option<&'a HeaderValue>),
}

/// Converts the request to hyper's type.
pub(super) fn outgoing(request: ClientRequest, target: Target<'_>) -> Result<Request<Full<Bytes>>, TransportError> {
    let invalid = |error: http::Error| TransportError::Request(error.to_string());
    let ClientRequest { method, url, headers, body, .. } = request;
    let uri = match target {
        Target::Origin => origin(&url),
        Target::Absolute(_) => format!("{}://{}{}", url.scheme(), host(&url), origin(&url)),
    };
    let mut builder = Request::builder().method(method).uri(uri);
    for (name, value) in &headers {
        // These headers belong to the connection, which the client controls.
        if [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(name) {
            continue;
        }
        let mut value = value.clone();
        value.set_sensitive(*name == AUTHORIZATION || value.is_sensitive());
        builder = builder.header(name, value);
    }
    if let Target::Absolute(Some(authorization)) = target {
        builder = builder.header(PROXY_AUTHORIZATION, authorization);
    }
    builder.header(HOST, host(&url)).header(CONNECTION, "close").body(Full::from(body)).map_err(invalid)
}

fn origin(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

pub(super) async fn exchange(
    stream: Stream,
    request: Request<Full<Bytes>>,
    limits: &ClientLimits,
    need: BodyNeed,
) -> Result<ClientResponse, TransportError> {
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES).max_headers(HEADERS).handshake(FuturesIo::new(stream)).await?;
    let answer = async {
        let head = async { Ok(sender.send_request(request).await?) };
        let (head, body) = within(limits.head, Phase::Head, head).await?.into_parts();
        let body = match need {
            BodyNeed::Whole => whole(body, limits.body_bytes).await?,
            BodyNeed::Excerpt => excerpt(body, limits).await,
        };
        Ok(ClientResponse { status: head.status.as_u16(), headers: head.headers, body })
    };
    or(answer, driven(connection)).await
}

/// Drives a connection. Its errors are reported to the task that awaits the response.
async fn driven<T>(connection: impl Future<Output = Result<(), hyper::Error>>) -> T {
    let _ = connection.await;
    pending().await
}

async fn whole(mut body: Incoming, limit: usize) -> Result<Vec<u8>, TransportError> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Some(data) = frame?.data_ref() {
            if bytes.len() + data.len() > limit {
                return Err(TransportError::TooLarge { limit });
            }
            bytes.extend_from_slice(data);
        }
    }
    Ok(bytes)
}

/// Reads the part of the body that arrives within [`MAX_EXCERPT_TIME`], up to the size limit.
async fn excerpt(mut body: Incoming, limits: &ClientLimits) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = async {
        while let Some(Ok(frame)) = body.frame().await {
            if let Some(data) = frame.data_ref() {
                let room = limits.body_bytes.saturating_sub(bytes.len());
                bytes.extend_from_slice(data.get(..room).unwrap_or(data));
                if room <= data.len() {
                    break;
                }
            }
        }
        Ok(())
    };
    // A missing body is not an error: the head is the response.
    let _ = within(MAX_EXCERPT_TIME.min(limits.whole), Phase::Whole, read).await;
    bytes
}
