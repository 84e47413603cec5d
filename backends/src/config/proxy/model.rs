//! The values of `[proxy]`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use super::network::Network;
use crate::config::string_enum::words;

/// The data port, `[proxy]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Proxy {
    /// Address to listen on. Default: 127.0.0.1:8000.
    pub listen: SocketAddr,
    /// Whether requests are rejected. Default: they are.
    pub mode: ProxyMode,
    /// Threads of the data plane; 0 is one for each core. Default: 0.
    pub threads: u32,
    /// Peers whose `X-Forwarded-*` and `Forwarded` fields are kept. Default: none.
    pub trusted_proxies: Vec<Network>,
    /// What is added about the client. Default: `X-Forwarded-*`.
    pub forwarded: Forwarded,
    /// What is written about each request. Default: nothing.
    pub access_log: AccessLog,
    /// Between the signal to stop and the end of accepting. Default: 5 s.
    pub drain_delay: Duration,
    /// For requests in flight after that. Default: 30 s.
    pub drain_timeout: Duration,
    /// Largest body of a request, in bytes; 0 = unlimited. Default: 0.
    pub max_body: u64,
    /// For the head of a request, and between two requests. Default: 10 s.
    pub header_timeout: Duration,
    /// Of a WebSocket without traffic. Default: 300 s.
    pub tunnel_idle_timeout: Duration,
    /// Connections of clients at a time. Default: 10,000.
    pub max_connections: u32,
    /// Connections of one client address at a time; 0 = unlimited. Default: 0.
    pub max_connections_per_client: u32,
    /// Whether the proxy's own answers carry `x-tripline`. Default: true.
    pub response_header: bool,
    /// Certificate and key of the data port. Default: none, which is cleartext.
    pub tls: TlsFiles,
}

impl Default for Proxy {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8_000)),
            mode: ProxyMode::default(),
            threads: 0,
            trusted_proxies: Vec::new(),
            forwarded: Forwarded::default(),
            access_log: AccessLog::default(),
            drain_delay: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(30),
            max_body: 0,
            header_timeout: Duration::from_secs(10),
            tunnel_idle_timeout: Duration::from_secs(300),
            max_connections: 10_000,
            max_connections_per_client: 0,
            response_header: true,
            tls: TlsFiles::default(),
        }
    }
}

/// A certificate with its key, both as PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TlsFiles {
    /// The certificate, followed by those that it is signed with.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// What a caller gets whose request is rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RejectedAnswer {
    /// Status, 200 to 599. Default: 503.
    pub status: u16,
    /// The body. Default: a short one of the proxy's own.
    pub body: Option<String>,
    /// The type of the body. Default: `text/plain`.
    pub content_type: String,
}

impl Default for RejectedAnswer {
    fn default() -> Self {
        Self { status: 503, body: None, content_type: "text/plain; charset=utf-8".to_owned() }
    }
}

words! {
    /// Whether the proxy rejects.
    pub enum ProxyMode {
        /// A request that the breaker does not admit is rejected.
        #[default]
        Enforce = "enforce",
        /// It is forwarded, counted and reported.
        Observe = "observe",
    }
}

words! {
    /// What the upstream learns about the client.
    pub enum Forwarded {
        /// `X-Forwarded-For`, `-Proto` and `-Host`.
        #[default]
        XForwarded = "x-forwarded",
        /// `Forwarded`, as in RFC 7239.
        Standard = "forwarded",
        /// Both.
        Both = "both",
        /// Neither; what a client sends is removed.
        Off = "off",
    }
}

words! {
    /// What is written to standard output about each request.
    pub enum AccessLog {
        /// Nothing.
        #[default]
        Off = "off",
        /// A line in the combined format, with the time and a flag.
        Text = "text",
        /// A JSON object.
        Json = "json",
    }
}

words! {
    /// Up to where the latency of a call counts.
    pub enum Measure {
        /// The head of the response.
        #[default]
        Head = "head",
        /// The end of its body.
        Body = "body",
    }
}
