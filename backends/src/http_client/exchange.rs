//! One request and its answer on one connection.

use ::http_client::http_types::{StatusCode, Url, headers::HeaderName as SurfName};
use ::http_client::{Request, Response};
use http::header::{AUTHORIZATION, CONNECTION, CONTENT_LENGTH, HOST, HeaderName, HeaderValue, TRANSFER_ENCODING};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use smol::future::{or, pending};
use smol_hyper::rt::FuturesIo;

use super::ClientLimits;
use super::connect::Stream;
use super::error::{Phase, TransportError, within};

/// Head of an answer, at most: an alert service has a few lines there.
const HEAD_BYTES: usize = 64 * 1_024;
/// Its lines.
const HEADERS: usize = 100;

/// surf's request as hyper's.
pub(super) fn outgoing(request: &Request, body: Vec<u8>) -> Result<http::Request<Full<Bytes>>, TransportError> {
    let refused = |error: http::Error| TransportError::Request(error.to_string());
    let url = request.url();
    let mut builder = http::Request::builder().method(request.method().as_ref()).uri(target(url));
    for (name, values) in request {
        let name = HeaderName::try_from(name.as_str()).map_err(|error| refused(error.into()))?;
        // These are about the connection, which is not the caller's.
        if [HOST, CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING].contains(&name) {
            continue;
        }
        for value in values {
            let mut value = HeaderValue::try_from(value.as_str()).map_err(|error| refused(error.into()))?;
            value.set_sensitive(name == AUTHORIZATION);
            builder = builder.header(&name, value);
        }
    }
    builder.header(HOST, host(url)).header(CONNECTION, "close").body(Full::from(body)).map_err(refused)
}

fn target(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

pub(super) async fn exchange(
    stream: Stream,
    request: http::Request<Full<Bytes>>,
    limits: &ClientLimits,
) -> Result<Response, TransportError> {
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEAD_BYTES).max_headers(HEADERS).handshake(FuturesIo::new(stream)).await?;
    let answer = async {
        let head = async { Ok(sender.send_request(request).await?) };
        let (head, body) = within(limits.head, Phase::Head, head).await?.into_parts();
        let body = read(body, limits.body_bytes).await?;
        Ok(incoming(&head, &body))
    };
    let connection = async {
        // How it ends is told to whoever waits for the answer.
        let _ = connection.await;
        pending().await
    };
    or(answer, connection).await
}

async fn read(mut body: Incoming, limit: usize) -> Result<Vec<u8>, TransportError> {
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

/// hyper's answer as surf's.
fn incoming(head: &http::response::Parts, body: &[u8]) -> Response {
    let mut response = Response::new(status(head.status));
    response.set_body(body);
    for (name, value) in &head.headers {
        // A value that is no text is none that anybody here asks for.
        if let (Ok(name), Ok(value)) = (SurfName::from_bytes(name.as_str().into()), value.to_str()) {
            response.append_header(name, value);
        }
    }
    response
}

/// surf knows the registered codes only; another one counts as the first of its class.
fn status(code: http::StatusCode) -> StatusCode {
    StatusCode::try_from(code.as_u16()).unwrap_or(match code.as_u16() {
        ..=299 => StatusCode::Ok,
        300..=399 => StatusCode::MultipleChoice,
        400..=499 => StatusCode::BadRequest,
        500.. => StatusCode::InternalServerError,
    })
}
