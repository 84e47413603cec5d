//! A request, its response, and the limits of both.

use std::time::Duration;

use http::Method;
use http::header::HeaderMap;
use url::Url;

/// Time limits of the phases of a request, and the size limit of the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// Name resolution and connecting, for all addresses of the name together. Default: 5 s.
    pub connect: Duration,
    /// The TLS handshake, and a proxy's response to `CONNECT`. Default: 5 s.
    pub tls: Duration,
    /// From the request to the head of its response. Default: 10 s.
    pub head: Duration,
    /// The whole request, from name resolution to the last byte of the response. Default: 20 s.
    pub whole: Duration,
    /// Maximum length of a response body, in bytes. Default: 64 KiB.
    pub body_bytes: usize,
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            tls: Duration::from_secs(5),
            head: Duration::from_secs(10),
            whole: Duration::from_secs(20),
            body_bytes: 64 * 1_024,
        }
    }
}

/// A request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientRequest {
    /// The method.
    pub method: Method,
    /// An http or https URL.
    pub url: Url,
    /// The headers, without those of the connection, which the client sets.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How much of the response body is read.
    pub body_need: BodyNeed,
}

/// How much of a response body is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyNeed {
    /// The whole body. A body that breaks off, does not end or exceeds [`ClientLimits::body_bytes`] is an error.
    #[default]
    Whole,
    /// As much as arrives. The head is the response.
    Excerpt,
}

/// A response.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientResponse {
    /// The status code as received.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`ClientLimits::body_bytes`].
    pub body: Vec<u8>,
}

impl ClientResponse {
    /// Creates a response without headers.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: HeaderMap::new(), body }
    }
}

impl ClientRequest {
    /// Creates a request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Vec::new(), body_need: BodyNeed::default() }
    }
}
