//! The values of `[upstreams.NAME]`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use super::statuses::Statuses;
use crate::config::string_enum::words;

/// A service that requests are forwarded to, `[upstreams.NAME]`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Upstream {
    /// What routes call it.
    pub name: String,
    /// Where it listens: `url`, or `servers`, of which one after the other is taken. All have one scheme.
    pub servers: Vec<ServerUrl>,
    /// For a connection, TLS included. Default: 1 s.
    pub connect_timeout: Duration,
    /// For the head of a response, from when the request is sent. Default: 30 s.
    pub head_timeout: Duration,
    /// How long an idle connection may be reused. It must be shorter than the upstream's own limit. Default: 4 s.
    pub idle_timeout: Duration,
    /// Requests at a time, over all threads. Default: 256.
    pub max_connections: u32,
    /// How long a request waits for one of these places, in the order of arrival; zero is not at all. Default: 1 s.
    pub pool_timeout: Duration,
    /// Idle connections that are kept, over all threads. Default: 32.
    pub max_idle: u32,
    /// How often names are resolved again. Default: 30 s.
    pub resolve_interval: Duration,
    /// Default: HTTP/2 where TLS agrees on it, else HTTP/1.1.
    pub protocol: UpstreamProtocol,
    /// The `Host` that is sent. Default: that of the client.
    pub host: HostHeader,
    /// Statuses that count as failed. Default: 5xx but 501.
    pub failure_statuses: Statuses,
    /// What is needed for https.
    pub tls: UpstreamTls,
}

impl Upstream {
    /// An upstream without a server, with every default.
    pub(crate) fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            servers: Vec::new(),
            connect_timeout: Duration::from_secs(1),
            head_timeout: Duration::from_secs(30),
            idle_timeout: Duration::from_secs(4),
            max_connections: 256,
            pool_timeout: Duration::from_secs(1),
            max_idle: 32,
            resolve_interval: Duration::from_secs(30),
            protocol: UpstreamProtocol::default(),
            host: HostHeader::default(),
            failure_statuses: Statuses::default(),
            tls: UpstreamTls::default(),
        }
    }

    /// An upstream at one address, with every default.
    pub fn new(name: &str, server: ServerUrl) -> Self {
        Self { servers: vec![server], ..Self::named(name) }
    }
}

/// Roots and client certificate for https.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct UpstreamTls {
    /// PEM file of the authorities that sign the upstream's certificate; `None` is those of the system.
    pub ca: Option<PathBuf>,
    /// PEM file of the client certificate that is presented to the upstream.
    pub certificate: Option<PathBuf>,
    /// Its key.
    pub key: Option<PathBuf>,
}

/// Scheme, host and port of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerUrl {
    is_https: bool,
    /// Without brackets.
    host: String,
    port: u16,
    /// Host and port as they stand in `Host`.
    authority: String,
}

impl ServerUrl {
    /// What is allowed, for messages.
    pub const ALLOWED: &'static str =
        "an http or https address without path, query, user and password, such as \"http://127.0.0.1:3000\"";

    /// Whether it is spoken to over TLS.
    pub fn is_https(&self) -> bool {
        self.is_https
    }

    /// A name or an address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port, also where it is the usual one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port as they stand in `Host`: an unusual port only.
    pub fn authority(&self) -> &str {
        &self.authority
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.is_https { "https" } else { "http" }, self.authority)
    }
}

/// A text that is not the address of a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotAServer;

impl fmt::Display for NotAServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "allowed: {}", ServerUrl::ALLOWED)
    }
}

impl std::error::Error for NotAServer {}

impl FromStr for ServerUrl {
    type Err = NotAServer;

    fn from_str(text: &str) -> Result<Self, NotAServer> {
        let clean = !text.chars().any(|c| c.is_control() || c.is_whitespace() || c == '\\');
        let url = url::Url::parse(text).ok().filter(|_| clean).ok_or(NotAServer)?;
        let is_bare = url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.path() == "/";
        let is_https = match url.scheme() {
            "http" => false,
            "https" => true,
            _ => return Err(NotAServer),
        };
        let (host, port) = (url.host_str(), url.port_or_known_default().filter(|port| *port > 0));
        let (Some(bracketed), Some(port), true) = (host, port, is_bare) else { return Err(NotAServer) };
        let authority = url.port().map_or_else(|| bracketed.to_owned(), |port| format!("{bracketed}:{port}"));
        let host = bracketed.trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { is_https, host, port, authority })
    }
}

/// The `Host` that an upstream gets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum HostHeader {
    /// That of the client: `"preserve"`.
    #[default]
    Preserve,
    /// That of the upstream's own address: `"upstream"`.
    Upstream,
    /// This one.
    Literal(String),
}

impl HostHeader {
    /// Reads `"preserve"`, `"upstream"`, or a host with or without a port.
    pub(crate) fn of(text: &str) -> Option<Self> {
        match text {
            "preserve" => Some(Self::Preserve),
            "upstream" => Some(Self::Upstream),
            host => format!("http://{host}").parse::<ServerUrl>().ok().map(|_| Self::Literal(host.to_owned())),
        }
    }

    /// As it is written in a file.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Preserve => "preserve",
            Self::Upstream => "upstream",
            Self::Literal(host) => host,
        }
    }
}

words! {
    /// The protocol that is spoken to an upstream.
    pub enum UpstreamProtocol {
        /// HTTP/2 where TLS agrees on it, else HTTP/1.1.
        #[default]
        Auto = "auto",
        /// HTTP/1.1.
        H1 = "h1",
        /// HTTP/2, in cleartext by prior knowledge.
        H2 = "h2",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_scheme_host_and_port() {
        let read = |text: &str| {
            let url: Option<ServerUrl> = text.parse().ok();
            url.map(|url| (url.to_string(), url.host().to_owned(), url.port(), url.authority().to_owned()))
        };
        let of = |url: &str, host: &str, port, authority: &str| {
            Some((url.to_owned(), host.to_owned(), port, authority.to_owned()))
        };
        assert_eq!(read("http://127.0.0.1:3000"), of("http://127.0.0.1:3000", "127.0.0.1", 3000, "127.0.0.1:3000"));
        assert_eq!(read("https://shop.example/"), of("https://shop.example", "shop.example", 443, "shop.example"));
        assert_eq!(read("http://[::1]:80"), of("http://[::1]", "::1", 80, "[::1]"));
        for bad in [
            "",
            "127.0.0.1:3000",
            "ftp://a",
            "http://",
            "http://a/b",
            "http://a/?q",
            "http://u@a",
            "http://u:p@a",
            "http://a\n",
            "http://a:0",
            "http://a#f",
            "http://a\\b",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
