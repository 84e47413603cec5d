//! `CONNECT`: a connection through a proxy to another host.

use http::header::HeaderValue;
use smol::io::{AsyncReadExt as _, AsyncWriteExt as _};
use url::Url;

use super::connect::Stream;
use super::error::TransportError;

/// Maximum length of the head of the proxy's response, in bytes.
const HEAD_BYTES: usize = 8 * 1_024;

/// Asks the proxy behind `stream` to connect to the host of `url`.
pub(super) async fn connect(
    mut stream: Stream,
    url: &Url,
    authorization: Option<&HeaderValue>,
) -> Result<Stream, TransportError> {
    let failed = |error: std::io::Error| TransportError::Proxy(error.to_string());
    let port = url.port_or_known_default().unwrap_or(443);
    let authority = format!("{}:{port}", url.host_str().unwrap_or_default());
    let mut head = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n").into_bytes();
    if let Some(value) = authorization {
        head.extend_from_slice(b"Proxy-Authorization: ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    stream.write_all(&head).await.map_err(failed)?;
    stream.flush().await.map_err(failed)?;

    // The other side of the tunnel speaks only after this one, so nothing follows the head.
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).await.map_err(failed)? == 0 {
            return Err(TransportError::Proxy("the proxy closed the connection".to_owned()));
        }
        answer.extend_from_slice(&byte);
        if answer.len() > HEAD_BYTES {
            return Err(TransportError::Proxy("the proxy's answer is too long".to_owned()));
        }
    }
    match status(&answer) {
        Some(200..=299) => Ok(stream),
        Some(status) => Err(TransportError::Proxy(format!("status {status}"))),
        None => Err(TransportError::Proxy("the proxy's answer is no HTTP".to_owned())),
    }
}

/// The status code of a line such as `HTTP/1.1 200 Connection established`.
fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.")?;
    line.split(' ').nth(1)?.parse().ok().filter(|status| (100..600).contains(status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_of_an_http_answer_only() {
        assert_eq!(status(b"HTTP/1.1 200 Connection established\r\n\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.0 407 \r\nX: y\r\n\r\n"), Some(407));
        for none in [&b"HTTP/1.1 2000\r\n\r\n"[..], b"HTTP/1.1\r\n\r\n", b"220 smtp\r\n\r\n", b"\xff 200\r\n\r\n", b""]
        {
            assert_eq!(status(none), None);
        }
    }
}
