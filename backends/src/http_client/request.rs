//! A request, its answer, and the limits of both.

use std::time::Duration;

use http::Method;
use http::header::HeaderMap;
use url::Url;

/// How long each part of a request may take, and how much may come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientLimits {
    /// Looking the name up and connecting, all addresses of the name together. Default: 5 s.
    pub connect: Duration,
    /// The TLS handshake, and the answer of a proxy to `CONNECT`. Default: 5 s.
    pub tls: Duration,
    /// From the request to the head of its answer. Default: 10 s.
    pub head: Duration,
    /// All of it, from the name to the last byte of the answer. Default: 20 s.
    pub whole: Duration,
    /// Body of an answer, in bytes. Default: 64 KiB.
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
    /// An http or https address.
    pub url: Url,
    /// Without those of the connection, which the client sets.
    pub headers: HeaderMap,
    /// The body; empty for none.
    pub body: Vec<u8>,
    /// How much of the answer's body is read.
    pub body_need: BodyNeed,
}

/// How much of an answer's body is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyNeed {
    /// All of it: one that breaks off, does not end or is larger than [`ClientLimits::body_bytes`] is an error.
    #[default]
    Whole,
    /// As much as comes. The head is the answer.
    Excerpt,
}

/// An answer.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClientResponse {
    /// The status, as it came.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, at most [`ClientLimits::body_bytes`].
    pub body: Vec<u8>,
}

impl ClientResponse {
    /// An answer without headers.
    pub fn new(status: u16, body: Vec<u8>) -> Self {
        Self { status, headers: HeaderMap::new(), body }
    }
}

impl ClientRequest {
    /// A request without headers and body.
    pub fn new(method: Method, url: Url) -> Self {
        Self { method, url, headers: HeaderMap::new(), body: Vec::new(), body_need: BodyNeed::default() }
    }
}
